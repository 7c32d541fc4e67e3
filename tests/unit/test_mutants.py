"""The mutation tests' own parts: groups name what exists, and judgements do not outlive what they judge."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.mutants.__main__ import Row, settings_of
from tests.mutants.groups import GROUPS, Group
from tests.mutants.judgements import ANY, LETTER_CASE, Judgement, outdated, read_judgements
from tests.mutants.results import Mutant, read_mutants

ROOT = Path(__file__).resolve().parents[2]

MUTATED = """
class Quota:
    def xǁQuotaǁlease__mutmut_orig(self, now):
        first = 1
        return now + first

    def xǁQuotaǁlease__mutmut_1(self, now):
        first = 2
        return now + first

    def xǁQuotaǁlease__mutmut_2(self, now):
        first = 1
        return now - first


async def x__lower__mutmut_orig(one, other=True):
    return "a"


async def x__lower__mutmut_1(one, other=False):
    return "a"


async def x__lower__mutmut_2(one, other=True):
    return "A"
"""
ENDS = {
    "harvester.quota.xǁQuotaǁlease__mutmut_1": 1,
    "harvester.quota.xǁQuotaǁlease__mutmut_2": 0,
    "harvester.quota.x__lower__mutmut_1": 33,
    "harvester.quota.x__lower__mutmut_2": -24,
}


@pytest.fixture
def mutants(tmp_path: Path) -> list[Mutant]:
    """What is read of a small mutated file."""
    path = tmp_path / "quota.py"
    path.write_text(MUTATED, encoding="utf-8")
    Path(f"{path}.meta").write_text(json.dumps({"exit_code_by_key": ENDS}), encoding="utf-8")
    return read_mutants(path)


def test_every_group_names_modules_and_tests_that_exist() -> None:
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    for group in GROUPS:
        for module in group.modules:
            assert (ROOT / "harvester" / module).is_file(), module
        for test in (*group.tests, *group.without):
            path, _, name = test.partition("::")
            text = (ROOT / "tests" / "unit" / path).read_text(encoding="utf-8")
            assert not name or f"def {name}(" in text, test


def test_every_judgement_names_a_function_and_lines_that_exist() -> None:
    modules = {group.name: group.modules for group in GROUPS}
    for judgement in read_judgements():
        names, texts = set(), []
        for module in modules[judgement.group]:
            text = (ROOT / "harvester" / module).read_text(encoding="utf-8")
            texts.append(text)
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.ClassDef):
                    names |= {f"{node.name}.{one.name}" for one in node.body if hasattr(one, "name")}
                elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    names.add(node.name)
        assert judgement.function in names, judgement
        lines = {line.strip() for text in texts for line in text.splitlines()}
        # A change of the parameters begins after the bracket that opens them.
        known = judgement.was == ANY or all(
            any(one.endswith(line) for one in lines) for line in judgement.was.splitlines()
        )
        assert known, judgement


def test_a_mutant_is_its_function_and_the_lines_it_changes(mutants: list[Mutant]) -> None:
    assert mutants == [
        Mutant("Quota.lease", "first = 1", "first = 2", 1),
        Mutant("Quota.lease", "return now + first", "return now - first", 0),
        Mutant("_lower", "one, other=True):", "one, other=False):", 33),
        Mutant("_lower", 'return "a"', 'return "A"', -24),
    ]
    assert [(one.killed, one.timed_out, one.unreached) for one in mutants] == [
        (True, False, False), (False, False, False), (False, False, True), (True, True, False),
    ]  # fmt: skip


def test_a_mutant_whose_tests_did_not_run_to_an_end_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "quota.py"
    path.write_text(MUTATED, encoding="utf-8")
    for end in (None, 2, 35):
        ends = {"harvester.quota.x__lower__mutmut_1": end}
        Path(f"{path}.meta").write_text(json.dumps({"exit_code_by_key": ends}), encoding="utf-8")
        with pytest.raises(ValueError, match="neither a pass nor a failure"):
            read_mutants(path)


def judged(function: str, was: str, now: str, group: str = "quota") -> Judgement:
    return Judgement(group, function, was, now, "equivalent", "a reason")


def test_a_judgement_that_no_longer_holds_is_reported(mutants: list[Mutant]) -> None:
    holds = judged("Quota.lease", "return now + first", "return now - first")
    unreached = judged("_lower", "one, other=True):", "one, other=False):")
    killed = judged("Quota.lease", "first = 1", "first = 2")
    case = judged("_lower", ANY, LETTER_CASE)
    gone = judged("Quota.lease", "first = 1", "first = 3")
    elsewhere = judged("Quota.lease", "x", "y", group="ledger")
    assert outdated([holds, unreached, killed, case, gone, elsewhere], "quota", mutants) == [
        f"is killed by now: {killed}",
        f"is killed by now: {case}",
        f"no longer exists: {gone}",
    ]


def test_the_share_of_the_killed_leaves_out_the_equivalent_and_nothing_else(mutants: list[Mutant]) -> None:
    group = GROUPS[0]
    assert round(Row(group, mutants, []).percent) == 50
    row = Row(group, mutants, [judged("Quota.lease", "return now + first", "return now - first")])
    assert round(row.percent) == 67
    assert row.cells()[2:] == ("4", "2", "1", "1", "0", "1", "1", "66.7")
    accepted = Judgement("quota", "_lower", "one, other=True):", "one, other=False):", "accepted", "a reason")
    assert round(Row(group, mutants, [accepted]).percent) == 50


def test_a_group_is_set_up_by_a_section_that_toml_reads() -> None:
    import tomllib

    settings = tomllib.loads(settings_of(Group("g", ("a/b.py",), ("c/test_d.py",), ("c/test_d.py::test_e",))))
    assert settings["tool"]["mutmut"]["only_mutate"] == ["harvester/a/b.py"]
    assert settings["tool"]["mutmut"]["pytest_add_cli_args_test_selection"] == ["tests/unit/c/test_d.py"]
    assert "--deselect=tests/unit/c/test_d.py::test_e" in settings["tool"]["mutmut"]["pytest_add_cli_args"]

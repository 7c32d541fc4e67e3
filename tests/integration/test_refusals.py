"""What the command line refuses is one line of ours that names its place, whatever the parser says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.cli.option_rules import read_parameters
from harvester.cli.refusals import UsageError
from tests.integration.options.place import variable_of
from tests.integration.options.table import declared
from tests.support.command import build_tree_once, call

THEIRS = re.compile(
    r"Invalid value|No such|Missing |Input should|unable to|unexpected extra|requires an? |does not take|"
    r"is not a valid|not in the range|is not one of|Did you mean|Possible options|Try |Error:|pydantic|validation"
)
"""Phrases of the parser and of the library that checks its values."""


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("harvest --smaples 3", "'--smaples' is not an option of `harvester harvest`; did you mean --samples?"),
        ("harvest -z", "'-z' is not an option of `harvester harvest`"),
        ("--nonsense", "'--nonsense' is not an option of `harvester`"),
        ("harvest --version", "--version stands before the command: `harvester --version harvest`"),
        ("backups prune --config a", "--config stands before the command: `harvester --config FILE backups prune`"),
        ("harvest --samples", "--samples needs a value: --samples N|all"),
        ("map -o", "-o needs a value: -o OUT"),
        ("harvest --cc0=1", "--cc0 takes no value; write it alone"),
        ("harvest --no-commit=1", "--no-commit takes no value; write it alone"),
        ("show", "ID is missing"),
        ("merge", "A [B…] is missing"),
        ("git-merge a", "THEIRS is missing"),
        ("service", "--print systemd|launchd|cron is missing"),
        ("show 1 2", "'2' is one word too many"),
        ("show 1 2 3", "'2' and what follows are 2 words too many"),
        ("harvets", "'harvets' is not a command of `harvester`; did you mean harvest?"),
        ("git-merg", "'git-merg' is not a command of `harvester`"),
        ("backups lsit", "'lsit' is not a command of `harvester backups`; did you mean list?"),
        ("backups", "a command is missing after `harvester backups`"),
        ("-q", "a command is missing after `harvester`"),
    ],
)
def test_a_line_that_the_parser_cannot_read_is_refused_in_our_words(line: str, told: str, tmp_path: Path) -> None:
    ended = call(*line.split(), cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert re.fullmatch(rf"harvester: {re.escape(told)} \(see `harvester[\w -]* --help`\)\n", ended.err), ended.err
    assert not THEIRS.search(ended.err)


@pytest.mark.parametrize(
    ("command", "setting", "value", "told"),
    [
        ("harvest", "samples", "x", "expected a whole number or all, got 'x'"),
        ("harvest", "max-requests", "x", "expected a whole number, got 'x'"),
        ("harvest", "samples", "-1", "expected a whole number, at least 0 and at most 1000000000, got -1"),
        ("harvest", "max-requests", "9" * 5000, f"expected a whole number, got '{'9' * 40}…'"),
        ("harvest", "concurrency", "65", "expected a whole number, at least 1 and at most 64, got 65"),
        ("link", "min-score", "much", "expected a number, got 'much'"),
        ("link", "min-score", "2", "expected a number, at least 0 and at most 1, got 2.0"),
        ("link", "jobs", "0", "expected 1 or more, or -1 for all cores, got 0"),
        ("sandbox", "sounds", "0", "expected a whole number, at least 1 and at most 1000000, got 0"),
        ("sandbox", "fault", "teapot", "fault rule 'teapot': unknown kind 'teapot'; choose from "),
        ("harvest", "time-limit", "soon", "'soon' is not a duration; write 90, 10s, 5m, 2h or 30d"),
        ("harvest", "limits", "60", "limits are given as BURST/DAY, for example 60/2000, not '60'"),
        ("harvest", "extra-fields", "a b", "'a b' is not the name of a field of the API"),
        ("harvest", "filter", "tag:(rain", "the filter cannot be used: "),
        ("harvest", "api-url", "ftp://x/", "the API address must look like https://freesound.org/apiv2/"),
        ("import", "source", "nowhere", "the API address must look like https://freesound.org/apiv2/"),
        ("harvest", "order", "best", "--order best is not known; choose from popular, breadth, random"),
        ("harvest", "space", "mfcc", "--space mfcc is not known; choose from laion_clap, freesound_classic"),
        ("harvest", "level", "4", "--level 4 is not known; choose from 1, 2, 3, 99"),
        ("service", "print", "upstart", "--print upstart is not known; choose from systemd, launchd, cron"),
    ],
)
def test_a_wrong_value_names_its_option_its_variable_or_its_line(
    command: str, setting: str, value: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["old.pkl"] if command == "import" else []
    given = call(command, f"--{setting}={value}", *arguments, cwd=tmp_path).err
    named = told if told.startswith("--") else f"--{setting}: {told}"
    assert given.startswith(f"harvester: {named}")
    variable = variable_of(command, f"--{setting}")
    monkeypatch.setenv(variable, value)
    assert call(command, *arguments, cwd=tmp_path).err.startswith(f"harvester: {variable}: {told}")
    monkeypatch.delenv(variable)
    number = re.fullmatch(r"-?\d{1,9}", value)
    (tmp_path / "harvester.toml").write_text(f"\n[{command}]\n{setting} = {value if number else json.dumps(value)}\n")
    ended = call(command, *arguments, cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith(f"harvester: harvester.toml:3: [{command}] {setting}: ")
    assert ended.err.count("\n") == 1


KNOWN_KINDS = {
    "BadParameter", "MissingParameter", "NoSuchOption", "BadOptionUsage", "BadArgumentUsage", "NoArgsIsHelpError",
    "NoSuchCommand",
}  # fmt: skip
"""BadArgumentUsage: an argument with a fixed number of values, of which there is none; see below."""


def test_every_kind_of_error_of_the_parser_is_known() -> None:
    def below(kind: Any) -> set[str]:
        return {kind.__name__, *(name for child in kind.__subclasses__() for name in below(child))}

    assert below(UsageError) - {"UsageError"} <= KNOWN_KINDS
    assert {parameter.nargs for parameter in declared().values()} <= {1, -1}


OPTIONS = sorted(
    (command, name)
    for (command, name), parameter in declared().items()
    if command and name.startswith("--") and name in parameter.opts
)
_TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60),
    st.sampled_from(["x", "-1", "0", "1.5", "1e3", "nan", "inf", "9" * 50, "None", "true", "maybe", "a/b", "''"]),
)
_SOURCES = ["option", "environment", "file"]


def _node(command: str) -> Any:
    node: Any = build_tree_once()
    for word in command.split():
        node = node.commands[word]
    return node


_ARGUMENTS = {"show": "1", "find": "a", "export": "jsonl", "merge": "a", "import": "a", "init": "a"}


@settings(max_examples=6 * settings().max_examples)
@given(option=st.sampled_from(OPTIONS), text=_TEXTS, source=st.sampled_from(_SOURCES))
def test_any_text_for_any_option_is_taken_or_refused_with_its_place(
    option: tuple[str, str], text: str, source: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    command, name = option
    parameter, node = declared()[option], _node(command)
    rules = read_parameters(node.callback)[parameter.name]
    folder = tmp_path_factory.getbasetemp()
    if parameter.is_flag and source == "option":
        return  # it takes no value; tested above
    line, place, variables = [*command.split()], name, {}
    if source == "option":
        line.append(f"{name}={text}")
        place = next(one for one in parameter.opts if one.startswith("--"))
    elif source == "environment":
        place = variable_of(command, name)
        variables = {place: text}
    else:
        if " " in command:
            return  # a group has no table
        path = folder / "property.toml"
        path.write_text(f"[{command}]\n{name[2:]} = {json.dumps(text, ensure_ascii=False)}\n", encoding="utf-8")
        place = f"{path}:2: [{command}] {name[2:]}"
        variables = {"HARVESTER_CONFIG": str(path)}
    arguments = {"show": ["1"], "find": ["a"], "export": ["jsonl"], "merge": ["a"], "import": ["a"], "init": ["a"]}.get(
        command, []
    )
    needed = ["--print=cron"] if command == "service" and name != "--print" else []
    with mock.patch.dict("os.environ", variables), mock.patch.object(node, "callback", return_value=None):
        ended = call(*line, *needed, *arguments, cwd=folder)
    assert ended.code in (0, 2)
    if ended.code == 2:
        assert ended.err.count("\n") == 1
        assert ended.err.startswith(f"harvester: {place}: "), ended.err
        assert not THEIRS.search(ended.err.removeprefix(f"harvester: {place}: ").replace(text, "")), ended.err
    elif source == "environment" and not text.split():
        pass  # a list of no words
    elif rules.kind in (int, float) and source != "file":
        for word in text.split() if rules.several and source == "environment" else [text]:
            rules.kind(word)

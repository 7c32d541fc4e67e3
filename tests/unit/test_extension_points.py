"""The names that packages add: what is found in their metadata, what is left out, and what is said about it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import harvester
from harvester.errors import PluginFailed, SettingsError
from harvester.exports import FilesFormat, TextFormat, load_format
from harvester.extension_points import FORMATS, ORDERS
from harvester.pipeline.order import load_order
from tests.support.plugins import write_package

OURS = ["graphml", "gexf", "jsonl", "node-link", "csv", "parquet", "sqlite"]
UNTOUCHABLE = "raise AssertionError('the package was imported')"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    return site


def test_each_of_our_names_has_its_object() -> None:
    assert list(FORMATS.own) == OURS
    assert all(isinstance(load_format(name), TextFormat | FilesFormat) for name in FORMATS.own)
    assert len({id(load_format(name)) for name in FORMATS.own}) == len(OURS)
    assert list(ORDERS.own) == ["popular", "breadth", "random"]
    assert len({load_order(name) for name in ORDERS.own}) == 3


def test_names_are_found_without_an_import_and_follow_ours_in_alphabetical_order(site: Path) -> None:
    write_package(
        site, "found_late", "[harvester.exports]\nzebra = found_late:A\nant = found_late:B\n", code=UNTOUCHABLE
    )
    write_package(site, "found_order", "[harvester.orders]\nnearby = found_order:A\n", code=UNTOUCHABLE)
    assert list(FORMATS) == [*OURS, "ant", "zebra"]
    assert "ant" in FORMATS
    assert list(ORDERS) == ["popular", "breadth", "random", "nearby"]
    assert FORMATS.get("ant").shown == "ant (found_late 1.0)"
    assert FORMATS.find().problems == []
    assert "found_late" not in sys.modules


def test_an_unknown_name_is_refused_with_all_names(site: Path) -> None:
    write_package(site, "adds_ant", "[harvester.exports]\nant = adds_ant:A\n")
    with pytest.raises(SettingsError) as refused:
        FORMATS.get("bee")
    assert str(refused.value) == f"'bee' is not a format; use {', '.join(OURS)}, ant, credits or dataset"
    with pytest.raises(SettingsError) as refused:
        ORDERS.get("bee")
    assert str(refused.value) == "'bee' is not an order; use popular, breadth or random"


@pytest.mark.parametrize("name", ["csv", "credits"])
def test_a_name_of_ours_cannot_be_taken(site: Path, name: str) -> None:
    write_package(site, "takes_ours", f"[harvester.exports]\n{name} = takes_ours:A\n", code=UNTOUCHABLE)
    assert list(FORMATS) == OURS
    assert FORMATS.find().problems == [
        f"the format '{name}' of takes_ours 1.0 is left out: harvester has one of this name"
    ]


@pytest.mark.parametrize("name", ["Ant", "an ant", "ant|bee", "ant,bee", "ant\x1b[2J", "-ant", "ä", "a" * 41])
def test_a_name_that_a_command_line_cannot_take_is_left_out(site: Path, name: str) -> None:
    write_package(site, "odd_name", f"[harvester.orders]\n{name} = odd_name:A\n", code=UNTOUCHABLE)
    assert list(ORDERS) == ["popular", "breadth", "random"]
    (line,) = ORDERS.find().problems
    assert line.endswith("of odd_name 1.0 is left out: a name has small letters, digits, - and _ only")


def test_a_name_of_two_packages_is_left_out_with_a_line_that_names_both(site: Path) -> None:
    write_package(site, "one_ant", "[harvester.exports]\nant = one_ant:A\nbee = one_ant:A\n")
    write_package(site, "two_ants", "[harvester.exports]\nant = two_ants:A\n")
    found = FORMATS.find()
    assert list(found.extensions) == [*OURS, "bee"]
    assert found.problems == [
        "the format 'ant' is left out: it is in one_ant 1.0 and two_ants 1.0, and only one may have this name"
    ]


def test_an_error_for_a_name_that_is_left_out_says_why(site: Path) -> None:
    write_package(site, "one_ant", "[harvester.exports]\nant = one_ant:A\n[harvester.orders]\nAnt = one_ant:A\n")
    write_package(site, "two_ants", "[harvester.exports]\nant = two_ants:A\n")
    both = "the format 'ant' is left out: it is in one_ant 1.0 and two_ants 1.0, and only one may have this name"
    with pytest.raises(SettingsError) as refused:
        harvester.export("ant")
    assert str(refused.value) == f"{both}; use {', '.join(OURS)}, credits or dataset"
    with pytest.raises(SettingsError) as refused:
        harvester.run_harvest(order="Ant")
    assert str(refused.value) == (
        "the order 'Ant' of one_ant 1.0 is left out: a name has small letters, digits, - and _ only; "
        "choose from popular, breadth, random"
    )


def test_a_package_that_cannot_be_read_is_listed_once(site: Path) -> None:
    write_package(site, "malformed", "[harvester.exports]\nno equals sign\n")
    (row,) = harvester.plugins()
    assert (row.kind, row.name, row.package) == ("package", "", "malformed")
    assert row.problem.startswith("its entry points cannot be read (")


def test_a_plugin_whose_help_cannot_be_read_is_listed_with_that_problem(site: Path) -> None:
    code = "class Odd:\n    __doc__ = 5\n    def __call__(self, graph, random_seed):\n        ...\nA = Odd()\n"
    write_package(site, "odd_help", "[harvester.orders]\nant = odd_help:A\n", code=code)
    (row,) = harvester.plugins()
    assert (row.kind, row.name, row.help) == ("order", "ant", "")
    assert row.problem == "its help cannot be read: a value has another kind than expected"


def test_a_malformed_package_is_named_and_hides_no_other(site: Path) -> None:
    write_package(site, "malformed", "[harvester.exports]\nno equals sign\n")
    write_package(site, "well_formed", "[harvester.exports]\nant = well_formed:A\n")
    found = FORMATS.find()
    assert list(found.extensions) == [*OURS, "ant"]
    (line,) = found.problems
    assert line.startswith("malformed: its entry points cannot be read (")
    assert line.endswith("it adds nothing")


def test_a_package_without_a_name_still_adds_its_format(site: Path) -> None:
    write_package(site, "nameless", "[harvester.exports]\nant = nameless:A\n", metadata="")
    assert list(FORMATS) == [*OURS, "ant"]
    with pytest.raises(PluginFailed, match=r"the format 'ant' of .+ cannot be imported: nameless has no A;"):
        load_format("ant")


def test_a_package_cannot_write_control_characters_into_the_help(site: Path) -> None:
    metadata = "Metadata-Version: 2.1\nName: evil\x1b[2J\nVersion: 1.0\n"
    write_package(site, "evil", "[harvester.exports]\nant = evil:A\n", metadata=metadata)
    assert FORMATS.get("ant").shown == "ant (evil\\x1b[2J 1.0)"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_package_at_all", "the package no_such_package_at_all is not installed, "),
        ("A = 1 +", "its code is not Python that this version can read, "),
        ("raise SystemExit('away')", ": away, "),
        ("raise RecursionError", "its values are nested too deeply, "),
        ("B = 1", "cannot_load has no A; nothing was changed"),
    ],
)
def test_an_import_that_fails_is_one_line_with_the_package(
    site: Path, monkeypatch: pytest.MonkeyPatch, code: str, problem: str
) -> None:
    monkeypatch.delitem(sys.modules, "cannot_load", raising=False)
    write_package(site, "cannot_load", "[harvester.orders]\nant = cannot_load:A\n", code=code)
    with pytest.raises(PluginFailed) as failed:
        load_order("ant")
    assert str(failed.value).startswith("the order 'ant' of cannot_load 1.0 cannot be imported: ")
    assert problem in str(failed.value)
    assert "Error" not in str(failed.value)
    assert ("/cannot_load.py:1; nothing was changed" in str(failed.value)) == problem.endswith(", ")
    assert str(failed.value).endswith("or use popular, breadth, random")


def test_an_error_whose_text_cannot_be_read_has_words_of_ours(site: Path) -> None:
    code = "class Odd(Exception):\n    def __str__(self):\n        raise ValueError\nraise Odd"
    write_package(site, "odd_error", "[harvester.orders]\nant = odd_error:A\n", code=code)
    with pytest.raises(PluginFailed, match="cannot be imported: it failed in an unexpected way, "):
        load_order("ant")

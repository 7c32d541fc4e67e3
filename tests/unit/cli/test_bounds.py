"""Every option with bounds: the command line and the Python API refuse the same values, before anything happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import harvester
from harvester.cli import _functions
from harvester.cli.option_rules import Option, read_parameters
from harvester.errors import SettingsError
from tests.support.command import call


def _serve(**options: Any) -> None:
    async def serve() -> None:
        async with harvester.serve_sandbox(**options):
            pass

    asyncio.run(serve())


def _verify(**options: Any) -> object:
    return harvester.verify_links(**options) if "verify" in options else harvester.link(**options)


CALLS: dict[str, tuple[Callable[..., object], dict[str, Any], str]] = {
    "harvest": (harvester.run_harvest, {}, ""),
    "plan": (harvester.run_plan, {}, ""),
    "refresh": (harvester.run_refresh, {}, ""),
    "link": (_verify, {}, ""),
    "history": (harvester.history, {}, ""),
    "find": (harvester.find, {"text": "rain"}, "rain"),
    "export": (harvester.export, {"format": "parquet", "path": "out"}, "parquet -o out"),
    "map": (harvester.draw_map, {}, ""),
    "browse": (harvester.browse, {}, ""),
    "analyse": (harvester.analyse, {}, ""),
    "relate": (harvester.relate, {}, ""),
    "previews": (harvester.fetch_previews, {}, ""),
    "sql": (harvester.sql, {"statement": "SELECT 1"}, "SELECT/**/1"),
    "check": (harvester.check, {}, ""),
    "backups prune": (harvester.prune_backups, {}, ""),
    "sandbox": (_serve, {}, ""),
}
"""The function of each command with a bounded option, what it needs, and what the command line needs."""

ELSEWHERE: dict[tuple[str, str], tuple[Callable[..., object], dict[str, Any], str]] = {
    ("link", "random_seed"): (harvester.verify_links, {"verify": 1}, ""),
    ("map", "dpi"): (harvester.draw_picture, {"path": "map.png"}, "--static map.png"),
}
"""Options that belong to another function than the command's first."""


def _bounded() -> list[tuple[str, Option]]:
    found = []
    for command, function in _functions().items():
        options = read_parameters(function).values() if command else ()
        found += [(command, one) for one in options if one.least is not None]
    return found


BOUNDED = _bounded()


def test_each_command_with_bounds_has_its_function() -> None:
    assert {command for command, _ in BOUNDED} == CALLS.keys()
    assert len(BOUNDED) > 30


@pytest.mark.parametrize(("command", "option"), BOUNDED, ids=[f"{command} {one.name}" for command, one in BOUNDED])
def test_what_is_out_of_bounds_is_refused_by_both(
    command: str, option: Option, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    function, needed, line = ELSEWHERE.get((command, option.name), CALLS[command])
    assert option.least is not None
    assert option.most is not None
    step = 0.001 if option.kind is float else 1
    beyond = [option.least - step, option.most + step, -(10**12), 10**20]
    if option.kind is float:
        beyond += [float("nan"), float("inf")]
    for value in beyond:
        with pytest.raises(SettingsError) as caught:
            function(**needed, **{option.name: value})
        assert option.name in str(caught.value)
        name = f"--{option.name.replace('_', '-')}={value}"
        ended = call(*command.split(), *line.split(), name, cwd=folder)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"harvester: {name.partition('=')[0]}: ")
        assert ended.err.count("\n") == 1


DURATIONS = [
    ({"min_duration": "10s", "max_duration": 5}, "min_duration is 10 and max_duration is 5"),
    ({"min_duration": 1.5, "max_duration": "1s"}, "min_duration is 1.5 and max_duration is 1"),
]


@pytest.mark.parametrize(("options", "told"), DURATIONS)
@pytest.mark.parametrize("command", ["export jsonl", "map"])
def test_a_least_value_above_the_most_is_refused(
    options: dict[str, Any], told: str, command: str, tmp_path: Path
) -> None:
    function = harvester.draw_map if command == "map" else lambda **given: harvester.export("jsonl", **given)
    with pytest.raises(SettingsError, match=told):
        function(**options)
    line = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    ended = call(*command.split(), *line, cwd=tmp_path)
    assert ended.code == 2
    assert told.replace("min_duration", "--min-duration").replace("max_duration", "--max-duration") in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("duration:[10 TO 1]", "the range of 'duration' ends before it begins; write [1 TO 10]"),
        ("created:[2016 TO 2015-03]", "the range of 'created' ends before it begins; write [2015-03 TO 2016]"),
        ("tag:rain OR -created:[2999 TO *]", "'created' is in the future: today is 2"),
        ("created:2999-01-01", "'created' is in the future: today is 2"),
    ],
)
def test_a_range_of_a_filter_that_holds_nothing_is_refused(text: str, told: str, tmp_path: Path) -> None:
    for run in (harvester.run_harvest, harvester.run_plan):
        with pytest.raises(SettingsError) as caught:
            run(tmp_path / "new", filter=text, sandbox=True)
        assert told in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["duration:[1 TO 1]", "created:[2015 TO 2015]", "created:[* TO NOW]", "created:2015"])
def test_a_range_that_may_hold_something_is_taken(text: str) -> None:
    from harvester.clock import SystemClock
    from harvester.filters import refuse_impossible

    refuse_impossible(text, SystemClock().time_us())


@pytest.mark.parametrize("rule", ["500@from=5@to=2", "500@after=9@until=3"])
def test_a_fault_that_ends_before_it_begins_is_refused(rule: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=" is before "):
        _serve(fault=rule)
    assert call("sandbox", "--fault", rule, cwd=tmp_path).code == 2

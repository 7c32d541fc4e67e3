"""The functions take what the commands take, and errors name what the caller typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from harvester import actions
from harvester.actions.events import Reporter
from harvester.actions.keywords import check_number
from harvester.actions.options import (
    check_choice,
    check_seconds,
    check_sounds,
    check_texts,
    keywords_named,
    read_connection,
)
from harvester.cli.commands import harvest as harvest_command
from harvester.cli.commands import plan as plan_command
from harvester.cli.commands import refresh as refresh_command
from harvester.errors import LibraryCorrupt, SettingsError
from harvester.settings import SCORE

ONLY_TERMINAL = {"progress", "as_json", "commit", "commit_backups"}
"""How a run is shown, and the commit after it."""
ONLY_PYTHON = {"key", "verbose", "log_json", "on_progress", "stop"}
"""The environment, `-v`, the display and signals are these for the command line."""


@pytest.mark.parametrize(
    ("function", "command"),
    [
        (actions.harvest, harvest_command.harvest),
        (actions.refresh, refresh_command.refresh),
        (actions.plan, plan_command.plan),
    ],
)
def test_a_function_has_the_options_of_its_command_with_the_same_defaults(
    function: Callable[..., Any], command: Callable[..., Any]
) -> None:
    keywords = {name: one.default for name, one in inspect.signature(function).parameters.items()}
    options = {name: one.default for name, one in inspect.signature(command).parameters.items()}
    assert {name: value for name, value in keywords.items() if name not in ONLY_PYTHON} == {
        name: value for name, value in options.items() if name not in ONLY_TERMINAL
    }


@pytest.mark.parametrize(
    ("blocking", "function"),
    [(actions.run_harvest, actions.harvest), (actions.run_refresh, actions.refresh), (actions.run_plan, actions.plan)],
)
def test_a_blocking_function_has_the_signature_of_its_coroutine_and_a_help_of_its_own(
    blocking: Callable[..., Any], function: Callable[..., Any]
) -> None:
    assert inspect.signature(blocking) == inspect.signature(function)
    assert not inspect.iscoroutinefunction(blocking)
    assert blocking.__name__ == f"run_{function.__name__}"
    assert (inspect.getdoc(blocking) or "").startswith(f"Block until `{function.__name__}` has ended")
    assert (inspect.getdoc(blocking) or "").endswith((inspect.getdoc(function) or "")[-80:])


def action(max_duration: int, library: str) -> None: ...


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("--max-duration is too long; choose another --library", "max_duration is too long; choose another library"),
        ("see `harvester x --max-duration 3`, or --library", "see `harvester x --max-duration 3`, or library"),
        ("--unknown and a -- b --max-durations", "--unknown and a -- b --max-durations"),
    ],
)
@pytest.mark.parametrize("kind", [SettingsError, LibraryCorrupt])
def test_an_error_names_the_keywords_of_the_function_and_keeps_its_text_for_the_command_line(
    kind: type[SettingsError | LibraryCorrupt], said: str, shown: str
) -> None:
    with pytest.raises(kind) as caught, keywords_named(print), keywords_named(action):
        raise kind(said)
    assert (str(caught.value), caught.value.command_line) == (shown, said)


def test_one_or_several_are_given_as_they_come() -> None:
    assert [check_texts("--tag", value) for value in (None, "rain", ["a", "b"], ())] == [(), ("rain",), ("a", "b"), ()]
    assert [check_sounds("--seed", value) for value in (None, 5, [5, 7, 5], {3})] == [(), (5,), (5, 7), (3,)]
    assert [check_seconds("--time-limit", value) for value in ("2h", 90, 0.5)] == [7_200, 90, 0.5]


@pytest.mark.parametrize("number", [np.int64(1), np.float32(1), np.float64(1), 1, 1.0])
def test_numbers_of_numpy_are_numbers(number: Any) -> None:
    assert repr(check_seconds("--time-limit", number)) == "1.0"
    assert repr(check_number("--min-score", number, SCORE)) == "1.0"


@pytest.mark.parametrize("odd", [True, np.True_, None, 10**400, np.float32("nan"), Decimal(1), 1j, [1]])
def test_what_is_no_number_is_refused(odd: Any) -> None:
    with pytest.raises(SettingsError, match="--time-limit"):
        check_seconds("--time-limit", odd)
    with pytest.raises(SettingsError, match="--min-score"):
        check_number("--min-score", odd, SCORE)


def test_what_a_traceback_with_local_variables_shows_of_a_connection_has_no_key() -> None:
    connection = read_connection(
        Reporter(None), key="SecretSecretSecret", level=1, limits=None, api_url=None, sandbox=False
    )
    assert connection.key == "SecretSecretSecret"
    assert "Secret" not in repr(connection)


def test_a_choice_names_what_there_is() -> None:
    assert check_choice("--level", 1, {1: "", 99: ""}) == 1
    assert check_choice("--order", "b", ["a", "b"]) == "b"
    with pytest.raises(SettingsError) as caught:
        check_choice("--level", 4, {1: "", 99: ""})
    assert str(caught.value) == "--level 4 is not known; choose from 1, 99"

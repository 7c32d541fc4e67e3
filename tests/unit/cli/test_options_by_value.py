"""Every option as a literal table (default, bounds, names), and the rules about several of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_type_hints

import pytest
import typer

from harvester.actions import Connection, Reporter, read_connection
from harvester.actions.options import check_seconds
from harvester.actions.scope_options import Wanted, read_scope
from harvester.cli.completion import completing
from harvester.cli.console import print_event
from harvester.cli.options import (
    JobsOption,
    NeighboursOption,
    RunOptions,
    SamplesOption,
    ScopeOptions,
    ServerOptions,
    _check_address,
    _check_fields,
    _check_filter,
    _check_jobs,
    _check_limits,
    _check_packs,
    _complete_type,
    bounded,
    check_duration,
    check_finite,
    check_ids,
    check_some_duration,
    grouped,
    read_samples,
)
from harvester.errors import SettingsError
from harvester.freesound import LEVELS, Limits
from harvester.model import LARGEST_ID
from harvester.settings import Bounds

MOST = 1_000_000_000


def rows_of(group: type) -> list[tuple[Any, ...]]:
    """Each option of a group: its name, default, names on the command line, least, most and placeholder."""
    hints = get_type_hints(group, include_extras=True)
    return [(field.name, field.default, *figures(hints[field.name])) for field in fields(group)]


def figures(annotation: Any) -> tuple[Any, ...]:
    info = get_args(annotation)[1]
    # In an annotation Typer has the first name where a default would be.
    names = tuple(name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str))
    return (names, info.min, info.max, info.metavar)


SERVER = [
    ("level", 1, (), None, None, "1|2|3|99"),
    ("limits", None, (), None, None, "BURST/DAY"),
    ("api_url", None, (), None, None, "URL"),
    ("sandbox", False, ("--sandbox",), None, None, None),
]


def test_the_options_of_the_scope() -> None:
    assert rows_of(ScopeOptions) == [
        ("seed", None, (), None, None, "ID"),
        ("query", "", (), None, None, "TEXT"),
        ("filter", "", (), None, None, "SOLR"),
        ("cc0", False, ("--cc0",), None, None, None),
        ("by", False, ("--by",), None, None, None),
        ("max_duration", None, (), None, None, "10s"),
        ("tag", None, (), None, None, "TAG"),
        ("type", None, (), None, None, "wav"),
        ("ids", None, (), None, None, "FILE"),
        ("column", "", (), None, None, "NAME"),
        ("user", None, (), None, None, "NAME"),
        ("pack", None, (), None, None, "ID"),
        ("sweep", False, ("--sweep",), None, None, None),
        ("vectors", None, (), None, None, "laion_clap|freesound_classic"),
        ("i_have_permission", False, ("--i-have-permission",), None, None, None),
    ]


def test_the_options_of_server_and_run() -> None:
    assert rows_of(ServerOptions) == SERVER
    assert rows_of(RunOptions) == [
        *SERVER,
        ("concurrency", 4, (), 1, 64, "N"),
        ("max_requests", None, (), 1, MOST, "N"),
        ("time_limit", None, (), None, None, "2h"),
        ("forever", False, ("--forever",), None, None, None),
        ("extra_fields", "", (), None, None, "bpm,loudness"),
        ("backup_every", 100, (), 1, MOST, "N"),
        ("keep_backups", 5, (), 1, MOST, "N"),
        ("progress", None, ("--progress/--no-progress",), None, None, None),
        ("commit", None, ("--commit/--no-commit",), None, None, None),
        ("commit_backups", False, ("--commit-backups",), None, None, None),
    ]


def test_options_of_several_commands() -> None:
    assert figures(JobsOption) == ((), -1, 64, "N")
    assert figures(NeighboursOption) == ((), 1, 150, "N")
    assert figures(SamplesOption) == ((), None, None, "N|all")
    assert [read_samples(text) for text in (None, "all", "0", str(MOST))] == [None, "all", 0, MOST]
    for text in (str(MOST + 1), "-1", "All", "", "1.0", "\u0661", "9" * 5_000):
        with pytest.raises(
            SettingsError, match=r"expected a whole number( or all|, at least 0 and at most 1000000000), got "
        ):
            read_samples(text)


def test_an_option_with_bounds_has_its_names_its_help_and_what_else_is_said() -> None:
    option = bounded(Bounds(2, 9), "Do N things.", "--things", "-t", show_default="all")
    assert (option.default, option.param_decls) == ("--things", ("-t",))
    assert (option.min, option.max, option.metavar, option.help, option.show_default) == (
        2, 9, "N", "Do N things.", "all",
    )  # fmt: skip
    assert bounded(Bounds(2, 9), "", metavar="S").metavar == "S"


@pytest.mark.parametrize(
    ("begun", "names"),
    [("", ["one", "two  2", "three"]), ("t", ["two  2", "three"]), ("x", []), ("two  2", ["two  2"])],
)
def test_a_shell_completes_the_values_of_an_option(begun: str, names: list[str]) -> None:
    assert completing("one|two  2|three")(begun) == names


# --- one option ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, 1, [1, 2], (3,), [], LARGEST_ID])
def test_ids_are_taken_as_they_are_given(given: Any) -> None:
    assert check_ids(given) is given


@pytest.mark.parametrize(("given", "shown"), [(0, "0"), ([5, -1], "-1"), ((10**50,), "1" + "0" * 39)])
def test_what_is_no_id_is_refused_by_its_first_forty_digits(given: Any, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check_ids(given)
    assert str(caught.value) == f"{shown} is not a sound's id: ids are whole numbers from 1 to {LARGEST_ID}"


def test_ids_of_packs_are_checked_too() -> None:
    assert [_check_packs(given) for given in (None, [], [7, LARGEST_ID])] == [None, [], [7, LARGEST_ID]]
    with pytest.raises(SettingsError) as caught:
        _check_packs([7, 0])
    assert str(caught.value) == f"0 is not a pack's id: ids are whole numbers from 1 to {LARGEST_ID}"


@pytest.mark.parametrize(
    ("check", "good", "empty", "bad", "told"),
    [
        (_check_limits, "60/2000", None, "many", "'many'"), (_check_filter, "tag:rain", "", "tag:(", "is not closed"),
        (_check_fields, "bpm,loudness", "", "no such field", "no such"),
    ],
)  # fmt: skip
def test_limits_fields_and_filters_are_checked_where_they_are_read(
    check: Callable[[Any, Any], Any], good: str, empty: str | None, bad: str, told: str
) -> None:
    assert [check(None, given) for given in (good, empty)] == [good, empty]
    with pytest.raises(SettingsError) as caught:
        check(None, bad)
    assert told in str(caught.value)


@pytest.mark.parametrize(("text", "shown"), [("x" * 40, "x" * 40), ("x" * 41, "x" * 40 + "…"), ("All", "All")])
def test_what_is_no_number_of_samples_is_shown_by_its_first_forty_characters(text: str, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_samples(text)
    assert str(caught.value) == f"expected a whole number or all, got '{shown}'"


def test_a_shell_completes_types_of_files() -> None:
    assert _complete_type("w") == ["wav"]
    assert _complete_type("") == ["wav", "aiff", "flac", "mp3", "ogg", "m4a"]


def test_durations_are_checked_and_left_as_text() -> None:
    for check in (check_duration, check_some_duration):
        assert check(None) is None
        assert [check(text) for text in ("90", "10s", "0.5s")] == ["90", "10s", "0.5s"]
        with pytest.raises(SettingsError):
            check("soon")
    assert check_duration("0s") == "0s"
    with pytest.raises(SettingsError) as caught:
        check_some_duration("0s")
    assert str(caught.value) == "'0s' must be longer than zero; write 90, 10s, 5m, 2h or 30d"


def test_a_number_is_finite_and_jobs_are_not_none() -> None:
    assert [check_finite(number) for number in (None, 0.0, -1.5)] == [None, 0.0, -1.5]
    for number in (float("nan"), float("inf")):
        with pytest.raises(SettingsError) as caught:
            check_finite(number)
        assert str(caught.value) == f"{number} is not a number"
    assert [_check_jobs(jobs) for jobs in (-1, 1, 8)] == [-1, 1, 8]
    with pytest.raises(SettingsError) as caught:
        _check_jobs(0)
    assert str(caught.value) == "expected 1 or more, or -1 for all cores, got 0"


@pytest.mark.parametrize(
    ("source", "sandbox", "checked"),
    [("DEFAULT_MAP", False, ["harvest"]), ("DEFAULT_MAP", True, []), ("COMMANDLINE", False, []), (None, False, [])],
)
def test_only_an_address_from_a_settings_file_is_checked(source: str | None, sandbox: bool, checked: list[str]) -> None:
    asked: list[str] = []
    names: list[str] = []

    def source_of(name: str) -> Any:
        names.append(name)
        return None if source is None else SimpleNamespace(name=source)

    context: Any = SimpleNamespace(
        get_parameter_source=source_of,
        params={"sandbox": sandbox},
        obj=SimpleNamespace(check_address=asked.append),
        info_name="harvest",
    )
    assert _check_address(context, "https://a.b/") == "https://a.b/"
    assert (asked, names) == (checked, ["api_url"])


def test_an_address_on_the_command_line_is_checked_and_none_is_none() -> None:
    context: Any = SimpleNamespace(
        get_parameter_source=lambda _: SimpleNamespace(name="COMMANDLINE"), params={}, obj=None, info_name="harvest"
    )
    assert _check_address(context, None) is None
    with pytest.raises(
        SettingsError, match=r"^the API address must look like https://freesound\.org/apiv2/, not 'ftp://a\.b/'$"
    ):
        _check_address(context, "ftp://a.b/")


# --- several options -------------------------------------------------------------------------------------------------


def scope_of(**options: Any) -> Wanted:
    """Read the options of the scope as `harvest` and `plan` do."""
    return read_scope(Reporter(print_event), **ScopeOptions(**options).keywords())


@pytest.mark.parametrize(
    ("options", "filter"),
    [
        ({}, ""), ({"filter": "tag:rain"}, "tag:rain"), ({"cc0": True}, 'license:"Creative Commons 0"'),
        ({"by": True}, "license:Attribution"), ({"tag": ["a", "b"]}, "tag:a tag:b"), ({"type": ["wav"]}, 'type:"wav"'),
        ({"max_duration": "10s"}, "duration:[0 TO 10]"), ({"query": "rain", "sweep": True}, ""),
        ({"filter": "tag:rain", "sweep": True, "vectors": "laion_clap"}, "tag:rain"),
    ],
)  # fmt: skip
def test_the_options_of_the_scope_make_one_filter(options: dict[str, Any], filter: str) -> None:
    from harvester.filters import build_filter

    read = scope_of(**options).filter
    alone = build_filter(
        options.get("filter", ""),
        cc0=options.get("cc0", False),
        by=options.get("by", False),
        max_duration_s=10 if "max_duration" in options else None,
        tags=tuple(options.get("tag", ())),
        types=tuple(options.get("type", ())),
    ).text
    assert read == alone
    assert bool(read) == bool(filter)
    if list(options) in (["filter"], ["cc0"], ["type"]):
        assert read == filter


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sweep": True}, "--sweep needs --query or --filter: the API's terms do not allow a copy of all of Freesound"),
        ({"sweep": True, "query": "x", "seed": [1]}, "--sweep takes every hit of a search; leave out --seed"),
        ({"vectors": "laion_clap"}, "--vectors needs --sweep and --query or --filter"),
        ({"vectors": "x", "sweep": True, "query": "x"},
         "--vectors x is not known; choose from laion_clap, freesound_classic"),
        ({"vectors": "", "query": "x"}, "--vectors  is not known; choose from laion_clap, freesound_classic"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        scope_of(**options)
    assert str(caught.value) == message


def test_a_part_of_a_filter_without_effect_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    scope_of(filter="tag:a OR type:wav AND tag:c")
    assert "in the filter, `tag:a` has no effect beside `type:wav tag:c`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "given", "forever", "samples"),
    [
        ({}, None, False, 50), ({}, None, True, None), ({"sweep": True, "query": "x"}, None, False, None),
        ({}, 7, True, 7), ({"sweep": True, "query": "x", "vectors": "laion_clap"}, None, True, 0),
        ({"sweep": True, "query": "x", "vectors": "laion_clap"}, 3, False, 3),
        ({}, 0, False, 0), ({"ids": "x"}, None, True, 0), ({"user": ["x"]}, None, False, 0),
        ({"pack": [5]}, "all", False, None),
    ],
)  # fmt: skip
def test_how_many_sounds_a_run_processes(
    options: dict[str, Any], given: int | str | None, forever: bool, samples: int | None
) -> None:
    assert scope_of(**options).target(given, forever=forever) == samples
    if not forever:
        assert scope_of(**options).target(given) == samples


REAL = "https://freesound.org/apiv2/"


def connection_of(**options: Any) -> Connection:
    """Read the options of the server as a command does."""
    return read_connection(Reporter(print_event), key=None, **ServerOptions(**options).keywords())


@pytest.mark.parametrize(
    ("key", "options", "api_url"),
    [
        ("k", {}, REAL), ("", {}, None), ("", {"api_url": "http://localhost/"}, "http://localhost/"),
        ("k", {"api_url": "http://localhost/"}, "http://localhost/"), ("k", {"sandbox": True}, None),
        ("k", {"sandbox": True, "api_url": "http://localhost/"}, None), ("", {"sandbox": True}, None),
    ],
)  # fmt: skip
def test_the_server_is_freesound_with_a_key_and_the_sandbox_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str, options: dict[str, Any], api_url: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREESOUND_API_KEY", key)
    wanted = Connection(key or None, api_url, LEVELS[1], sandbox=options.get("sandbox", False))
    assert connection_of(**options) == wanted


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({"level": 2}, Limits(300, 5_000)), ({"level": 3}, Limits(300, 15_000)), ({"level": 99}, Limits(None, None)),
        ({"level": 3, "limits": "7/8"}, Limits(7, 8)),
    ],
)  # fmt: skip
def test_limits_go_before_the_level(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, options: dict[str, Any], limits: Limits
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FREESOUND_API_KEY", raising=False)
    assert connection_of(**options).limits == limits
    with pytest.raises(SettingsError, match="--level 4 is not known"):
        connection_of(level=4)


@pytest.mark.parametrize(("key", "sandbox", "told"), [("", False, True), ("", True, False), ("k", False, False)])
def test_a_line_that_is_almost_a_key_is_told_where_a_key_is_missing(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    key: str,
    sandbox: bool,
    told: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREESOUND_API_KEY", key)
    (tmp_path / ".env").write_text("FREESOUND_KEY=abcdefghijklmnopqrstuvwxyz0123456789abcd\n")
    connection_of(sandbox=sandbox)
    assert ("not read as FREESOUND_API_KEY" in capsys.readouterr().err) is told


def test_a_run_adds_its_own_options_to_the_connection(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FREESOUND_API_KEY", "k")

    def connection(**options: Any) -> Connection:
        given = RunOptions(**options).keywords()
        names = ("level", "limits", "api_url", "sandbox", "max_requests", "extra_fields", "forever")
        return read_connection(Reporter(print_event), key=None, **{name: given[name] for name in names})

    given = {"max_requests": 7, "forever": True, "extra_fields": "bpm,loudness", "level": 2}
    assert connection(**given) == Connection("k", REAL, LEVELS[2], 7, ("bpm", "loudness"), True)
    assert connection() == Connection("k", REAL, LEVELS[1])


@pytest.mark.parametrize(("text", "seconds"), [("2h", 7_200), ("90", 90)])
def test_a_time_limit_is_read_in_seconds(text: str, seconds: float) -> None:
    assert check_seconds("--time-limit", text) == seconds


@pytest.mark.parametrize(("progress", "terminal", "shown"), [(None, True, True), (None, False, False),
                                                             (True, False, True), (False, True, False)])  # fmt: skip
def test_the_panel_is_for_terminals_unless_the_user_says_otherwise(
    monkeypatch: pytest.MonkeyPatch, progress: bool | None, terminal: bool, shown: bool
) -> None:
    monkeypatch.setattr("sys.stderr", SimpleNamespace(isatty=lambda: terminal))
    assert RunOptions(progress=progress).shows_panel is shown


# --- groups ----------------------------------------------------------------------------------------------------------


def commanded() -> tuple[Callable[..., None], list[tuple[Any, ...]]]:
    called: list[tuple[Any, ...]] = []

    def command(
        library: Path,
        scope: ScopeOptions,
        server: ServerOptions,
        dry: Annotated[bool, typer.Option("--dry")] = False,
    ) -> None:
        """Do something."""
        called.append((library, scope, server, dry))

    return grouped(command), called


def test_a_group_is_its_fields_on_the_command_line() -> None:
    command, _ = commanded()
    names = [field.name for group in (ScopeOptions, ServerOptions) for field in fields(group)]
    parameters = inspect.signature(command).parameters
    assert list(parameters) == ["library", *names, "dry"]
    assert (parameters["library"].annotation, parameters["library"].default) == (Path, inspect.Parameter.empty)
    assert (parameters["level"].default, parameters["query"].default, parameters["dry"].default) == (1, "", False)
    assert figures(parameters["level"].annotation)[3] == "1|2|3|99"
    assert figures(parameters["dry"].annotation)[0] == ("--dry",)
    assert command.__annotations__ == {name: one.annotation for name, one in parameters.items()}
    assert (command.__name__, command.__doc__) == ("command", "Do something.")


def test_a_command_gets_its_groups_from_what_was_given() -> None:
    command, called = commanded()
    command(Path("x"), query="rain", level=2, dry=True)
    command(Path("y"))
    assert called == [
        (Path("x"), ScopeOptions(query="rain"), ServerOptions(level=2), True),
        (Path("y"), ScopeOptions(), ServerOptions(), False),
    ]
    with pytest.raises(TypeError):
        command(Path("x"), unknown=1)

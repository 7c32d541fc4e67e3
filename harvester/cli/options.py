"""Define options that commands share: sounds, server, limits, run.

A group is a dataclass; `grouped` lets a command take it as one parameter and gives the command line its fields. A rule
about several options of a group is a method of the group.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from harvester.cli.completion import complete_tag, complete_user, completing
from harvester.cli.terminal import can_redraw
from harvester.errors import SettingsError
from harvester.model import LARGEST_ID, is_sound_id
from harvester.settings import (
    CONCURRENCY,
    COUNT,
    COUNT_FROM_ZERO,
    JOBS,
    NEIGHBOURS,
    Bounds,
    check_scheduler,
    parse_duration_s,
    parse_size_bytes,
)

REAL_API = "https://freesound.org/apiv2/"


SPACE_NAMES, _LEVELS = "laion_clap|freesound_classic", "1|2|3|99"


def _complete_type(incomplete: str) -> list[str]:
    """Return the types of files."""
    from harvester.records import FILE_TYPES

    return completing(lambda: FILE_TYPES)(incomplete)


def check_ids(given: int | Sequence[int] | None) -> Any:
    """Return ids; raise `SettingsError` for a number that is no id."""
    return _check_ids_of("a sound", given)


def _check_packs(given: list[int] | None) -> Any:
    """Return ids of packs; raise `SettingsError` for a number that is none."""
    return _check_ids_of("a pack", given)


def _check_ids_of(what: str, given: int | Sequence[int] | None) -> Any:
    for sound_id in given if isinstance(given, list | tuple) else [given] if given is not None else ():
        if not is_sound_id(sound_id):
            raise SettingsError(
                f"{str(sound_id)[:40]} is not {what}'s id: ids are whole numbers from 1 to {LARGEST_ID}"
            )
    return given


def check_duration(text: str | None) -> str | None:
    """Return a duration; raise `SettingsError` for a text that is none."""
    if text is not None:
        parse_duration_s(text)
    return text


def check_some_duration(text: str | None) -> str | None:
    """Return a duration; raise `SettingsError` unless it is above zero."""
    if text is not None and parse_duration_s(text) <= 0:
        raise SettingsError(f"'{text}' must be longer than zero; write 90, 10s, 5m, 2h or 30d")
    return text


def check_size(text: str) -> str:
    """Return a size; raise `SettingsError` for a text that is none."""
    parse_size_bytes(text)
    return text


def check_finite(number: float | None) -> float | None:
    """Return a number; raise `SettingsError` for NaN, which Typer accepts."""
    if number is not None and not math.isfinite(number):
        raise SettingsError(f"{number} is not a number")
    return number


def bounded(bounds: Bounds, help: str, *names: str, metavar: str | None = "N", **more: Any) -> Any:
    """Return the Typer option of a number within `bounds`."""
    return typer.Option(*names, min=bounds.least, max=bounds.most, metavar=metavar, help=help, **more)


def _check_jobs(jobs: int) -> int:
    """Return a number of jobs; raise `SettingsError` for zero."""
    if jobs == 0:
        raise SettingsError("expected 1 or more, or -1 for all cores, got 0")
    return jobs


def _check_scheduler(address: str | None) -> str | None:
    """Return an address; raise `SettingsError` unless it is a scheduler's."""
    return None if address is None else check_scheduler(address)


def _check_address(context: typer.Context, address: str | None) -> str | None:
    """Raise `SettingsError` for an address that must not get the key."""
    source = context.get_parameter_source("api_url")
    if context.params.get("sandbox"):
        return address  # no request is sent there
    if source is not None and source.name == "DEFAULT_MAP":
        context.obj.check_address(context.info_name)
    elif address is not None:
        from harvester.actions import check_api_url

        check_api_url(address)
    return address


# The next three take the context, so that a settings file is judged by them only when its command runs.


def _check_limits(_context: typer.Context, text: str | None) -> str | None:
    """Return limits; raise `SettingsError` for a text that is none."""
    if text is not None:
        from harvester.actions import check_limits

        check_limits(text)
    return text


def _check_fields(_context: typer.Context, text: str) -> str:
    """Return names of fields; raise `SettingsError` for an invalid one."""
    if text:
        from harvester.actions import check_extra_fields

        check_extra_fields(text)
    return text


def _check_filter(_context: typer.Context, text: str) -> str:
    """Return a filter; raise `SettingsError` for one that cannot be used."""
    if text:
        from harvester.filters import build_filter

        build_filter(text)
    return text


def read_samples(text: str | None) -> int | Literal["all"] | None:
    """Return a number of sounds, or `all`; None for None.

    Raises `SettingsError` for any other text, and for a number out of bounds.
    """
    if text is None or text == "all":
        return text  # type: ignore[return-value]  # mypy does not narrow a text by comparison
    if not re.fullmatch(r"-?[0-9]{1,20}", text):
        shown = text if len(text) <= 40 else f"{text[:40]}…"
        raise SettingsError(f"expected a whole number or all, got '{shown}'")
    least, most = COUNT_FROM_ZERO
    if not least <= int(text) <= most:
        raise SettingsError(f"expected a whole number, at least {least} and at most {most}, got {int(text)}")
    return int(text)


SandboxUrlOption = Annotated[
    str | None,
    typer.Option("--api-url", metavar="URL", help="Fetch made-up sounds from this sandbox.", callback=_check_address),
]

JobsOption = Annotated[
    int,
    bounded(JOBS, "Use N cores; -1 uses all.", callback=_check_jobs),
]

SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT", help="Use the workers of this Dask cluster instead.", callback=_check_scheduler
    ),
]

NeighboursOption = Annotated[
    int,
    bounded(NEIGHBOURS, "Set the length of a similar list."),
]


SamplesOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|all",
        callback=read_samples,
        help="Process this many sounds: fetch their similar lists.",
        show_default="50; all hits with --sweep; none with --vectors, --ids, --user, --pack; no end with --forever",
    ),
]


@dataclass(frozen=True, slots=True)
class ScopeOptions:
    """The sounds from which a harvest starts, and those it may take."""

    seed: Annotated[
        list[int] | None, typer.Option(callback=check_ids, metavar="ID", help="Start from this sound (repeatable).")
    ] = None
    query: Annotated[str, typer.Option(metavar="TEXT", help="Start from the best hits of this search.")] = ""
    filter: Annotated[
        str,
        typer.Option(
            metavar="SOLR",
            callback=_check_filter,
            help='Keep to sounds that match, such as tag:"c++"; % and + are literal.',
        ),
    ] = ""
    cc0: Annotated[bool, typer.Option("--cc0", help="Keep to Creative Commons 0; with --by: to either.")] = False
    by: Annotated[bool, typer.Option("--by", help="Keep to Attribution; with --cc0: to either.")] = False
    max_duration: Annotated[
        str | None, typer.Option(callback=check_some_duration, metavar="10s", help="Keep to sounds up to this long.")
    ] = None
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", autocompletion=complete_tag, help="Keep to this tag (repeatable: all)."),
    ] = None
    type: Annotated[
        list[str] | None,
        typer.Option(metavar="wav", autocompletion=_complete_type, help="Keep to this file type (repeatable: any)."),
    ] = None
    ids: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Fetch the records of these sounds only: a text, table or JSON; - reads stdin."
        ),
    ] = None
    column: Annotated[
        str, typer.Option(metavar="NAME", help="With --ids: the column of the table that has the ids.")
    ] = ""
    user: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", autocompletion=complete_user, help="Sweep all sounds of this user (repeatable: any)."
        ),
    ] = None
    pack: Annotated[
        list[int] | None,
        typer.Option(callback=_check_packs, metavar="ID", help="Sweep all sounds of this pack (repeatable: any)."),
    ] = None
    sweep: Annotated[bool, typer.Option("--sweep", help="Collect every hit of --query/--filter, 150 a request.")] = (
        False
    )
    vectors: Annotated[
        str | None,
        typer.Option(
            metavar=SPACE_NAMES,
            autocompletion=completing(SPACE_NAMES),
            help="With --sweep: fetch vectors too, for `harvester link`.",
        ),
    ] = None
    i_have_permission: Annotated[
        bool,
        typer.Option(
            "--i-have-permission", help="Confirm that Freesound allows you a sweep of more than 50,000 sounds."
        ),
    ] = False

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of `harvest` and `plan`."""
        return _keywords(self)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The server, and how fast to send requests."""

    level: Annotated[
        int,
        typer.Option(metavar=_LEVELS, autocompletion=completing(_LEVELS), help="Set the key's throttling level."),
    ] = 1
    limits: Annotated[
        str | None,
        typer.Option(
            metavar="BURST/DAY", callback=_check_limits, help="Set requests a minute and a day, instead of --level."
        ),
    ] = None
    api_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Send requests to this server.", show_default=REAL_API, callback=_check_address
        ),
    ] = None
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Use the embedded sandbox, even with a key.")] = False

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of the functions in `actions`.

        Raises `SettingsError` for a level that does not exist.
        """
        from harvester.actions import check_level

        check_level(self.level)
        return _keywords(self)


@dataclass(frozen=True, slots=True)
class RunOptions(ServerOptions):
    """How a run that writes proceeds, what it keeps, and its server."""

    concurrency: Annotated[int, bounded(CONCURRENCY, "Send at most N requests at the same time.")] = 4
    max_requests: Annotated[int | None, bounded(COUNT, "Send at most N requests, then stop.")] = None
    time_limit: Annotated[
        str | None, typer.Option(callback=check_some_duration, metavar="2h", help="Stop cleanly after this time.")
    ] = None
    forever: Annotated[bool, typer.Option("--forever", help="Wait for quota and through outages.")] = False
    extra_fields: Annotated[
        str,
        typer.Option(
            metavar="bpm,loudness", callback=_check_fields, help="Keep further fields of the API with every record."
        ),
    ] = ""
    backup_every: Annotated[int, bounded(COUNT, "Write a backup every N new sounds.")] = 100
    keep_backups: Annotated[int, bounded(COUNT, "Keep the newest N backups, and always the largest.")] = 5
    progress: Annotated[
        bool | None, typer.Option("--progress/--no-progress", help="Show the live panel.", show_default="on a terminal")
    ] = None
    commit: Annotated[
        bool | None,
        typer.Option(
            "--commit/--no-commit",
            help="Commit the library to Git after the run, however it ends.",
            show_default="on after git-setup",
        ),
    ] = None
    commit_backups: Annotated[bool, typer.Option("--commit-backups", help="Commit the backups too.")] = False

    def keywords(self) -> dict[str, Any]:
        """Return the options as keywords of `harvest` and `refresh`."""
        return {name: value for name, value in _keywords(self).items() if name not in _OF_THE_COMMAND_LINE}

    @property
    def shows_panel(self) -> bool:
        """Whether to show the live panel."""
        return can_redraw("stderr") if self.progress is None else self.progress


_OF_THE_COMMAND_LINE = ("progress", "commit", "commit_backups")


def _keywords(group: Any) -> dict[str, Any]:
    return {field.name: getattr(group, field.name) for field in fields(group)}


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Return `command` with the fields of its groups as parameters."""
    groups: dict[str, Any] = {}
    flat: list[inspect.Parameter] = []
    hints = get_type_hints(command, include_extras=True)
    for parameter in inspect.signature(command).parameters.values():
        group = hints[parameter.name]
        if is_dataclass(group):
            groups[parameter.name] = group
            kinds = get_type_hints(group, include_extras=True)
            flat += [
                parameter.replace(name=field.name, default=field.default, annotation=kinds[field.name])
                for field in fields(group)
            ]
        else:
            flat.append(parameter.replace(annotation=group))

    @wraps(command)
    def on_the_command_line(*given: Any, **named: Any) -> None:
        options = signature.bind(*given, **named).arguments
        gathered = {
            name: group(**{field.name: options.pop(field.name) for field in fields(group) if field.name in options})
            for name, group in groups.items()
        }
        command(**options, **gathered)

    signature = inspect.Signature(flat)
    on_the_command_line.__signature__ = signature  # type: ignore[attr-defined]
    on_the_command_line.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return on_the_command_line

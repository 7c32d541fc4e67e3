"""Options that several commands share: whom to ask and how fast, and which sounds are meant."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.errors import SettingsError
from harvester.settings import build_filter, parse_duration_s, read_key

if TYPE_CHECKING:
    from harvester.cli.connect import Connection

REAL_API = "https://freesound.org/apiv2/"

SeedOption = Annotated[list[int] | None, typer.Option(metavar="ID", help="Start from this sound (repeatable).")]
QueryOption = Annotated[str, typer.Option(metavar="TEXT", help="Start from the best hits of this search.")]
FilterOption = Annotated[str, typer.Option(metavar="SOLR", help="Only sounds that match, in Freesound's syntax.")]
Cc0Option = Annotated[bool, typer.Option("--cc0", help="Only Creative Commons 0 (with --by: either).")]
ByOption = Annotated[bool, typer.Option("--by", help="Only Attribution (with --cc0: either).")]
MaxDurationOption = Annotated[str | None, typer.Option(metavar="10s", help="Only sounds up to this long.")]
TagOption = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only with this tag (repeatable).")]
TypeOption = Annotated[list[str] | None, typer.Option(metavar="wav", help="Only of this type (repeatable: any).")]
SweepOption = Annotated[bool, typer.Option("--sweep", help="Collect every hit of --query/--filter, 150 a request.")]
NeighboursOption = Annotated[int, typer.Option(min=1, max=150, metavar="N", help="Length of a similar list.")]
ConcurrencyOption = Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Requests on the wire at once.")]
LevelOption = Annotated[int, typer.Option(metavar="1|2|3|99", help="The key's throttling level.")]
LimitsOption = Annotated[
    str | None, typer.Option(metavar="BURST/DAY", help="Requests a minute and a day, instead of --level.")
]
MaxRequestsOption = Annotated[int | None, typer.Option(min=1, metavar="N", help="Send at most this many requests.")]
TimeLimitOption = Annotated[str | None, typer.Option(metavar="2h", help="Stop in order after this time.")]
ForeverOption = Annotated[bool, typer.Option("--forever", help="Wait for quota and through outages; go on.")]
ExtraFieldsOption = Annotated[
    str, typer.Option(metavar="bpm,loudness", help="Further fields of the API to keep with every record.")
]
BackupEveryOption = Annotated[int, typer.Option(min=1, metavar="N", help="New sounds between two backups.")]
KeepBackupsOption = Annotated[int, typer.Option(min=1, metavar="N", help="Backups kept (and always the largest).")]
ApiUrlOption = Annotated[str | None, typer.Option(metavar="URL", help="Ask this server.", show_default=REAL_API)]
SandboxOption = Annotated[bool, typer.Option("--sandbox", help="Ask the embedded sandbox, even with a key.")]
ProgressOption = Annotated[
    bool | None, typer.Option("--progress/--no-progress", help="The live panel.", show_default="on a terminal")
]


def read_connection(
    *,
    level: int,
    limits: str | None,
    api_url: str | None,
    sandbox: bool,
    max_requests: int | None = None,
    extra_fields: str = "",
    forever: bool = False,
) -> Connection:
    """Return whom to ask, with the key from the environment or `.env`."""
    from harvester.cli.connect import Connection
    from harvester.freesound.fields import read_extra_fields
    from harvester.freesound.quota import LEVELS, read_limits

    one_of("--level", level, LEVELS)
    key = read_key(os.environ, Path.cwd())
    return Connection(
        key=key,
        api_url=None if sandbox or (key is None and api_url is None) else api_url or REAL_API,
        limits=read_limits(limits) if limits else LEVELS[level],
        max_requests=max_requests,
        extra_fields=read_extra_fields((extra_fields,)),
        forever=forever,
    )


def read_filter(
    filter: str, cc0: bool, by: bool, max_duration: str | None, tag: list[str] | None, type: list[str] | None
) -> str:
    """Return one filter from `--filter` and the presets."""
    return build_filter(
        filter,
        cc0=cc0,
        by=by,
        max_duration_s=parse_duration_s(max_duration) if max_duration else None,
        tags=tuple(tag or ()),
        types=tuple(type or ()),
    )


def check_sweep(sweep: bool, query: str, walk_filter: str, seed: list[int] | None) -> None:
    """Refuse a sweep of everything, which the API's terms forbid, and one with seeds, which means two things."""
    if sweep and not (query or walk_filter):
        raise SettingsError(
            "--sweep needs --query or --filter: the API's terms do not allow a copy of all of Freesound"
        )
    if sweep and seed:
        raise SettingsError("--sweep takes every hit of a search; leave out --seed")


def one_of(option: str, value: object, allowed: object) -> None:
    """Raise `SettingsError` unless `value` is one of the names in `allowed`."""
    names = [str(name) for name in allowed]  # type: ignore[attr-defined]
    if str(value) not in names:
        raise SettingsError(f"{option} {value} is not known; choose from {', '.join(names)}")

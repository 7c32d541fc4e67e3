"""`harvester relate`: make relations between sounds from their records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.completion import completing
from harvester.cli.consent import DryRunOption, with_consent
from harvester.cli.console import JsonOption, LibraryOption, note, print_json, say
from harvester.cli.options import bounded, check_finite, grouped
from harvester.cli.select_options import SelectOptions
from harvester.counts import counted
from harvester.settings import RELATED, SCORE

if TYPE_CHECKING:
    from harvester.actions import RelateResult

_BY = "user,pack,tags"


@grouped
def relate(
    library: LibraryOption = None,
    *,
    by: Annotated[
        str,
        typer.Option(
            metavar=_BY, autocompletion=completing(_BY.replace(",", "|")), help="Relate sounds by these, with commas."
        ),
    ] = _BY,
    min_jaccard: Annotated[
        float,
        bounded(SCORE, "tags: share at least this part of all tags.", metavar="J", callback=check_finite),
    ] = 0.15,
    max: Annotated[int, bounded(RELATED, "Make at most N relations of a kind from a sound.")] = 25,
    dry_run: DryRunOption = False,
    select: SelectOptions,
    as_json: JsonOption = False,
) -> None:
    """Relate sounds of one user or pack, and sounds with alike tags.

    Relations are edges; no request is sent. A sound is related to the --max sounds of its user or pack with the nearest
    ids, and to the --max sounds with the most alike tags. Relations only grow: a second run changes nothing, and a run
    with other bounds adds what is new. `harvester restore` takes them back.
    """
    from harvester import actions

    report = with_consent(
        lambda dry: actions.relate(library, by=by, min_jaccard=min_jaccard, max=max, dry_run=dry, **select.keywords()),
        lambda report: _show(report, max),
        lambda _report: "",  # a restore takes relations back
        dry_run=dry_run,
        yes=True,
        final=False,
    )
    if as_json:
        print_json(report.as_dict())


def _show(report: RelateResult, most: int) -> None:
    note(*report.notices)
    for kind, told in report.kinds.items():
        more = [f"{told.stronger:,} with a higher weight"] if told.stronger else []
        more += [f"{counted(told.cut, 'sound has', 'sounds have')} more than --max {most}"] if told.cut else []
        more += [f"{told.beyond:,} of earlier runs or imports stay"] if told.beyond else []
        rest = "".join(f"; {one}" for one in more)
        say(f"{kind}: {counted(told.found, 'relation')} of {counted(told.sounds, 'sound')}, {told.new:,} new{rest}")
    saved = "saved with a backup" if report.saved else "nothing new to save"
    compared = f"{counted(report.searched, 'sound')} compared, {counted(report.edges, 'edge')}"
    say(f"{report.library}: {compared}; {saved}, no request")

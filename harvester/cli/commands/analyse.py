"""`harvester analyse`: print communities, leaders and figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor
from typing import TYPE_CHECKING, Annotated

import typer

from harvester.cli.console import JsonOption, LibraryOption, note, print_json, print_lines, say
from harvester.cli.options import bounded, grouped
from harvester.cli.select_options import SelectOptions
from harvester.counts import counted
from harvester.settings import COUNT_FROM_ZERO, RANDOM_SEED
from harvester.terminal_text import escape_line

if TYPE_CHECKING:
    from harvester.actions import AnalysisReport, Degrees, Leading

_WIDTH = 80
_UNKNOWN = "-"


@grouped
def analyse(
    library: LibraryOption = None,
    *,
    random_seed: Annotated[
        int, bounded(RANDOM_SEED, "Seed communities and samples.", "--random-seed", "--seed", metavar="N")
    ] = 0,
    betweenness_sources: Annotated[
        int, bounded(COUNT_FROM_ZERO, "Estimate betweenness from N random sounds; 0 leaves it out.")
    ] = 256,
    save: Annotated[
        bool, typer.Option("--save/--no-save", help="Keep the measures of each sound in analysis.json.")
    ] = True,
    select: SelectOptions,
    as_json: JsonOption = False,
) -> None:
    """Analyse the graph: communities, PageRank, clustering, paths.

    analysis.json beside the library keeps what each sound measures: exports have it as columns, the map as colours, and
    --community selects by it. The same library, options and versions give the same bytes. `harvester guide analysis`
    explains each figure.
    """
    from harvester import actions

    report = actions.analyse(
        library,
        random_seed=random_seed,
        betweenness_sources=betweenness_sources,
        save=save,
        on_start=lambda sounds, edges: say(f"analysing {counted(sounds, 'sound')} and {counted(edges, 'edge')}"),
        **select.keywords(),
    )
    note(*report.notices)
    if as_json:
        print_json(report.as_dict())
    else:
        print_lines(*(line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…" for line in _lines(report)))
    if report.path is not None:
        say(f"{report.path}: the measures of {counted(len(report.measures), 'sound')}")


def _lines(report: AnalysisReport) -> Iterator[str]:
    found = report.figures
    sampled = f"sampled from {counted(found.path_sources, 'sound')}" if found.path_sources < found.sounds else "exact"
    yield f"{'sounds':<14}{found.sounds:,}"
    yield f"{'edges':<14}{found.edges:,}; density {_number(found.density)}, reciprocity {_number(found.reciprocity)}"
    yield f"{'':<14}{'mean':>9}{'least':>8}{'25 %':>8}{'median':>8}{'75 %':>8}{'95 %':>8}{'most':>8}"
    yield from (_degrees("in-degree", found.in_degree), _degrees("out-degree", found.out_degree))
    yield f"{'clustering':<14}global {_number(found.clustering)}, mean of sounds {_number(found.mean_clustering)}"
    for name, count, share in (
        ("components", found.components, found.largest_share),
        ("  strong", found.strong_components, found.largest_strong_share),
    ):
        yield f"{name:<14}{count:,}, the largest has {_percent(share)} of the sounds"
    yield f"{'path length':<14}mean {_number(found.path_length)}, longest {found.longest_path or _UNKNOWN} ({sampled})"
    yield f"{'max core':<14}{found.max_core:,}, with {counted(found.max_core_sounds, 'sound')}"
    yield f"{'communities':<14}{found.communities:,}, modularity {_number(found.modularity)}"
    for one in report.largest:
        size = f"{one.sounds:>8,} {'sound ' if one.sounds == 1 else 'sounds'} {_percent(one.share):>7}"
        yield f"{one.community:>14,}  {size}  {escape_line(' '.join(one.tags))}"
    yield from _leaders("PageRank", report.by_pagerank)
    if report.betweenness_sources:
        exact = report.betweenness_sources == found.sounds
        how = "exact" if exact else f"sampled from {counted(report.betweenness_sources, 'sound')}"
        yield from _leaders(f"betweenness ({how})", report.by_betweenness)
    yield ""
    programs = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield f"random seed {report.random_seed}; {programs}"


def _degrees(name: str, found: Degrees) -> str:
    counts = (found.least, found.p25, found.median, found.p75, found.p95, found.most)
    return f"{name:<14}{found.mean:>9,.2f}" + "".join(f"{count:>8,}" for count in counts)


def _leaders(title: str, sounds: Sequence[Leading]) -> Iterator[str]:
    if sounds:
        yield ""
        yield f"top {len(sounds)} by {title}"
    for one in sounds:
        whose = f"{one.name or '(no record yet)'} [{one.username or 'unknown'}]"
        yield f"{one.id:>14}  {one.value:<12.6g}{escape_line(whose)}"


def _number(value: float | None) -> str:
    return _UNKNOWN if value is None else f"{value:.4g}"


def _percent(share: float | None) -> str:
    # Rounded down: only all of the sounds are 100 %.
    return _UNKNOWN if share is None else f"{floor(1_000 * share) / 10:.1f} %"

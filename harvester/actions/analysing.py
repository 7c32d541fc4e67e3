"""Analyse the graph of a library, and keep what each sound measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from platform import python_version_tuple
from typing import Any, Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import naming_keywords
from harvester.actions.options import check_flag, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.analysis import Figures, Leading, NamedCommunity, find_leading, largest_communities, measure_selected
from harvester.graph import EdgeRule, Measures, Selection, graph_digest
from harvester.library import Analysis, save_analysis
from harvester.records import CreatedRange
from harvester.settings import COUNT_FROM_ZERO, RANDOM_SEED
from harvester.version import __version__

BETWEENNESS_SOURCES = 256


@dataclass(frozen=True, slots=True)
class AnalysisReport:
    """Result of an analysis.

    `library` is the folder. `figures` are those of the graph as a whole, `measures` those of each sound by id.
    `largest` are the five largest communities, `by_pagerank` and `by_betweenness` the ten sounds that lead.
    `betweenness_sources` is the number of random sounds from which betweenness was estimated: exact if it is that of
    all sounds, left out for 0. `random_seed` chose them, and seeded the communities. `selection` has the conditions
    that chose the sounds, and is empty for all. `versions` are those of harvester, igraph and Python. `path` is the
    file that keeps the measures, None if they were not saved. `notices`: lines that need attention.
    """

    library: Path
    figures: Figures
    largest: tuple[NamedCommunity, ...]
    by_pagerank: tuple[Leading, ...]
    by_betweenness: tuple[Leading, ...]
    betweenness_sources: int
    random_seed: int
    selection: Mapping[str, Any]
    versions: Mapping[str, str]
    measures: Mapping[int, Measures]
    path: Path | None = None
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data without the measures, for `--json`.

        Equal libraries, options and versions give equal data.
        """
        return {
            **self.figures.as_dict(),
            "largest_communities": [asdict(one) for one in self.largest],
            "top_pagerank": [asdict(one) for one in self.by_pagerank],
            "top_betweenness": [asdict(one) for one in self.by_betweenness],
            "betweenness_sources": self.betweenness_sources,
            "random_seed": self.random_seed,
            "selection": dict(self.selection),
            "versions": dict(self.versions),
        }


@naming_keywords
def analyse(
    library: LibraryLike = None,
    *,
    random_seed: int = 0,
    betweenness_sources: int = BETWEENNESS_SOURCES,
    save: bool = True,
    on_start: Callable[[int, int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> AnalysisReport:
    """Analyse the graph of a library, or of a selection.

    Finds communities, PageRank, cores, degrees, reciprocity, clustering, components, path lengths and betweenness.
    `library` is a folder or an opened `Library`; None: the default folder. `random_seed` seeds communities and samples:
    equal libraries, options and versions give equal results. `betweenness_sources`: estimate betweenness from this
    number of random sounds; 0: not at all. With `save`, `analysis.json` in the library's folder keeps the measures of
    each sound, and exports, maps and the keyword `community` use them; a crash leaves the earlier or the new file
    whole, and no other file is changed. `on_start` gets the numbers of sounds and edges before the work, which takes
    about 10 s for 25,000 sounds. The other keywords select sounds, and are those of `SelectKeywords`.

    Raises `SettingsError` that names a wrong keyword, or igraph and numpy when they are missing; `LibraryNotFound`,
    `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or `LibraryUnwritable`.
    """
    seed = check_whole("--random-seed", random_seed, RANDOM_SEED)
    sources = check_whole("--betweenness-sources", betweenness_sources, COUNT_FROM_ZERO)
    saved = check_flag("--save", save)
    chosen = read_selection(**selection)
    with open_view(library) as view:
        selected, notices = select_from(view, chosen, measured=False)
        measures, figures, igraph_version = measure_selected(
            selected, random_seed=seed, betweenness_sources=sources, on_start=on_start
        )
        sources = min(sources, len(selected))
        versions = {
            "harvester": __version__, "igraph": igraph_version, "python": ".".join(python_version_tuple()[:2])
        }  # fmt: skip
        conditions = _conditions(chosen)
        analysis = Analysis(
            source=view.state.source,
            graph_digest=graph_digest(view.state.graph, view.state.source),
            random_seed=seed,
            betweenness_sources=sources,
            selection=conditions,
            versions=versions,
            figures=figures.as_dict(),
            measures=measures,
        )
        return AnalysisReport(
            library=view.folder,
            figures=figures,
            largest=largest_communities(selected, measures),
            by_pagerank=find_leading(selected, measures, "pagerank"),
            by_betweenness=find_leading(selected, measures, "betweenness"),
            betweenness_sources=sources,
            random_seed=seed,
            selection=conditions,
            versions=versions,
            measures=measures,
            path=save_analysis(view.folder, analysis) if saved else None,
            notices=notices,
        )


_KEYWORDS = {
    "licenses": "license", "categories": "category", "tags": "tag", "users": "user", "words": "query",
    "excluded_tags": "exclude_tag", "excluded_users": "exclude_user", "gen_ai_wishes": "gen_ai",
    "communities": "community", "min_duration_s": "min_duration", "max_duration_s": "max_duration",
}  # fmt: skip
"""The keyword of each condition that has another name."""


def _conditions(selection: Selection) -> dict[str, Any]:
    """Return the conditions that are set, as JSON values by keyword.

    For ids it is their number: the sounds that were analysed say which they are.
    """
    usual = Selection()
    return {
        _KEYWORDS.get(field.name, field.name): _plain(getattr(selection, field.name))
        for field in fields(Selection)
        if field.compare and getattr(selection, field.name) != getattr(usual, field.name)
    }


def _plain(value: Any) -> Any:
    match value:
        case CreatedRange():
            return value.text
        case EdgeRule():
            return asdict(value) | {"relations": None if value.relations is None else sorted(value.relations)}
        case frozenset():
            return len(value)
        case tuple():
            return list(value)
    return value

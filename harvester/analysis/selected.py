"""Measure the sounds and edges of a selection."""

from __future__ import annotations

from collections.abc import Callable

from harvester.analysis.figures import Figures
from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Measures, Selected


def measure_selected(
    selected: Selected,
    *,
    random_seed: int,
    betweenness_sources: int,
    on_start: Callable[[int, int], None] | None = None,
) -> tuple[dict[int, Measures], Figures, str]:
    """Return the measures by id, the figures, and igraph's version.

    Equal selections give equal results. `on_start` gets the numbers of sounds and edges. Raises `SettingsError` without
    igraph or numpy.
    """
    try:
        from harvester.analysis.measure import VERSION, measure
    except ImportError as error:
        raise SettingsError(missing("analyse", "igraph and numpy", "analyse")) from error
    if on_start is not None:
        on_start(len(selected), selected.edge_count)
    place = {sound_id: index for index, sound_id in enumerate(selected.sound_ids)}
    edges = sorted((place[edge.source], place[edge.target]) for edge in selected.edges())
    measures, figures = measure(len(selected), edges, random_seed=random_seed, betweenness_sources=betweenness_sources)
    return dict(zip(selected.sound_ids, measures, strict=True)), figures, VERSION

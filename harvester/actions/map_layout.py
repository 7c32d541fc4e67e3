"""Choose what decides on the places of a map: edges or vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harvester.counts import counted
from harvester.errors import ClusterFailed, SettingsError
from harvester.extras import missing
from harvester.graph import Selected
from harvester.jobs import Team
from harvester.library import LibraryView
from harvester.map import LAYOUT_KEYS, VectorPlaces, require_vector_layout
from harvester.vectors import load_header

if TYPE_CHECKING:
    from harvester.similarity import Table


def check_layout(layout: str) -> str:
    """Return the keyword; raise `SettingsError` if it is none of them."""
    if layout not in LAYOUT_KEYS:
        choices = f"{', '.join(LAYOUT_KEYS[:-1])} or {LAYOUT_KEYS[-1]}"
        raise SettingsError(f"--layout must be {choices}, not '{str(layout)[:40]}'")
    return layout


def find_table(view: LibraryView, selected: Selected, layout: str) -> tuple[Table | None, list[str]]:
    """Return the vectors that place the sounds, and notices.

    None: the graph places them. `auto` takes the graph where the selection has an edge, and the vectors where it has
    none but the library has vectors; what that lacks is a notice. Raises `SettingsError` for `vectors` without
    vectors, without one of a selected sound, and without openTSNE or numpy.
    """
    if layout == "graph" or (layout == "auto" and (selected.edge_count or not len(selected))):
        return None, []
    try:
        table = _open_vectors(view, selected)
    except SettingsError as error:
        if layout == "vectors":
            raise
        # Without vectors and edges there is nothing to say: most maps of records alone are such.
        has_vectors = load_header(view.folder) is not None
        return None, [f"the sounds have no edge, and lie in rows: {error}"] if has_vectors else []
    lacking = len(selected) - int(table.are_vectors().sum())
    return table, [f"in rows below the others: {counted(lacking, 'sound')} without a vector"] if lacking else []


def _open_vectors(view: LibraryView, selected: Selected) -> Table:
    try:
        from harvester.similarity import open_table
    except ImportError as error:
        raise SettingsError(missing("map --layout vectors", "numpy", "link")) from error
    table = open_table(view.folder, view.state, set(selected.sound_ids))
    if not table.are_vectors().any():
        raise SettingsError(f"{view.folder} has a vector of none of the selected sounds; `--layout graph` needs none")
    require_vector_layout()
    return table


def find_vector_places(table: Table, team: Team) -> VectorPlaces:
    """Return what places sounds by their vectors; a team compares them.

    Raises `ClusterFailed`.
    """
    from harvester.similarity import find_neighbourhood

    try:
        found = find_neighbourhood(table, team)
    except ClusterFailed as error:
        raise ClusterFailed(f"{error}; nothing was changed: run it again") from error
    return VectorPlaces(found.ids, found.vectors, found.nearest, found.distances)

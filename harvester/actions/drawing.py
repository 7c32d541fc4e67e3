"""Draw a library: the map, and the plots of growth and coverage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex, Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_sounds, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.errors import SettingsError
from harvester.exports import check_place
from harvester.graph import around
from harvester.library import load_history
from harvester.map import encode_map
from harvester.reports import save_plots
from harvester.settings import DEPTH
from harvester.storage import disk_errors, path_text, read_path, write_atomically


@dataclass(frozen=True, slots=True)
class MapReport:
    """Result of drawing a map: its file `path`, and what it shows.

    `sounds` and `edges` count what it shows; it has `size_bytes` bytes. `notices`: lines that need attention.
    """

    path: Path
    sounds: int
    edges: int
    size_bytes: int
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlotsReport:
    """Result of drawing plots: the files in `paths`.

    `notices`: lines that need attention.
    """

    paths: tuple[Path, ...]
    notices: tuple[str, ...] = ()


@naming_keywords
def draw_map(
    path: StrPath = "map.html",
    *,
    library: LibraryLike = None,
    ego: SupportsIndex | None = None,
    depth: int = 2,
    title: str | None = None,
    on_layout: Callable[[int, int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> MapReport:
    """Draw the library, or a selection, as the HTML file `path`.

    It is durable on return. `library` is a folder or an opened `Library`; None: the default folder. `ego` draws only
    the sounds within `depth` edges of this sound. `title` is the heading, by default the folder's name. `on_layout`
    gets the numbers of sounds and edges before their places are computed, which takes about 5 s for 5,000 sounds. The
    other keywords select sounds, and are those of `SelectKeywords`. A failure or a crash leaves the earlier file as it
    was.

    Raises `SettingsError` that names a wrong keyword, a sound that is not selected, a place that cannot be used, or
    numpy and scipy when they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or
    `LibraryUnwritable`.
    """
    out, steps = read_path(path), check_whole("--depth", depth, DEPTH)
    middle = next(iter(check_sounds("--ego", ego)), None)
    check_place(out)
    chosen = read_selection(**selection)
    with open_view(library) as view:
        selected, notices = select_from(view, chosen)
        if middle is not None:
            if middle not in selected:
                raise SettingsError(
                    f"sound {middle} cannot be shown: it is not in the library, deleted, withdrawn, or filtered out"
                )
            selected = around(selected, middle, steps)
        heading = path_text(title or (view.folder.resolve().name if middle is None else f"Around sound {middle}"))
        if on_layout is not None:
            on_layout(len(selected), selected.edge_count)
        with disk_errors(out, "the earlier file is unchanged"):
            write_atomically(out, encode_map(selected, heading, ego=middle))
        return MapReport(out, len(selected), selected.edge_count, out.stat().st_size, notices)


def draw_plots(path: StrPath, *, library: LibraryLike = None) -> PlotsReport:
    """Draw plots of a library as PNG and SVG in the folder `path`.

    `library` is a folder or an opened `Library`; None: the default folder. They show growth (after each run, where the
    history has several), licenses, durations, degrees and tags. A missing folder is created; the files are durable on
    return, and after a crash each file is whole. Raises `SettingsError` without matplotlib; `LibraryNotFound`,
    `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or `LibraryUnwritable`.
    """
    folder = read_path(path)
    with open_view(library) as view, disk_errors(folder, "earlier pictures are whole"):
        past = load_history(view.folder)
        paths = save_plots(view.state, folder, past.runs)
        return PlotsReport(tuple(paths), (*view.notices, *past.notices))

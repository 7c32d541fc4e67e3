"""Draw a library: the map, and the plots of growth and coverage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import SupportsIndex, Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, naming_keywords
from harvester.actions.options import check_sounds, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.errors import SettingsError
from harvester.exports import check_place
from harvester.graph import Selected, around
from harvester.library import load_history
from harvester.map import COLOR_KEYS, PICTURE_FORMS, PictureSize, encode_map, encode_picture
from harvester.reports import save_plots
from harvester.settings import DEPTH, DPI, LENGTH_MM
from harvester.storage import disk_errors, path_text, read_path, write_atomically

_MOST_PIXELS = 100_000_000
_UNCHANGED = "the earlier file is unchanged"


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
    out = read_path(path)
    place = check_place(out)
    with _drawn(library, ego, depth, title, on_layout, selection) as drawn:
        with disk_errors(out, _UNCHANGED):
            write_atomically(place, encode_map(drawn.selected, drawn.title, ego=drawn.middle))
        return drawn.report(out)


@naming_keywords
def draw_picture(
    path: StrPath,
    *,
    library: LibraryLike = None,
    ego: SupportsIndex | None = None,
    depth: int = 2,
    title: str | None = None,
    size_mm: str = "180x180",
    dpi: int = 300,
    color_by: str = "category",
    on_layout: Callable[[int, int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> MapReport:
    """Draw the map as one picture for papers; durable on return.

    The ending of `path` decides: svg, pdf or png. Places and colours are those of `draw_map`, and so are the keywords
    `library`, `ego` (a ring marks the sound), `depth`, `title`, `on_layout` and those of `SelectKeywords`. `size_mm` is
    the width and the height in millimetres; `dpi` are the dots per inch of what is no vector: in svg and pdf the edges
    alone. `color_by` is category, community, license or user. Equal libraries give equal files. A failure or a crash
    leaves the earlier file as it was.

    Raises `SettingsError` that names a wrong keyword, another ending, a sound that is not selected, a place that cannot
    be used, or numpy, scipy and matplotlib when they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`,
    `DiskFull`, or `LibraryUnwritable`.
    """
    out = read_path(path)
    form = out.suffix.removeprefix(".").lower()
    if form not in PICTURE_FORMS:
        raise SettingsError(f"{out}: a static map ends in .svg, .pdf or .png; without --static the map is a page")
    size = _read_size(size_mm, check_whole("--dpi", dpi, DPI))
    if color_by not in COLOR_KEYS:
        raise SettingsError(f"--color-by must be {', '.join(COLOR_KEYS[:-1])} or {COLOR_KEYS[-1]}, not '{color_by}'")
    place = check_place(out)
    with _drawn(library, ego, depth, title, on_layout, selection) as drawn:
        picture = encode_picture(drawn.selected, drawn.title, size, form, color_by=color_by, ego=drawn.middle)
        with disk_errors(out, _UNCHANGED):
            write_atomically(place, [picture])
        return drawn.report(out)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a map shows."""

    selected: Selected
    title: str
    middle: int | None
    notices: tuple[str, ...]

    def report(self, out: Path) -> MapReport:
        return MapReport(out, len(self.selected), self.selected.edge_count, out.stat().st_size, self.notices)


@contextmanager
def _drawn(
    library: LibraryLike,
    ego: SupportsIndex | None,
    depth: int,
    title: str | None,
    on_layout: Callable[[int, int], None] | None,
    selection: SelectKeywords,
) -> Iterator[_Drawn]:
    """Check the keywords of a map, and yield what it shows."""
    steps = check_whole("--depth", depth, DEPTH)
    middle = next(iter(check_sounds("--ego", ego)), None)
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
        yield _Drawn(selected, heading, middle, notices)


def _read_size(text: str, dpi: int) -> PictureSize:
    """Return the size in a text such as `180x120`."""
    found = re.fullmatch(r"\s*([0-9]{1,4})\s*[x×]\s*([0-9]{1,4})\s*", str(text))
    sides = [int(side) for side in found.groups()] if found else []
    if not sides or not all(LENGTH_MM.least <= side <= LENGTH_MM.most for side in sides):
        raise SettingsError(
            f"--size-mm must be a width and a height from {LENGTH_MM.least} to {LENGTH_MM.most} mm, such as 180x120, "
            f"not '{str(text)[:40]}'"
        )
    pixels = sides[0] * sides[1] * (dpi / 25.4) ** 2
    if pixels > _MOST_PIXELS:
        raise SettingsError(
            f"--dpi {dpi} gives a picture of {pixels / 1e6:,.0f} million pixels; the most are {_MOST_PIXELS // 10**6} "
            "million: choose a smaller --dpi or --size-mm"
        )
    return PictureSize(sides[0], sides[1], dpi)


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

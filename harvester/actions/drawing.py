"""Draw a library: the map, and the plots of growth and coverage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, SupportsIndex, Unpack

from harvester.actions.default_library import LibraryLike, open_view
from harvester.actions.keywords import StrPath, check_cluster, check_jobs, naming_keywords
from harvester.actions.likeness import nearest_for_cards
from harvester.actions.map_layout import check_layout, find_table, find_vector_places
from harvester.actions.options import check_flag, check_sounds, check_whole
from harvester.actions.selecting import SelectKeywords, read_selection, select_from
from harvester.counts import counted
from harvester.errors import SettingsError
from harvester.exports import check_place
from harvester.graph import Selected, Selection, Surroundings, around, find_surroundings
from harvester.jobs import Team, Threads, hired
from harvester.library import LibraryView, load_history
from harvester.map import (
    COLOR_KEYS,
    PICTURE_FORMS,
    LocalPreviews,
    NearestLists,
    PictureSize,
    VectorPlaces,
    encode_map,
    encode_picture,
)
from harvester.previews import read_previews
from harvester.reports import save_plots
from harvester.settings import DEPTH, DPI, LENGTH_MM
from harvester.storage import disk_errors, path_text, read_path, write_atomically

_MOST_PIXELS = 100_000_000
_UNCHANGED = "the earlier file is unchanged"


@dataclass(frozen=True, slots=True)
class MapReport:
    """Result of drawing a map: its file `path`, and what it shows.

    `sounds` and `edges` count what it shows, `context` the sounds around them; it has `size_bytes` bytes. `notices`:
    lines that need attention.
    """

    path: Path
    sounds: int
    edges: int
    size_bytes: int
    notices: tuple[str, ...] = ()
    context: int = 0


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
    context: bool = False,
    title: str | None = None,
    layout: str = "auto",
    local_previews: bool = False,
    jobs: int = 1,
    scheduler: str | None = None,
    on_layout: Callable[[int, int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> MapReport:
    """Draw the library, or a selection, as the HTML file `path`.

    It is durable on return. `library` is a folder or an opened `Library`; None: the default folder. `ego` draws only
    the sounds within `depth` edges of this sound. `context` also draws the sounds around the selected ones, those with
    an edge from or to one of them, as faint dots: at most 2,000, those with the most edges first. `title` is the
    heading, by default the folder's name. `layout` is what decides on the places: `graph` (the edges), `vectors` (the
    similarity vectors, with openTSNE) or `auto` (the graph, or the vectors where the sounds have no edge). With
    `local_previews` the page plays what `fetch_previews` has fetched from the files, as long as page and library lie
    where they are; it plays the others from the web. Where vectors are here, cards list the nearest sounds by them, in
    maps of up to 20,000 sounds. For the places by vectors, `jobs` threads look for the nearest sounds at the same time;
    -1 uses all cores. With `scheduler`, such as `tcp://127.0.0.1:8786`, the workers of a Dask cluster do that, and the
    map has the same bytes; a map by edges needs neither. `on_layout` gets the numbers of sounds and edges before their
    places are computed, which takes 1 to 6 s for 5,000 sounds. The other keywords select sounds, and are those of
    `SelectKeywords`. A failure or a crash leaves the earlier file as it was.

    Raises `SettingsError` that names a wrong keyword, a sound that is not selected, a place that cannot be used, or
    numpy and scipy when they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`,
    `LibraryUnwritable`, or `ClusterFailed`.
    """
    out = read_path(path)
    place = check_place(out)
    check_flag("--local-previews", local_previews)
    hire = _read_workers(jobs, scheduler)
    with _drawn(library, ego, depth, context, title, layout, hire, on_layout, selection) as drawn:
        local = _local(drawn.folder, out) if local_previews else None
        nearest, notices = nearest_for_cards(drawn.folder, drawn.selected)
        with disk_errors(out, _UNCHANGED):
            write_atomically(place, drawn.page(local, nearest))
        return replace(drawn.report(out), notices=(*drawn.notices, *notices))


def _local(folder: Path, page: Path) -> LocalPreviews:
    """Return the previews that are here.

    Raises `SettingsError` if there is none.
    """
    path, endings = preview_endings(folder)
    if not endings:
        raise SettingsError(f"{path}: there is no preview here; `harvester previews` fetches some")
    return LocalPreviews.beside(page, path, endings)


def preview_endings(folder: Path) -> tuple[Path, dict[int, str]]:
    """Return a library's folder of previews, and the ending of each.

    MP3 comes first, because every browser plays it.
    """
    previews = read_previews(folder)
    return previews.path, dict(sorted(previews.stored, key=lambda key: key[1] != "ogg"))


@naming_keywords
def draw_picture(
    path: StrPath,
    *,
    library: LibraryLike = None,
    ego: SupportsIndex | None = None,
    depth: int = 2,
    context: bool = False,
    title: str | None = None,
    layout: str = "auto",
    size_mm: str = "180x180",
    dpi: int = 300,
    color_by: str | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    on_layout: Callable[[int, int], None] | None = None,
    **selection: Unpack[SelectKeywords],
) -> MapReport:
    """Draw the map as one picture for papers; durable on return.

    The ending of `path` decides: svg, pdf or png. Places and colours are those of `draw_map`, and so are the keywords
    `library`, `ego` (a ring marks the sound), `depth`, `context`, `title`, `layout`, `jobs`, `scheduler`, `on_layout`
    and those of `SelectKeywords`. `size_mm` is the width and the height in millimetres; `dpi` are the dots per inch of
    what is no vector: in svg and pdf the edges alone. `color_by` is category, community, license or user; None: as the
    page opens. Equal libraries give equal files. A failure or a crash leaves the earlier file as it was.

    Raises `SettingsError` that names a wrong keyword, another ending, a sound that is not selected, a place that cannot
    be used, or numpy, scipy and matplotlib when they are missing; `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`,
    `DiskFull`, `LibraryUnwritable`, or `ClusterFailed`.
    """
    out = read_path(path)
    form = out.suffix.removeprefix(".").lower()
    if form not in PICTURE_FORMS:
        raise SettingsError(f"{out}: a static map ends in .svg, .pdf or .png; without --static the map is a page")
    size = _read_size(size_mm, check_whole("--dpi", dpi, DPI))
    if color_by is not None and color_by not in COLOR_KEYS:
        raise SettingsError(f"--color-by must be {', '.join(COLOR_KEYS[:-1])} or {COLOR_KEYS[-1]}, not '{color_by}'")
    place = check_place(out)
    hire = _read_workers(jobs, scheduler)
    with _drawn(library, ego, depth, context, title, layout, hire, on_layout, selection) as drawn:
        picture = encode_picture(
            drawn.selected,
            drawn.title,
            size,
            form,
            color_by=color_by,
            ego=drawn.middle,
            around=drawn.around,
            vectors=drawn.vectors,
        )
        with disk_errors(out, _UNCHANGED):
            write_atomically(place, [picture])
        return drawn.report(out)


def _read_workers(jobs: int, scheduler: str | None) -> Callable[[], AbstractContextManager[Team]]:
    """Return what hires those who compare vectors; raise `SettingsError`."""
    threads, cluster = Threads(check_jobs("--jobs", jobs)), check_cluster("--scheduler", scheduler)
    return partial(hired, threads, cluster, packages=["numpy"])


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What a map shows."""

    selected: Selected
    title: str
    middle: int | None
    folder: Path
    library: str
    around: Surroundings | None
    vectors: VectorPlaces | None
    notices: tuple[str, ...]

    def page(self, local: LocalPreviews | None, nearest: NearestLists) -> Iterator[bytes]:
        return encode_map(
            self.selected,
            self.title,
            ego=self.middle,
            library=self.library,
            around=self.around,
            local=local,
            vectors=self.vectors,
            nearest=nearest,
        )

    def report(self, out: Path) -> MapReport:
        drawn = len(self.around.near) if self.around else 0
        return MapReport(out, len(self.selected), self.selected.edge_count, out.stat().st_size, self.notices, drawn)


@contextmanager
def _drawn(
    library: LibraryLike,
    ego: SupportsIndex | None,
    depth: int,
    context: bool,
    title: str | None,
    layout: str,
    hire: Callable[[], AbstractContextManager[Team]],
    on_layout: Callable[[int, int], None] | None,
    selection: SelectKeywords,
) -> Iterator[_Drawn]:
    """Check the keywords of a map, and yield what it shows."""
    steps = check_whole("--depth", depth, DEPTH)
    middle = next(iter(check_sounds("--ego", ego)), None)
    check_layout(layout)
    chosen = read_selection(**selection)
    with open_view(library, on_disk=False) as view:
        shown = pick(view, chosen, middle, steps, context=context)
        table, told = find_table(view, shown.selected, layout)
        if on_layout is not None:
            on_layout(len(shown.selected), shown.selected.edge_count)
        vectors = None
        if table is not None:  # a map by edges starts no worker, and reaches no cluster
            with hire() as team:
                vectors = find_vector_places(table, team)
        name = path_text(view.folder.resolve().name)
        drawn = shown.selected, heading(name, title, middle), middle
        yield _Drawn(*drawn, view.folder, name, shown.around, vectors, (*shown.notices, *told))


class Picked(NamedTuple):
    """What a map shows, the sounds around it, and the notices."""

    selected: Selected
    around: Surroundings | None
    notices: tuple[str, ...]


def pick(view: LibraryView, chosen: Selection, middle: int | None, steps: int, *, context: bool) -> Picked:
    """Return what a map shows.

    That is the selection, or what lies within `steps` edges of the sound `middle`. Raises `SettingsError` when that
    sound is not selected.
    """
    selected, notices = select_from(view, chosen)
    if middle is not None:
        if middle not in selected:
            raise SettingsError(
                f"sound {middle} cannot be shown: it is not in the library, deleted, withdrawn, or filtered out"
            )
        selected = around(selected, middle, steps)
    outside = find_surroundings(selected) if context else None
    if outside is not None and outside.total > len(outside.near):
        which = f"{len(outside.near):,} of {counted(outside.total, 'sound')} around"
        notices += (f"--context: {which} are drawn, those with the most edges",)
    return Picked(selected, outside, notices)


def heading(name: str, title: str | None, middle: int | None) -> str:
    """Return the heading of a map, by default the name of its library."""
    return path_text(title) if title else name if middle is None else f"Around sound {middle}"


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

    `library` is a folder or an opened `Library`; None: the default folder. They show growth by date and, from the
    history of runs, the requests of each day; licenses, durations, degrees and tags. A missing folder is created; the
    files are durable on return, and after a crash each file is whole. Raises `SettingsError` without matplotlib;
    `LibraryNotFound`, `LibraryCorrupt`, `NewerFormat`, `DiskFull`, or `LibraryUnwritable`.
    """
    folder = read_path(path)
    with open_view(library, on_disk=False) as view, disk_errors(folder, "earlier pictures are whole"):
        past = load_history(view.folder)
        paths = save_plots(view.state, folder, past.runs)
        return PlotsReport(tuple(paths), (*view.notices, *past.notices))

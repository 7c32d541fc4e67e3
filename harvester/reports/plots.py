"""Plots of growth and coverage: `status --plot DIR`.

Owns the set of pictures: growth, license by category, durations, degrees, tags. Each is written as PNG and SVG,
atomically, and equal states give equal files. Needs no display, and does not use pyplot, whose state is global. Needs
matplotlib, which the extra `plot` installs.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected, SoundGraph, select
from harvester.reports.growth import INK, SOFT, draw_growth
from harvester.storage import write_atomically
from harvester.terminal_text import escape_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harvester.library import PastRun

_TOP_TAGS = 30
_TOP_CATEGORIES = 8
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "harvester",
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def save_plots(state: SoundGraph, folder: Path, runs: Sequence[PastRun] = ()) -> list[Path]:
    """Write all plots to `folder` as PNG and SVG; durable on return.

    `runs`: the library's history, oldest first. Returns the files. A missing folder is created. Raises `SettingsError`
    without matplotlib, and `OSError` when writing fails.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise SettingsError(missing("status --plot", "matplotlib", "plot")) from error
    folder.mkdir(parents=True, exist_ok=True)
    selected = select(state)
    written = []
    with rc_context(_STYLE):
        for name in ("growth", *_PICTURES):
            tall = name == "tags" or (name == "growth" and runs)
            figure = Figure(figsize=(8, 6 if tall else 4.5), layout="constrained")
            if name != "growth":
                _PICTURES[name](figure.add_subplot(), selected)
            elif not draw_growth(figure, selected, runs):
                _nothing(figure.add_subplot(), "Growth")
            for form in ("png", "svg"):
                path = folder / f"{name}.{form}"
                write_atomically(path, [_bytes(figure, form)])
                written.append(path)
                # The layout is half of the work, so both files share it.
                figure.set_layout_engine("none")
    return written


def _bytes(figure: Figure, form: str) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        # A tag in a script that the font lacks shows as boxes; one warning for each letter is of no use.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # A date in the file would make the files of equal pictures differ.
        figure.savefig(file, format=form, dpi=150, metadata={"Date": None} if form == "svg" else {"Software": None})
    return file.getvalue()


def _licenses(axes: Axes, selected: Selected) -> None:
    records = [sound for sound in selected.sounds() if sound.has_record]
    if not records:
        _nothing(axes, "License by category")
        return
    pairs = Counter((one.license_name, one.category or "none") for one in records)
    licenses, categories = _largest(pairs, 0), _largest(pairs, 1)[:_TOP_CATEGORIES]
    table = [[pairs[license, category] for category in categories] for license in licenses]
    axes.imshow(table, cmap="Blues", aspect="auto")
    axes.set_xticks(range(len(categories)), [_plain(one) for one in categories], rotation=30, ha="right")
    axes.set_yticks(range(len(licenses)), [_plain(one) for one in licenses])
    most = max(map(max, table))
    for row, counts in enumerate(table):
        for column, number in enumerate(counts):
            axes.text(
                column, row, f"{number:,}", ha="center", va="center", color="white" if number > most / 2 else "black"
            )
    axes.spines[:].set_visible(False)
    _name(axes, "License by category", "", "")


def _durations(axes: Axes, selected: Selected) -> None:
    lasting = [float(sound.duration) for sound in selected.sounds() if sound.duration]
    if not lasting:
        _nothing(axes, "Durations")
        return
    edges = [10 ** (power / 4) for power in range(-12, 21)]
    axes.hist(lasting, bins=[edge for edge in edges if edge <= max(lasting) * 2], color=INK)
    axes.set_xscale("log")
    marks = [one for one in (0.01, 0.1, 1, 10, 60, 600, 3_600) if one <= max(lasting) * 2]
    names: dict[float, str] = {60: "1 min", 600: "10 min", 3_600: "1 h"}
    axes.set_xticks(marks, [names.get(one, f"{one:g} s") for one in marks], minor=False)
    axes.minorticks_off()
    _name(axes, "Durations", "", "sounds")


def _degrees(axes: Axes, selected: Selected) -> None:
    heads = Counter(edge.target for edge in selected.edges())
    if not heads:
        _nothing(axes, "Degrees")
        return
    tally = Counter(heads.values())
    axes.loglog(sorted(tally), [tally[one] for one in sorted(tally)], "o", markersize=4, color=INK)
    from matplotlib.ticker import LogLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else "")
        axis.set_minor_formatter(lambda *_: "")
    _name(axes, "How many edges lead to a sound", "edges", "sounds")


def _tags(axes: Axes, selected: Selected) -> None:
    counts: Counter[str] = Counter()
    for sound in selected.sounds():
        counts.update({tag.lower() for tag in sound.tags})
    top = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP_TAGS]
    if not top:
        _nothing(axes, "Tags")
        return
    axes.barh(range(len(top)), [number for _, number in top], color=INK)
    axes.set_yticks(range(len(top)), [_plain(tag) for tag, _ in top], fontsize=8)
    axes.invert_yaxis()
    _name(axes, "Most frequent tags", "sounds", "")


_PICTURES: dict[str, Callable[[Axes, Selected], None]] = {
    "licenses": _licenses, "durations": _durations, "degrees": _degrees, "tags": _tags,
}  # fmt: skip


def _largest(pairs: Counter[tuple[str, str]], side: int) -> list[str]:
    sizes: Counter[str] = Counter()
    for pair, number in pairs.items():
        sizes[pair[side]] += number
    return [name for name, _ in sorted(sizes.items(), key=lambda one: (-one[1], one[0]))]


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _nothing(axes: Any, title: str) -> None:
    axes.text(0.5, 0.5, "nothing yet", ha="center", va="center", transform=axes.transAxes, color=SOFT)
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontweight="bold")


def _plain(text: str) -> str:
    """Return a text that matplotlib draws literally.

    Dollars are escaped, control characters removed, long texts shortened.
    """
    shown = "".join(char if ord(char) < 0x2E80 else "?" for char in escape_line(text)).replace("$", r"\$")
    return shown if len(shown) <= 30 else f"{shown[:29]}…"

"""Plots of growth and coverage: `status --plot DIR`.

Owns the set of pictures: growth with the quota's limit, license by category, durations, degrees, tags. Each is written
as PNG and SVG, atomically, and equal states give equal files. Needs no display, and does not use pyplot, whose state
is global. Only this module needs matplotlib, which the extra `plot` installs.
"""

from __future__ import annotations

import io
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harvester.clock import DAY_US, iso
from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import UNKNOWN_TIME, Selected, SoundGraph, select
from harvester.storage import write_atomically
from harvester.terminal_text import escape_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harvester.library import PastRun

DAILY_QUOTA = 2_000
"""The requests that a free key may send in a day, and so the most sounds that a day can process."""

_INK, _SECOND, _SOFT = "#3b62c9", "#e08a00", "#8b929c"
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
        for name, draw in _PICTURES.items():
            figure = Figure(figsize=(8, 6 if name == "tags" else 4.5), layout="constrained")
            if name == "growth" and len({run.ended for run in runs}) > 1:
                _growth_by_date(figure.add_subplot(), selected, runs)
            else:
                draw(figure.add_subplot(), selected)
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


def _stamps(selected: Selected, name: str) -> list[int]:
    known = (selected.state.attributes(sound_id).get(name) for sound_id in selected.sound_ids)
    return sorted(stamp for stamp in known if stamp not in (None, UNKNOWN_TIME))


def _growth(axes: Axes, selected: Selected) -> None:
    sounds, samples = _stamps(selected, "added_at"), _stamps(selected, "linked_at")
    if not sounds:
        _nothing(axes, "Growth")
        return
    first, last = sounds[0], max(sounds[-1], samples[-1] if samples else 0)
    unit_us, unit = (DAY_US, "days") if last - first >= 2 * DAY_US else (DAY_US // 24, "hours")
    if last - first < DAY_US // 24:
        unit_us, unit = DAY_US // 1_440, "minutes"
    for stamps, label, colour in ((sounds, "sounds known", _SECOND), (samples, "sounds processed", _INK)):
        times = [(stamp - first) / unit_us for stamp in stamps]
        axes.step(times, range(1, len(times) + 1), where="post", label=label, color=colour)
    end = (last - first) / unit_us
    allowed = [DAILY_QUOTA * (1 + int(at * unit_us / DAY_US)) for at in (0.0, end)]
    if samples and allowed[-1] < 5 * max(len(sounds), 1):
        days = range(int(end * unit_us / DAY_US) + 1)
        axes.step(
            [*(day * DAY_US / unit_us for day in days), end],
            [*(DAILY_QUOTA * (day + 1) for day in days), allowed[-1]],
            where="post",
            color=_SOFT,
            linestyle=":",
            label=f"limit of {DAILY_QUOTA:,} requests a day",
        )
    axes.set_ylim(bottom=0)
    _name(axes, f"Growth since {iso(first)[:10]}", unit, "number")
    axes.legend(frameon=False)


def _growth_by_date(axes: Axes, selected: Selected, runs: Sequence[PastRun]) -> None:
    """Draw what the library held after each run.

    Before the first one it is what the stamps of the sounds say.
    """
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    began_us = runs[0].started_at
    for name, total, label, colour in (
        ("added_at", "total_sounds", "sounds known", _SECOND),
        ("linked_at", "total_processed", "sounds processed", _INK),
    ):
        before = [stamp for stamp in _stamps(selected, name) if stamp < began_us]
        stamps = [*before, began_us, *(run.ended_at for run in runs)]
        # Two clones know different numbers until they are merged: the larger one counts.
        held = accumulate((getattr(run, total) for run in runs), max, initial=len(before))
        _dated(axes, stamps, [*range(1, len(before) + 1), *held], label, colour)
    stamps = [began_us, *(run.ended_at for run in runs)]
    _dated(axes, stamps, list(accumulate((run.requests for run in runs), initial=0)), "requests", _SOFT, linestyle=":")
    axes.set_ylim(bottom=0)
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]  # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    _name(axes, f"Growth in {len(runs):,} runs", "date (UTC)", "number")
    axes.legend(frameon=False)


def _dated(axes: Axes, stamps: list[int], numbers: list[int], label: str, colour: str, **style: Any) -> None:
    days = [stamp / DAY_US for stamp in sorted(stamps)]  # matplotlib counts days since 1970 too
    axes.step(days, numbers, where="post", label=label, color=colour, **style)


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
    axes.hist(lasting, bins=[edge for edge in edges if edge <= max(lasting) * 2], color=_INK)
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
    axes.loglog(sorted(tally), [tally[one] for one in sorted(tally)], "o", markersize=4, color=_INK)
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
    axes.barh(range(len(top)), [number for _, number in top], color=_INK)
    axes.set_yticks(range(len(top)), [_plain(tag) for tag, _ in top], fontsize=8)
    axes.invert_yaxis()
    _name(axes, "Most frequent tags", "sounds", "")


_PICTURES: dict[str, Callable[[Axes, Selected], None]] = {
    "growth": _growth, "licenses": _licenses, "durations": _durations, "degrees": _degrees, "tags": _tags,
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
    axes.text(0.5, 0.5, "nothing yet", ha="center", va="center", transform=axes.transAxes, color=_SOFT)
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontweight="bold")


def _plain(text: str) -> str:
    """Return a text that matplotlib draws literally.

    Dollars are escaped, control characters removed, long texts shortened.
    """
    shown = "".join(char if ord(char) < 0x2E80 else "?" for char in escape_line(text)).replace("$", r"\$")
    return shown if len(shown) <= 30 else f"{shown[:29]}…"

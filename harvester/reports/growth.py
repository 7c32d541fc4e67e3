"""The plot of growth by date, and of requests a day beside the quota.

What a run changed is drawn as a line from its start to its end, and nothing changes between runs. Until the history has
two runs, the stamps of the sounds say when each came. Needs matplotlib, as `plots` does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from harvester.clock import DAY_US, LATEST_US, SECOND_US, iso
from harvester.counts import counted
from harvester.graph import UNKNOWN_TIME, Selected

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from harvester.library import PastRun

DAILY_QUOTA = 2_000
"""The requests that a free key may send in a day, and so the most sounds that a day can process."""

INK, SECOND, SOFT = "#3b62c9", "#e08a00", "#8b929c"

_LEAST_SPAN_DAYS = SECOND_US / DAY_US
_LEAST_DAYS = 14
_MOST_DAYS = 1_000
_MOST_MARKS = 200
_CURVES = (
    ("added_at", "total_sounds", "sounds known", SECOND),
    ("linked_at", "total_processed", "sounds processed", INK),
)

Curve = tuple[list[int], list[int]]
"""Stamps, ascending, and the number at each."""


def draw_growth(figure: Figure, selected: Selected, runs: Sequence[PastRun]) -> bool:
    """Draw growth by date, and below it the requests of each day.

    `runs`: the history, oldest first; without one there are no requests to draw. Returns False, and draws nothing, for
    a library in which nothing has a date.
    """
    curves = [growth_curve(selected, runs, stamp, total) for stamp, total, _, _ in _CURVES]
    if not any(stamps for stamps, _ in curves):
        return False
    if not runs:
        _draw_curves(figure.add_subplot(), curves, runs)
        return True
    above, below = figure.subplots(2, gridspec_kw={"height_ratios": (2, 1)})
    _draw_curves(above, curves, runs)
    _draw_requests(below, requests_by_day(runs))
    return True


def growth_curve(selected: Selected, runs: Sequence[PastRun], stamp: str, total: str) -> Curve:
    """Return how many sounds there were, by the stamp or by the runs.

    Before the first run, and if there is only one, that is what the sounds' stamps `stamp` say; then the runs' `total`.
    """
    known = (selected.state.attributes(sound_id).get(stamp) for sound_id in selected.sound_ids)
    stamps = sorted(one for one in known if one not in (None, UNKNOWN_TIME))
    if len(runs) < 2:
        return ([stamps[0], *stamps], list(range(len(stamps) + 1))) if stamps else ([], [])
    before = [one for one in stamps if one < runs[0].started_at]
    times, numbers = before, list(range(1, len(before) + 1))
    # Two clones know different numbers until they are merged: the larger one counts.
    held = list(accumulate((getattr(run, total) for run in runs), max, initial=len(before)))
    for run, at_start, at_end in zip(runs, held, held[1:], strict=False):
        # Runs of two clones may overlap; the line goes on from where the other one ended.
        started = max(run.started_at, times[-1] if times else 0)
        times += [started, max(run.ended_at, started)]
        numbers += [at_start, at_end]
    return times, numbers


def requests_by_day(runs: Sequence[PastRun]) -> dict[int, float]:
    """Return how many requests each day sent, by days since 1970 in UTC.

    The requests of a run that lasted longer are spread evenly over its time. Only the newest 1,000 days are here.
    """
    last = max(run.ended_at for run in runs) // DAY_US
    counts: defaultdict[int, float] = defaultdict(float)
    for run in runs:
        started, ended = run.started_at, max(run.ended_at, run.started_at)
        first = max(started // DAY_US, last - _MOST_DAYS + 1)
        for day in range(first, ended // DAY_US + 1):
            within = min(ended, (day + 1) * DAY_US) - max(started, day * DAY_US)
            counts[day] += run.requests * (within / (ended - started) if ended > started else 1.0)
    return dict(counts)


def _draw_curves(axes: Axes, curves: Sequence[Curve], runs: Sequence[PastRun]) -> None:
    lines: dict[str, Any] = {"drawstyle": "steps-post"} if len(runs) < 2 else {}
    for (times, numbers), (_, _, label, colour) in zip(curves, _CURVES, strict=True):
        # matplotlib counts days since 1970 too.
        axes.plot([one / DAY_US for one in times], numbers, label=label, color=colour, **lines)
        if times:
            axes.annotate(
                f"{numbers[-1]:,}", (times[-1] / DAY_US, numbers[-1]), xytext=(4, 0), textcoords="offset points",
                va="center", color=colour, annotation_clip=False,
            )  # fmt: skip
    first = min(times[0] for times, _ in curves if times) / DAY_US
    last = max(times[-1] for times, _ in curves if times) / DAY_US
    span = max(last - first, _LEAST_SPAN_DAYS)
    _limit(axes, first - 0.02 * span, first + 1.02 * span)
    axes.set_ylim(bottom=0)
    if 1 < len(runs) <= _MOST_MARKS:
        ends = [run.ended_at / DAY_US for run in runs]
        label = counted(len(runs), "run")
        axes.plot(ends, [0] * len(ends), "|", color=SOFT, label=label, clip_on=False, markersize=9)
    _date(axes)
    axes.set_title(f"Growth since {iso(round(first * DAY_US))[:10]}", loc="left", fontweight="bold")
    axes.set_ylabel("sounds")
    _legend(axes)


def _draw_requests(axes: Axes, counts: dict[int, float]) -> None:
    first, last = min(counts), max(counts)
    first = min(first, last - _LEAST_DAYS + 1)
    axes.bar([day + 0.5 for day in counts], list(counts.values()), width=0.8, color=INK)
    if len(counts) <= _LEAST_DAYS:
        for day, number in counts.items():
            axes.text(day + 0.5, number, f"{number:,.0f}", ha="center", va="bottom", color=INK, fontsize=8)
    axes.axhline(DAILY_QUOTA, color=SOFT, linestyle=":", label=f"a free key may send {DAILY_QUOTA:,} a day")
    _limit(axes, first - 0.5, last + 1.5)
    axes.set_ylim(0, 1.25 * max(DAILY_QUOTA, *counts.values()))
    _date(axes)
    axes.set_title("Requests a day (UTC)", loc="left", fontweight="bold")
    axes.set_ylabel("requests")
    _legend(axes)


def _limit(axes: Axes, first: float, last: float) -> None:
    # A clock that was wrong leaves any year up to 9999 in a history; an axis of dates has no other.
    axes.set_xlim(max(first, 0), min(last, LATEST_US / DAY_US))


def _legend(axes: Axes) -> None:
    """Name the lines above the plot, where no line can be."""
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, fontsize=9, borderaxespad=0)


def _date(axes: Axes) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator: Any = AutoDateLocator(minticks=2, maxticks=8)  # type: ignore[no-untyped-call]  # it has no types here
    axes.xaxis.set_major_locator(locator)
    # A tick of seconds alone would not say that it is a time.
    clock = ["%Y", "%b", "%d", "%H:%M", "%H:%M", "%H:%M:%S"]
    formatter: Any = ConciseDateFormatter(locator, formats=clock)  # type: ignore[no-untyped-call]
    formatter.zero_formats = ["", "%Y", "%b", "%b %d", "%H:%M", "%H:%M"]
    formatter.offset_formats = ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d"]
    axes.xaxis.set_major_formatter(formatter)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")

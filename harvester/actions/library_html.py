"""Describe a library, or a part of it, as HTML for a notebook.

Shows counts, licenses and a growth line. Invariant: every text from the library is escaped, without control and bidi
characters. The colours are the notebook's own, light or dark; nothing is loaded and no script runs.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import Any

from harvester.counts import counted
from harvester.graph import Selected, SoundGraph
from harvester.reports import describe_content
from harvester.terminal_text import drop_controls

_WIDTH, _HEIGHT, _MARGIN = 320, 48, 3
_LONGEST = 120


def library_html(state: SoundGraph, folder: str, notices: Sequence[str]) -> str:
    """Return a fragment of HTML that describes the library."""
    counts = {"sounds": len(state), "processed": len(state.processed), "edges": state.edge_count}
    gone = {"gone": state.gone_count} if state.gone_count else {}
    return _fragment("Library", folder, counts | gone, describe_content(state), notices)


def selection_html(selected: Selected, folder: str, notices: Sequence[str]) -> str:
    """Return a fragment of HTML that describes a part of a library."""
    processed = len(selected.state.processed.intersection(selected.sound_ids))
    counts = {"sounds": len(selected), "processed": processed, "edges": selected.edge_count}
    content = describe_content(selected.state, selected.sound_ids)
    return _fragment("Selection", folder, counts, content, notices)


def _fragment(
    title: str, folder: str, counts: Mapping[str, int], content: Mapping[str, Any], notices: Sequence[str]
) -> str:
    facts = [(name, f"{count:,}") for name, count in counts.items()]
    facts += [("licenses", ", ".join(f"{_text(name)}: {count:,}" for name, count in content["licenses"].items()))]
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{name}</th><td style="text-align:left">{value}</td></tr>'
        for name, value in facts
        if value
    )
    said = "".join(f"<p>{_text(line)}</p>" for line in notices)
    return f"<div><p><b>{title}</b> {_text(folder)}</p><table>{rows}</table>{_growth(content['growth'])}{said}</div>"


def _growth(days: list[dict[str, Any]]) -> str:
    """Return a line of the number of sounds by day; empty without sounds.

    It starts with zero on the day before the first. A single day is told in words.
    """
    if not days:
        return ""
    if len(days) == 1:
        return f"<p>{counted(days[0]['sounds'], 'sound')}, all of {days[0]['day']}</p>"
    ordinals = [date.fromisoformat(day["day"]).toordinal() for day in days]
    totals = list(accumulate(day["sounds"] for day in days))
    first, last = ordinals[0] - 1, ordinals[-1]
    points = [
        (
            _MARGIN + (_WIDTH - 2 * _MARGIN) * (ordinal - first) / (last - first),
            _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * total / totals[-1],
        )
        for ordinal, total in zip([first, *ordinals], [0, *totals], strict=True)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    label = f"{counted(totals[-1], 'sound')}, first {days[0]['day']}, latest {days[-1]['day']}"
    return (
        f'<svg role="img" aria-label="{label}" width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f'<title>{label}</title><polyline points="{line}" fill="none" stroke="currentColor" stroke-width="2" '
        f'stroke-linejoin="round"/></svg><p>{label}</p>'
    )


def _text(text: str) -> str:
    shown = " ".join(drop_controls(text).split())
    cut = shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
    return f"<bdi>{html.escape(cut)}</bdi>"

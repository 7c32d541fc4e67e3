"""Measure texts in millimetres with the fonts of matplotlib."""

from __future__ import annotations

from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

_MM = 25.4 / 72
_LINE = 1.25
"""The height of a line by the size of its letters."""


@lru_cache(maxsize=4096)
def size_mm(text: str, size_pt: float, *, bold: bool = False) -> tuple[float, float]:
    """Return the width and the height of a text of one line."""
    if not text.strip():
        return 0.0, size_pt * _LINE * _MM
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    # A dollar sign would begin a formula.
    path = TextPath((0, 0), text.replace("$", "S"), size=size_pt, prop=font)
    return float(path.get_extents().width) * _MM, size_pt * _LINE * _MM


def text_mm(text: str, size_pt: float) -> float:
    """Return the width of a text."""
    return size_mm(text, size_pt)[0]


def cut_to(text: str, width_mm: float, size_pt: float, *, bold: bool = False) -> str:
    """Return a text, shortened with an ellipsis to a width."""
    if size_mm(text, size_pt, bold=bold)[0] <= width_mm:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if size_mm(f"{text[:middle].rstrip()}…", size_pt, bold=bold)[0] <= width_mm:
            low = middle
        else:
            high = middle - 1
    return f"{text[:low].rstrip()}…"

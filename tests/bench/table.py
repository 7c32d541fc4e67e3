"""What a bench brings home: a table that prints itself, for people or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """The median of several runs, and their spread."""

    median: float
    low: float
    high: float
    runs: int

    def __str__(self) -> str:
        return f"{_text(self.median)} ({_text(self.low)}-{_text(self.high)})"


@dataclass
class Table:
    """A bench's result. A figure that is a float is shown with three significant digits."""

    title: str
    columns: Sequence[str]
    rows: list[Sequence[object]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        cells = [[_text(cell) for cell in row] for row in self.rows]
        widths = [max(len(row[at]) for row in [list(self.columns), *cells]) for at in range(len(self.columns))]
        rows = [self.columns, ["-" * width for width in widths], *cells]
        numbers = [
            all(not isinstance(row[at], str) or row[at] == "-" for row in self.rows) for at in range(len(widths))
        ]
        found = [
            "  ".join(
                cell.rjust(width) if is_number else cell.ljust(width)
                for cell, width, is_number in zip(row, widths, numbers, strict=True)
            ).rstrip()
            for row in rows
        ]
        return [self.title, *found, *self.notes]

    def markdown(self) -> list[str]:
        rows = [self.columns, ["---"] * len(self.columns), *([_text(cell) for cell in row] for row in self.rows)]
        return [f"**{self.title}**", "", *(f"| {' | '.join(row)} |" for row in rows), "", *self.notes]


def _text(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}" if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)

"""Write counts with their noun, and values without an exponent."""

from __future__ import annotations


def counted(number: int, one: str, many: str = "") -> str:
    """Return a count with its noun: `1 sound`, `1,234 sounds`.

    `many` are the words for other numbers than 1; by default, `one` with an s.
    """
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def graph_size(sounds: int, edges: int, processed: int | None = None) -> str:
    """Return `2 sounds, 1 edge`, or `2 sounds (1 processed), 1 edge`."""
    inner = "" if processed is None else f" ({processed:,} processed)"
    return f"{counted(sounds, 'sound')}{inner}, {counted(edges, 'edge')}"


def plain_number(value: float) -> str:
    """Return a number with commas and about six digits: `1,000,000`, `0.5`.

    Only numbers from 10**12 on or below 0.0001 have an exponent.
    """
    short = f"{value:,.6g}"
    return f"{value:,.12g}" if "e" in short else short

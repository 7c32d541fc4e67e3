"""Write counts with their noun, and values without an exponent."""

from __future__ import annotations


def counted(number: int, what: str) -> str:
    """Return a count with its noun: `1 sound`, `1,234 sounds`.

    The plural of `what` must end in a plain s.
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def plain_number(value: float) -> str:
    """Return a number with commas and about six digits: `1,000,000`, `0.5`.

    Only numbers from 10**12 on or below 0.0001 have an exponent.
    """
    short = f"{value:,.6g}"
    return f"{value:,.12g}" if "e" in short else short

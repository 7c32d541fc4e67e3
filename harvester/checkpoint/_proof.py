"""What a walk over a checkpoint does with a file that it cannot prove."""

from __future__ import annotations


class _NotProven(ValueError):
    pass


def prove(holds: bool) -> None:
    """Raise `ValueError` unless this holds: the file is then not proven."""
    if not holds:
        raise _NotProven

"""Hear the lines that a run tells at every verbosity."""

from __future__ import annotations

from collections.abc import Callable

from harvester.told import OnTold, Told


def lines_to(hear: Callable[[str], None]) -> OnTold:
    """Return a listener that passes each line to `hear`, except those that only `verbose` tells."""

    def listen(told: Told) -> None:
        if not told.level.verbosity:
            hear(told.line)

    return listen

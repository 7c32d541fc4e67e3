"""What can be wrong with a plugin: each name says it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

from harvester import ExportView, FilesFormat, GraphView, TextFormat

WRONG = {"help": "not a format"}


def _raising(view: ExportView) -> Iterator[str]:
    yield "first piece\n"
    raise LookupError("no sound is loud enough")


def _numbers(view: ExportView) -> Iterator[Any]:
    yield len(view)


def _late(view: ExportView) -> Iterator[str]:
    yield "half of the content"
    sys.exit("too late")


def _halves(view: ExportView) -> Iterator[str]:
    yield "half a pair: \ud800, an escape: \x1b[2J\n"


RAISING = TextFormat(help="Raises", encode=_raising)
NUMBERS = TextFormat(help="Gives numbers", encode=_numbers)
NO_OUT = FilesFormat(help="Has no OUT", encode=lambda view: {"edges": ["text"]})
OUTSIDE = FilesFormat(help="Leaves the folder", encode=lambda view: {"": ["text"], "/../../outside": ["text"]})
LATE = FilesFormat(help="Fails in its last file", encode=lambda view: {"": _late(view), "edges": ["new edges"]})
HALVES = TextFormat(help="Text that UTF-8 cannot hold", encode=_halves)


def failing_start(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    raise LookupError(f"no seed among {len(graph.seeds)}")


def no_function(graph: GraphView, random_seed: int) -> int:
    return random_seed


def nan(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    return lambda sound_id: float("nan")


def texts(graph: GraphView, random_seed: int) -> Callable[[int], str]:
    return lambda sound_id: "first"


def leaving_order(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    return lambda sound_id: sys.exit("an order ends the process")


def huge(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    return lambda sound_id: 10**400


def half(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    """Rank even ids, larger ones first; raise for odd ones."""

    def rank(sound_id: int) -> float:
        if sound_id % 2:
            raise LookupError("odd")
        return -sound_id

    return rank

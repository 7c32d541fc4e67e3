"""A plugin for harvester: the formats `tags` and `pairs`, and the order `shortest`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from harvester import ExportView, FilesFormat, GraphView, TextFormat


def _tags(view: ExportView) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for sound in view.sounds():
        counts.update(sound.tags)
    yield json.dumps(counts, ensure_ascii=False, sort_keys=True) + "\n"


TAGS = TextFormat(help="Tags with counts", encode=_tags, syntax="json")


def _names(view: ExportView) -> Iterator[str]:
    for sound in view.sounds():
        yield f"{sound.id} {sound.name}\n"


def _pairs(view: ExportView) -> Iterator[bytes]:
    for edge in view.edges():
        yield edge.source.to_bytes(8) + edge.target.to_bytes(8)


def _files(view: ExportView) -> Mapping[str, Iterable[bytes] | Iterable[str]]:
    return {"": _names(view), "pairs": _pairs(view)}


PAIRS = FilesFormat(help="Names as text, and edges as pairs of 64-bit numbers", encode=_files)


def shortest(graph: GraphView, random_seed: int) -> Callable[[int], float]:
    """Rank the shortest sounds first."""
    return lambda sound_id: graph.value(sound_id, "duration") or 0.0

"""A keeper of blocks in memory."""

from __future__ import annotations

from typing import Any

from harvester.checkpoint import ListFacts, RecordFacts, RecordSegment


class BlocksInMemory:
    """Knows what it has kept, as an index does."""

    def __init__(self) -> None:
        self.records: dict[bytes, RecordFacts] = {}
        self.lists: dict[bytes, ListFacts] = {}
        self.segments: list[RecordSegment] = []
        self.content: dict[int, list[Any]] = {}
        self.new = 0

    def known_records(self, digest: bytes) -> RecordFacts | None:
        return self.records.get(digest)

    def known_lists(self, digest: bytes) -> ListFacts | None:
        return self.lists.get(digest)

    def begin(self, kept: set[bytes], new: int) -> None:
        self.new = new
        self.segments.clear()

    def keep_records(
        self, segment: RecordSegment, facts: RecordFacts, records: list[tuple[int, dict[str, Any]]] | None
    ) -> None:
        self.segments.append(segment)
        self.records[segment.digest] = facts
        for sound_id, attributes in records or ():
            self.content[sound_id] = [attributes, *self.content.get(sound_id, [{}, {}, {}])[1:]]

    def keep_lists(
        self, digest: bytes, facts: ListFacts, lists: list[tuple[int, dict[str, Any], dict[int, dict[str, Any]]]]
    ) -> None:
        self.lists[digest] = facts
        for sound_id, link, edges in lists:
            self.content[sound_id][1:] = [link, edges]

"""Decide which records and notes of an answer the journal gets: those that say something new.

A fresh record is not written again unless it was asked for by id or has fields that are not known. Nothing is written
of a withdrawn sound. Reads graph and notes, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from harvester.graph import is_withdrawn
from harvester.model import Note, Record, RecordsPage, Seen, Vector, is_complete
from harvester.pipeline.ports import SoundStore


class News:
    """Turns records and findings into the events and notes that a run should keep."""

    def __init__(self, store: SoundStore) -> None:
        self._store = store
        self._state = store.state

    def of(self, records: Sequence[Record], fetched_at: int) -> list[Seen]:
        """Return the events of those records that say anything new."""
        return [
            self.seen(record, fetched_at) for record in records if self._state.is_news(record["id"], record, fetched_at)
        ]

    def reread(self, page: RecordsPage, sound_ids: Sequence[int]) -> list[Seen]:
        """Return the events of fresh records that were asked for by id: the run wants to know what they are now."""
        asked = set(sound_ids)
        return [
            self.seen(record, page.fetched_at)
            for record in page.records
            if record["id"] in asked
            and is_complete(record)
            and not self.is_withdrawn(record["id"])
            and not self._state.is_news(record["id"], record, page.fetched_at)
        ]

    def seen(self, record: Record, fetched_at: int) -> Seen:
        """Return the event of a record, stamped later than what it replaces."""
        sound_id = record["id"]
        return Seen(sound_id, record, self._state.stamp(sound_id, "fetched_at", fetched_at))

    def marks(self, topic: str, sound_ids: Sequence[int], text: str) -> list[Note]:
        """Return the notes under `topic` that do not say `text` of these sounds yet."""
        known = self._store.notes.get(topic, {})
        return [Note(topic, sound_id, text) for sound_id in sound_ids if known.get(sound_id) != text]

    def vectors(self, page: RecordsPage) -> dict[int, Vector]:
        """Return the vectors of a page, but for those of withdrawn sounds."""
        return {i: vector for i, vector in page.vectors.items() if not self.is_withdrawn(i)}

    def is_withdrawn(self, sound_id: int) -> bool:
        """Tell whether a sound was withdrawn: the join would blank its texts, but not what the journal says of it."""
        return sound_id in self._state and is_withdrawn(self._state.attributes(sound_id))

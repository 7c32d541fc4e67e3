"""Decide which records, notes and vectors of an answer are journalled.

A fresh record is written again only if it was fetched by id or has new fields. Nothing about a withdrawn sound is
written. Reads graph and notes, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from harvester.graph import is_withdrawn
from harvester.model import Note, Record, RecordsPage, Seen, Vector, is_complete
from harvester.pipeline.ports import SoundStore
from harvester.pipeline.scope import MATCHES, NO_VECTOR_YET, Scope


class News:
    """Turns records and findings into the events and notes to journal."""

    def __init__(self, store: SoundStore) -> None:
        self._store = store
        self._state = store.state

    def new_records(self, records: Sequence[Record], fetched_at: int) -> list[Seen]:
        """Return the events of the records that are new or newer."""
        return [
            self.seen(record, fetched_at) for record in records if self._state.is_news(record["id"], record, fetched_at)
        ]

    def reread_records(self, page: RecordsPage, sound_ids: Sequence[int]) -> list[Seen]:
        """Return events of fresh records fetched by id: they renew the stamp."""
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
        """Return the event of a record, stamped later than the known one."""
        sound_id = record["id"]
        return Seen(sound_id, record, self._state.stamp(sound_id, "fetched_at", fetched_at))

    def new_notes(self, topic: str, sound_ids: Sequence[int], text: str) -> list[Note]:
        """Return notes `text` under `topic` for sounds that lack that note."""
        known = self._store.notes.get(topic, {})
        return [Note(topic, sound_id, text) for sound_id in sound_ids if known.get(sound_id) != text]

    def hit_notes(self, scope: Scope, hits: Sequence[int], page: RecordsPage) -> list[Note]:
        """Return notes that these sounds are hits, with or without a vector."""
        topic, vectors = scope.topic, scope.plan.vectors
        lacking = [sound_id for sound_id in hits if sound_id not in page.vectors] if vectors else []
        complete = [sound_id for sound_id in hits if sound_id in page.vectors] if vectors else hits
        return [*self.new_notes(topic, complete, MATCHES), *self.new_notes(topic, lacking, NO_VECTOR_YET)]

    def vectors(self, page: RecordsPage) -> dict[int, Vector]:
        """Return the vectors of a page, without those of withdrawn sounds."""
        return {i: vector for i, vector in page.vectors.items() if not self.is_withdrawn(i)}

    def is_withdrawn(self, sound_id: int) -> bool:
        """Tell whether a sound is withdrawn.

        The graph would drop its texts, but the journal would keep them.
        """
        return sound_id in self._state and is_withdrawn(self._state.attributes(sound_id))

"""What of an answer is worth writing down: records that are news, and notes that are not there yet.

Keeps: a fresh record is not written again unless it was asked for by id or has fields that are not known; nothing is
written of a sound that was forgotten. Reads graph and notes, never changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harvester.graph import is_withdrawn
from harvester.model import Event, Note, Record, RecordsPage, Seen, Vector, is_complete
from harvester.pipeline.messages import Store
from harvester.pipeline.walk import MATCHES, NO_VECTOR_YET, Walk


class News:
    """Turns records and findings into the events and notes that a run should keep."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state = store.state

    def of(self, records: Sequence[Record], fetched_at: int) -> list[Event]:
        """Return the events of those records that say anything new."""
        return [
            self.seen(record, fetched_at) for record in records if self._state.is_news(record["id"], record, fetched_at)
        ]

    def reread(self, page: RecordsPage, wanted: Sequence[int]) -> list[Event]:
        """Give what was asked for by id even where it is fresh: somebody wants to know what it is now."""
        asked = set(wanted)
        return [
            self.seen(record, page.fetched_at)
            for record in page.records
            if record["id"] in asked
            and is_complete(record)
            and not self.is_forgotten(record["id"])
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

    def hits(self, walk: Walk, found: Sequence[int], page: RecordsPage) -> list[Note]:
        """Return the notes that these sounds are hits of the walk's sweep; of one for vectors, which have none yet."""
        bare = [i for i in found if i not in page.vectors] if walk.vectors else []
        hits = [i for i in found if i in page.vectors] if walk.vectors else found
        return [*self.marks(walk.topic, hits, MATCHES), *self.marks(walk.topic, bare, NO_VECTOR_YET)]

    def vectors(self, page: RecordsPage) -> dict[int, Vector]:
        """Return the vectors of a page, but for those of sounds that were forgotten."""
        return {i: vector for i, vector in page.vectors.items() if not self.is_forgotten(i)}

    def is_forgotten(self, sound_id: int) -> bool:
        """Tell whether a sound was withdrawn: the join would blank its texts, but not what the journal says of it."""
        return sound_id in self._state and is_withdrawn(self._state.attributes(sound_id))


def without_repeats(events: Iterable[Event]) -> list[Event]:
    """Return the events of one commit without records that an earlier one of them has brought already.

    What is news was asked of each answer before any of them was in the graph.
    """
    brought: dict[int, Record] = {}
    kept: list[Event] = []
    for event in events:
        if isinstance(event, Seen):
            earlier = brought.setdefault(event.sound_id, event.record)
            if earlier is not event.record and is_complete(earlier) and event.record.keys() <= earlier.keys():
                continue
        kept.append(event)
    return kept

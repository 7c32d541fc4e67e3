"""Queries on a state: known, pending and new sounds, and its events.

Owns the graph, the counts and the sets beside it, and only reads them: `graph.state` makes every change. A node's
attributes are the record's fields plus OWN_FIELDS. An edge A→B with `score` means that B was in A's similar list; an
edge with `relation` (a sorted list of kinds) was imported or computed; `weights` has the weights of some kinds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from harvester.clock import DAY_US, LATEST_US
from harvester.graph.attributes import GONE_FIELDS, is_gone, is_withdrawn, record_of
from harvester.graph.measures import MEASURES, Measures
from harvester.graph.merge_rules import similar_of
from harvester.graph.sound import Sound
from harvester.model import (
    SPACES,
    Event,
    Gone,
    Known,
    Linked,
    Record,
    Related,
    Seeded,
    Seen,
    SimilarList,
    Withdrawn,
    is_complete,
)

if TYPE_CHECKING:
    from harvester.graph.lazy_digraph import LibraryGraph

FRESH_US = DAY_US
"""A complete record younger than this is not replaced by one that comes with a similar list."""


class KnownSounds:
    """The state of one library, read-only.

    `processed` has the ids of the sounds with a complete record and a similar list, `seeds` the sounds that harvests
    started from, `source` the catalogue's identity (empty until the first response), `has_weights` whether a relation
    has a weight. `measures` has what an analysis of this library computed for its sounds, if one was loaded.
    """

    def __init__(self, source: str = "", space: str = SPACES[0]) -> None:
        self.processed: set[int] = set()
        self.seeds: set[int] = set()
        self.source = source
        self.space = space
        self.edge_count = 0
        self.list_count = 0
        self.record_count = 0
        self.gone_count = 0
        self.has_weights = False
        self.measures: Mapping[int, Measures] = {}

    @cached_property
    def graph(self) -> LibraryGraph:
        """The NetworkX DiGraph of the sounds, with integer ids."""
        # NetworkX takes a tenth of a second to import: an answer from an index has a smaller graph, and no need of it.
        from harvester.graph.lazy_digraph import LibraryGraph

        return LibraryGraph()

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self.graph._node

    def __len__(self) -> int:
        return len(self.graph)

    def attributes(self, sound_id: int) -> dict[str, Any]:
        """Return a sound's attributes as they are now.

        Callers must not change them. Those of a packed sound are made for each call: `graph.value` gives one of them.
        """
        attributes: dict[str, Any] = self.graph._node[sound_id]
        return attributes

    def is_gone(self, sound_id: int) -> bool:
        """Tell whether views must hide the sound."""
        return is_gone(self.graph.some(sound_id, GONE_FIELDS))

    def measures_of(self, sound_id: int) -> dict[str, Any]:
        """Return a sound's measures by name, to show them with its attributes.

        Without nulls, and without those that its record has a field of the same name for.
        """
        found = self.measures.get(sound_id)
        if found is None:
            return {}
        attributes = self.attributes(sound_id)
        values = ((name, getattr(found, name)) for name in MEASURES if name not in attributes)
        return {name: value for name, value in values if value is not None}

    def sound(self, sound_id: int) -> Sound:
        """Return a sound with typed attributes, which are those of now."""
        return Sound(sound_id, self.graph._node[sound_id], sound_id in self.processed)

    def name_of(self, sound_id: int) -> str | None:
        """Return a sound's name, or None without one."""
        return self.sound(sound_id).name

    def sounds(self, sound_ids: Iterable[int]) -> Iterator[Sound]:
        """Yield these sounds in the order in which they are read fastest."""
        return map(self.sound, sound_ids)

    def record(self, sound_id: int) -> Record | None:
        """Return the sound's record as the API sent it, or None without one."""
        if sound_id not in self.graph._node:
            return None
        attributes = self.attributes(sound_id)
        return record_of(attributes) if "fetched_at" in attributes else None

    def has_record(self, sound_id: int) -> bool:
        """Tell whether the library has the sound's complete record."""
        return sound_id in self.graph._node and is_complete(self.attributes(sound_id))

    def similar(self, sound_id: int) -> SimilarList | None:
        """Return the sound's similar list, or None when there is none yet."""
        if sound_id not in self.graph._node:
            return None
        return similar_of(self.attributes(sound_id), self.graph._adj[sound_id])

    def pending(self) -> Iterator[int]:
        """Yield every pending sound: the frontier is derived, never stored."""
        return (sound_id for sound_id in self.graph if self.is_pending(sound_id))

    def is_pending(self, sound_id: int) -> bool:
        """Tell whether a sound still needs its record or its similar list.

        A sound that is gone or processed needs neither, whatever filter its list was fetched with: only a refresh
        fetches a list again.
        """
        return sound_id not in self.processed and not self.is_gone(sound_id)

    def matching(self, filter: str) -> set[int]:
        """Return the sounds known to match `filter`.

        Those are the sounds with a list fetched with it, and those in such lists.
        """
        found: set[int] = set()
        for sound_id, attributes in self.graph._node.items():
            if attributes.get("link_filter") == filter:
                found.add(sound_id)
                found.update(target for target, edge in self.graph._adj[sound_id].items() if "score" in edge)
        return found

    def is_news(self, sound_id: int, record: Record, now_us: int) -> bool:
        """Tell whether a received record must be saved.

        It must when the sound is new, when its known record is incomplete or stale, or when this record has fields that
        the known one lacks. A record of a withdrawn sound never is.
        """
        known = self.graph._node.get(sound_id)
        if known is None:
            return True
        if is_withdrawn(known):
            return False
        if not is_complete(record):
            return not is_complete(known)
        return not record.keys() <= known.keys() or now_us - known["fetched_at"] >= FRESH_US

    def stamp(self, sound_id: int, field: str, now_us: int) -> int:
        """Return a stamp for a new value of `field`, later than the old one.

        In microseconds UTC. Of a record and a tombstone the later stamp wins, so a new stamp is later than both. The
        maximum is LATEST_US: a later stamp could not be read back, and a merged file may hold LATEST_US itself.
        """
        if sound_id not in self.graph._node:
            return now_us
        rivals = ("fetched_at", "gone_at") if field in ("fetched_at", "gone_at") else (field,)
        attributes = self.attributes(sound_id)
        return min(LATEST_US, max(now_us, *(int(attributes.get(name, -1)) + 1 for name in rivals)))

    def events(self, among: Collection[int] | None = None) -> Iterator[Event]:
        """Yield the state as events, or only the sounds in `among`.

        Applied to an empty graph, they rebuild it.
        """
        among = self.graph._node if among is None else among
        yield Seeded(tuple(sorted(self.seeds)))
        for sound_id in among:
            attributes = self.attributes(sound_id)
            yield Known(sound_id, attributes["added_at"])
            if "fetched_at" in attributes:
                yield from self._records(sound_id, attributes)
            if "gone_at" in attributes:
                yield Gone(sound_id, attributes["gone_at"])
            if "withdrawn_at" in attributes:
                yield Withdrawn(sound_id, attributes["withdrawn_at"])
        for sound_id in among:
            similar = self.similar(sound_id)
            if similar is not None:
                yield Linked(sound_id, similar)
            yield from self._relations(sound_id)

    def _records(self, sound_id: int, attributes: dict[str, Any]) -> Iterator[Seen]:
        apart = attributes.get("extra_stamps", {})
        record = {name: value for name, value in record_of(attributes).items() if name not in apart}
        yield Seen(sound_id, record, attributes["fetched_at"])
        for name, stamp in apart.items():
            # A record with one field is incomplete: only its extra field can win.
            yield Seen(sound_id, {"id": sound_id, name: attributes[name]}, stamp)

    def _relations(self, sound_id: int) -> Iterator[Related]:
        known_at = self.attributes(sound_id)["added_at"]
        for target_id, edge in self.graph._adj[sound_id].items():
            for relation in edge.get("relation", ()):
                at = max(known_at, self.attributes(target_id)["added_at"])
                yield Related(sound_id, target_id, relation, at, edge.get("weights", {}).get(relation))

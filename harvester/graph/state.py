"""The whole state of a library in memory, and every change of it.

The state is a join-semilattice: `apply` merges one event, `join` merges another state, and the order does not matter.
Journal replay, resume and merge all use this operation. Knows nothing of files, sockets or clocks. Not thread-safe: one
writer owns it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harvester.errors import WrongSource
from harvester.graph.attributes import OWN_FIELDS, RELATION_FIELDS, blanked, core_of, is_gone, is_withdrawn, record_of
from harvester.graph.canonical import CanonicalForm
from harvester.graph.merge_rules import (
    best_first,
    extras_of,
    is_same,
    list_wins,
    newer_extras,
    record_wins,
    with_weight,
)
from harvester.graph.queries import KnownSounds
from harvester.library_source import join_sources
from harvester.model import (
    SPACES,
    Event,
    Gone,
    Known,
    Linked,
    Related,
    Seeded,
    Seen,
    Withdrawn,
    is_complete,
)


class Compared(NamedTuple):
    """New sounds of another state, and those that differ."""

    new: list[int]
    differing: list[int]


@dataclass(slots=True)
class ChangedSounds:
    """Sounds whose content changed since the last `clear`, by id.

    `records`: known ones whose own attributes changed; `lists`: known ones whose list or edges did. `added`: new ones,
    which need not be in either, and known ones whose `added_at` changed. An id may be there without a change.
    """

    records: set[int] = field(default_factory=set)
    lists: set[int] = field(default_factory=set)
    added: set[int] = field(default_factory=set)

    def all(self) -> set[int]:
        """Return the ids of all of them."""
        return self.added | self.records | self.lists

    def clear(self) -> None:
        """Forget all changes: the state is that of a file."""
        self.records.clear()
        self.lists.clear()
        self.added.clear()


class SoundGraph(KnownSounds):
    """The state of one library, and the only way to change it."""

    def __init__(self, source: str = "", space: str = SPACES[0]) -> None:
        super().__init__(source, space)
        self._form = CanonicalForm()
        self.changed = ChangedSounds()

    @classmethod
    def adopt(
        cls,
        nodes: dict[int, dict[str, Any]],
        edges: dict[int, dict[int, dict[str, Any]]],
        *,
        seeds: Iterable[int] = (),
        source: str = "",
        space: str = SPACES[0],
    ) -> SoundGraph:
        """Build a state from valid attributes and out-edges; it keeps them.

        `nodes` has attributes by id, `edges` has out-edges by source and target. Every end of an edge must be in
        `nodes`, and `edges` must have an entry for each node. The result equals applying the same content as events,
        but is much faster: checkpoints are loaded with it.
        """
        state = cls(source, space)
        state.graph.adopt(nodes, edges)
        state.edge_count = sum(map(len, edges.values()))
        state._form.share(nodes.values())
        state._count(nodes)
        state.seeds.update(seeds)
        return state

    def in_memory(self) -> SoundGraph:
        """Return the same state with all of its sounds in memory, as dicts.

        They are this state's own dicts, unless it lends them.
        """
        return _adopted(*self._parts())

    def __reduce__(self) -> Any:
        # Another process, or a later one, has neither this one's files nor what it packed.
        return _adopted, self._parts()

    def _parts(self) -> tuple[dict[int, Any], dict[int, Any], dict[str, Any]]:
        about = {"source": self.source, "space": self.space, "seeds": self.seeds}
        beside = {"has_weights": self.has_weights, "measures": self.measures}
        return dict(self.graph._node.items()), dict(self.graph._adj.items()), about | beside

    def take_record(self, sound_id: int, attributes: dict[str, Any]) -> None:
        """Add a new sound with these canonical attributes, and pack them.

        Checkpoints are loaded sound by sound with this and `take_list`, into a new state.
        """
        self._form.share((attributes,))
        self._count({sound_id: attributes})
        self.graph.pack(sound_id, attributes)

    def take_list(self, sound_id: int, link: dict[str, Any], edges: dict[int, dict[str, Any]]) -> None:
        """Add a similar list's attributes, if any, and all edges of a sound.

        The caller adds the sound to `processed`, if it is complete.
        """
        if link:
            link = {name: self._form.text(value) if type(value) is str else value for name, value in link.items()}
            self.graph.extend(sound_id, link)
            self.list_count += 1
        self.edge_count += len(edges)
        self.graph.relink(sound_id, edges)

    def apply(self, event: Event) -> None:
        """Merge one event into the state; repeats and order do not matter."""
        match event:
            case Seen():
                self._apply_seen(event)
            case Linked():
                self._apply_linked(event)
            case Known():
                self._know(event.sound_id, event.added_at)
            case Gone():
                self._apply_gone(event)
            case Withdrawn():
                self._apply_withdrawn(event)
            case Related():
                self._apply_related(event)
            case Seeded():
                self.seeds.update(event.sound_ids)

    def compare(self, other: SoundGraph) -> Compared:
        """Return the sounds that joining another state would add or may change.

        Raises `WrongSource` when the two come from different catalogues, or hold lists of different similarity spaces.
        """
        if join_sources(self.source, other.source) is None:
            raise WrongSource(f"these libraries come from different sources: {self.source} and {other.source}")
        if self.list_count and other.list_count and self.space != other.space:
            raise WrongSource(f"these libraries have different similarity spaces: {self.space} and {other.space}")
        mine, theirs = self.graph, other.graph
        return Compared(
            new=[sound_id for sound_id in theirs._node if sound_id not in mine._node],
            differing=[
                sound_id
                for sound_id, attributes in theirs._node.items()
                if sound_id in mine._node
                and not (
                    is_same(mine._node[sound_id], attributes) and is_same(mine._adj[sound_id], theirs._adj[sound_id])
                )
            ],
        )

    def join(self, other: SoundGraph, compared: Compared | None = None) -> None:
        """Merge another state into this one.

        `compared` may pass the result of `compare` to save the time. Raises `WrongSource` like `compare`; then nothing
        is changed.
        """
        new, differing = compared or self.compare(other)
        self.source = join_sources(self.source, other.source) or ""
        if not self.list_count:
            self.space = other.space if other.list_count else max(self.space, other.space)
        self.has_weights = self.has_weights or other.has_weights
        theirs = other.graph
        taken = {sound_id: dict(theirs._node[sound_id]) for sound_id in new}
        self._form.share(taken.values())
        for sound_id, attributes in taken.items():
            self._add(sound_id, attributes)
        self._count(taken)
        for sound_id in new:
            # New sounds need no comparison. The edges' dicts are copied; values inside records never change.
            edges = {target: dict(edge) for target, edge in theirs._adj[sound_id].items()}
            self.graph.relink(sound_id, edges)
            self.edge_count += len(edges)
        for event in other.events(differing):
            self.apply(event)

    def _count(self, added: Mapping[int, dict[str, Any]]) -> None:
        """Update the counts for sounds that were just added."""
        for sound_id, attributes in added.items():
            if "fetched_at" in attributes:
                self.record_count += 1
            if "gone_at" in attributes or "withdrawn_at" in attributes:
                self.gone_count += is_gone(attributes)
            if "linked_at" in attributes:
                self.list_count += 1
                self._settle(sound_id, attributes)

    def _know(self, sound_id: int, added_at: int) -> None:
        """Add a sound if it is new; the earliest `added_at` is kept."""
        if sound_id not in self.graph._node:
            self._add(sound_id, {"added_at": added_at})
        elif added_at < self.graph.value(sound_id, "added_at"):
            self.changed.records.add(sound_id)
            self.changed.added.add(sound_id)
            self.graph.own(sound_id)["added_at"] = added_at

    def _add(self, sound_id: int, attributes: dict[str, Any]) -> None:
        self.changed.added.add(sound_id)
        self.graph.know(sound_id, attributes)

    def _apply_seen(self, event: Seen) -> None:
        if event.sound_id not in self.graph._node:
            # Most records of a harvest belong to new sounds: there is no record to compare them with.
            record = event.record if event.record.keys().isdisjoint(OWN_FIELDS) else record_of(event.record)
            stamps = {"added_at": event.fetched_at, "fetched_at": event.fetched_at}
            self._add(event.sound_id, self._form.attributes({**record, **stamps}))
            self.record_count += 1
            return
        self._know(event.sound_id, event.fetched_at)
        attributes = self.attributes(event.sound_id)
        known_at = attributes.get("fetched_at")
        wins = known_at is None or record_wins(event, attributes)
        newer = newer_extras(event, attributes)
        if not wins and not newer:
            return
        self.changed.records.add(event.sound_id)
        was_gone, had_record = is_gone(attributes), known_at is not None
        extras = {**extras_of(attributes), **newer}
        own = {name: attributes[name] for name in OWN_FIELDS if name in attributes}
        own["fetched_at"] = fetched_at = event.fetched_at if wins else known_at
        own["extra_stamps"] = {name: extra.stamp for name, extra in extras.items() if extra.stamp != fetched_at}
        if not own["extra_stamps"]:
            del own["extra_stamps"]
        record = core_of(event.record if wins else attributes)
        record |= {name: extra.value for name, extra in extras.items()}
        if is_withdrawn(own):
            record = blanked(record)
        # Keep the dict object: readers of the graph refer to it.
        attributes = self.graph.own(event.sound_id)
        attributes.clear()
        attributes.update(self._form.attributes({**record, **own}))
        self.record_count += not had_record
        self.gone_count += is_gone(attributes) - was_gone
        self._settle(event.sound_id, attributes)

    def _apply_linked(self, event: Linked) -> None:
        sound_id, new = event.sound_id, event.similar
        self._know(sound_id, new.linked_at)
        for one, _ in new.neighbours:
            self._know(one, new.linked_at)
        own_ids = {one: self.graph.shared_id(one) for one, _ in new.neighbours}
        known = self.similar(sound_id)
        if known is None:
            self.list_count += 1
            if self.list_count == 1:
                # A library has one similarity space: that of its first list.
                self.space = new.space
        elif not list_wins(new, known):
            return
        self.changed.lists.add(sound_id)
        known_edges = self.graph._adj[sound_id]
        edges: dict[int, dict[str, Any]] = {
            own_ids[target]: {"score": score} for target, score in sorted(new.neighbours, key=best_first)
        }
        for target in sorted(target for target, edge in known_edges.items() if "relation" in edge):
            edge = edges.setdefault(target, {})
            edge |= {name: known_edges[target][name] for name in RELATION_FIELDS if name in known_edges[target]}
        self.edge_count += len(edges) - len(known_edges)
        self.graph.relink(sound_id, edges)
        attributes = self.graph.own(sound_id)
        attributes["linked_at"] = new.linked_at
        attributes["link_origin"] = self._form.text(new.origin)
        attributes["link_space"] = self._form.text(new.space)
        attributes["link_limit"] = new.limit
        attributes["link_filter"] = self._form.text(new.filter)
        self._settle(sound_id, attributes)

    def _apply_gone(self, event: Gone) -> None:
        self.changed.records.add(event.sound_id)
        self._know(event.sound_id, event.gone_at)
        attributes = self.graph.own(event.sound_id)
        was_gone = is_gone(attributes)
        attributes["gone_at"] = max(event.gone_at, attributes.get("gone_at", event.gone_at))
        self.gone_count += is_gone(attributes) - was_gone

    def _apply_withdrawn(self, event: Withdrawn) -> None:
        self.changed.records.add(event.sound_id)
        self._know(event.sound_id, event.withdrawn_at)
        attributes = self.graph.own(event.sound_id)
        if is_withdrawn(attributes):
            attributes["withdrawn_at"] = min(event.withdrawn_at, attributes["withdrawn_at"])
            return
        was_gone = is_gone(attributes)
        attributes.update(blanked(record_of(attributes)))
        attributes["withdrawn_at"] = event.withdrawn_at
        self.gone_count += not was_gone

    def _apply_related(self, event: Related) -> None:
        self.changed.lists.add(event.sound_id)
        self._know(event.sound_id, event.known_at)
        self._know(event.target_id, event.known_at)
        edges = self.graph.own_edges(event.sound_id)
        known = edges.get(event.target_id)
        if known is None:
            known = {}
            self.graph.link(event.sound_id, event.target_id, known)
            self.edge_count += 1
        # The dict and the list in it may be those of another state too: replace them, never change them.
        known["relation"] = sorted({event.relation, *known.get("relation", ())})
        if event.weight is not None:
            self.has_weights = True
            known["weights"] = with_weight(known.get("weights", {}), event.relation, event.weight)

    def _settle(self, sound_id: int, attributes: dict[str, Any]) -> None:
        if "linked_at" in attributes and is_complete(attributes):
            self.processed.add(sound_id)


def _adopted(
    nodes: dict[int, dict[str, Any]],
    edges: dict[int, dict[int, dict[str, Any]]],
    about: dict[str, Any],
) -> SoundGraph:
    state = SoundGraph.adopt(nodes, edges, seeds=about["seeds"], source=about["source"], space=about["space"])
    state.has_weights, state.measures = about["has_weights"], about["measures"]
    return state

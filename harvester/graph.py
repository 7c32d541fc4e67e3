"""SoundGraph: the whole state of a library in memory, and its algebra.

Owns the NetworkX graph, the set of processed sounds and the seeds. The state is a join-semilattice: `apply` joins
one event, `join` a whole state, and the order of either never matters (design §5). Journal replay, resume and merge
are this one operation. Knows nothing of files, sockets or clocks; not thread-safe, one writer owns it.

Node attributes are the record's fields under the API's names plus OWN_FIELDS; an edge A→B with `score` says that B
was in A's similar list, one with `relation` (a sorted list of kinds) comes from an older tool. A withdrawn sound keeps
its numbers and its place, never a text or a link.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import networkx as nx

from harvester.clock import DAY_US
from harvester.errors import WrongSource
from harvester.model import (
    RECORD_FIELDS,
    SERVER,
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

OWN_FIELDS = (
    "added_at",
    "fetched_at",
    "linked_at",
    "link_origin",
    "link_space",
    "link_limit",
    "link_filter",
    "gone_at",
    "withdrawn_at",
)
"""What we add to a record: when the sound was first known, when its record and its similar list were fetched and how
the list was asked for, when it was found gone, when a person took it out. Stamps in microseconds UTC."""

STAMPS = tuple(name for name in OWN_FIELDS if name.endswith("_at"))

KEPT_WHEN_WITHDRAWN = frozenset({"id", "type", "license", "category", "subcategory", "gen_ai_preference"})
"""The fields of a withdrawn record that keep a text: none of them tells what the sound is called, where or whose."""

SHARED_TEXTS = frozenset(
    {"username", "license", "type", "category", "subcategory", "pack", "pack_name", "gen_ai_preference", "geotag"}
)
"""Fields whose texts recur from sound to sound: kept once in memory."""

FRESH_US = DAY_US
"""A complete record younger than this is not rewritten by what a neighbour list brings."""

_RANK = {name: rank for rank, name in enumerate((*RECORD_FIELDS, *OWN_FIELDS))}


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return field names in the canonical order of a node's attributes: record, our own, then unknown ones."""
    return tuple(sorted(names, key=lambda name: (_RANK.get(name, len(_RANK)), name)))


def canonical_bytes(value: object) -> bytes:
    """Return a JSON value as bytes that are equal for equal content: the last tie-breaker of the join."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()


def record_of(attributes: dict[str, Any]) -> Record:
    """Return the record in a node's attributes, without what we added to it."""
    return {name: value for name, value in attributes.items() if name not in OWN_FIELDS}


def blanked(record: Record) -> Record:
    """Return a record as it is kept of a withdrawn sound: numbers and the plainest facts stay, the rest is null."""
    return {
        name: value if name in KEPT_WHEN_WITHDRAWN or not isinstance(value, str | list | dict) else None
        for name, value in record.items()
    }


def is_withdrawn(attributes: dict[str, Any]) -> bool:
    """Tell whether a person took the sound out."""
    return "withdrawn_at" in attributes


def is_gone(attributes: dict[str, Any]) -> bool:
    """Tell whether nobody should see the sound: it was withdrawn, or its tombstone is newer than its record."""
    if "withdrawn_at" in attributes:
        return True
    gone_at = attributes.get("gone_at")
    return gone_at is not None and gone_at > attributes.get("fetched_at", -1)


def similar_of(attributes: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> SimilarList | None:
    """Return a node's similar list from its attributes and its out-edges, or None when it has none."""
    linked_at = attributes.get("linked_at")
    if linked_at is None:
        return None
    scored = ((target, edge["score"]) for target, edge in neighbours.items() if "score" in edge)
    return SimilarList(
        neighbours=tuple(sorted(scored, key=_best_first)),
        linked_at=linked_at,
        limit=attributes["link_limit"],
        space=attributes["link_space"],
        filter=attributes["link_filter"],
        origin=attributes["link_origin"],
    )


def _best_first(neighbour: tuple[int, float]) -> tuple[float, int]:
    return (-neighbour[1], neighbour[0])


def _list_rank(similar: SimilarList) -> tuple[bool, bool, int, int]:
    """Order similar lists: server before computed, unfiltered before filtered; then of the unfiltered the longer limit
    first and the later stamp after it, of the filtered the later stamp first: those answer different questions."""
    unfiltered = similar.filter == ""
    last = (similar.limit, similar.linked_at) if unfiltered else (similar.linked_at, similar.limit)
    return (similar.origin == SERVER, unfiltered, *last)


def _list_bytes(similar: SimilarList) -> bytes:
    return canonical_bytes([similar.space, similar.filter, similar.origin, similar.neighbours])


class SoundGraph:
    """The state of one library.

    `graph` is the NetworkX DiGraph (integer ids), `processed` the ids of all samples, `seeds` the sounds that
    harvests were started from, `source` the catalogue's identity (empty until the first answer).
    """

    def __init__(self, source: str = "", space: str = SPACES[0]) -> None:
        self.graph: nx.DiGraph = nx.DiGraph()
        self.processed: set[int] = set()
        self.seeds: set[int] = set()
        self.source = source
        self.space = space
        self.edge_count = 0
        self.list_count = 0
        self.record_count = 0
        self.gone_count = 0
        self._texts: dict[str, str] = {}
        self._orders: dict[tuple[str, ...], tuple[str, ...]] = {}

    # --- reading -------------------------------------------------------------------------------------------------

    def __contains__(self, sound_id: int) -> bool:
        return sound_id in self.graph

    def __len__(self) -> int:
        return len(self.graph)

    def attributes(self, sound_id: int) -> dict[str, Any]:
        """Return the node's own attributes (the live dict: not to be changed by the caller)."""
        attributes: dict[str, Any] = self.graph.nodes[sound_id]
        return attributes

    def record(self, sound_id: int) -> Record | None:
        """Return the sound's record as the API gave it, or None while there is none."""
        if sound_id not in self.graph:
            return None
        attributes = self.attributes(sound_id)
        return record_of(attributes) if "fetched_at" in attributes else None

    def has_record(self, sound_id: int) -> bool:
        """Tell whether the sound's complete record is here."""
        return sound_id in self.graph and is_complete(self.attributes(sound_id))

    def similar(self, sound_id: int) -> SimilarList | None:
        """Return the sound's similar list, or None while there is none."""
        if sound_id not in self.graph:
            return None
        return similar_of(self.attributes(sound_id), self.graph.succ[sound_id])

    def pending(self, filter: str = "") -> Iterator[int]:
        """Give the frontier of a walk under `filter`: every sound that is pending for it. Derived, never stored."""
        return (sound_id for sound_id in self.graph if self.is_pending(sound_id, filter))

    def is_pending(self, sound_id: int, filter: str = "") -> bool:
        """Tell whether a known sound still needs its list, and is not gone.

        A list made under another filter does not count: neither for a walk without one, nor for a different one. A
        list without a filter counts for every walk.
        """
        attributes = self.attributes(sound_id)
        if is_gone(attributes):
            return False
        return sound_id not in self.processed or attributes["link_filter"] not in ("", filter)

    def matching(self, filter: str) -> set[int]:
        """Return the sounds known to match `filter`: those in lists that were made under it, on either side."""
        found: set[int] = set()
        for sound_id, attributes in self.graph.nodes.items():
            if attributes.get("link_filter") == filter:
                found.add(sound_id)
                found.update(target for target, edge in self.graph.succ[sound_id].items() if "score" in edge)
        return found

    def is_news(self, sound_id: int, record: Record, now_us: int) -> bool:
        """Tell whether a record that came along is worth keeping: the sound is new, was partial, or has gone stale."""
        if sound_id not in self.graph:
            return True
        attributes = self.attributes(sound_id)
        if is_withdrawn(attributes):
            return False
        if not is_complete(attributes):
            return True
        return is_complete(record) and now_us - attributes["fetched_at"] >= FRESH_US

    def stamp(self, sound_id: int, field: str, now_us: int) -> int:
        """Return a stamp for a new value of the sound's `field`, never behind the one it replaces.

        A record and a tombstone contradict each other by their stamps: each new one is later than both.
        """
        if sound_id not in self.graph:
            return now_us
        rivals = ("fetched_at", "gone_at") if field in ("fetched_at", "gone_at") else (field,)
        attributes = self.attributes(sound_id)
        return max(now_us, *(int(attributes.get(name, -1)) + 1 for name in rivals))

    def events(self) -> Iterator[Event]:
        """Give the whole state as events: applying them to an empty graph gives an equal one."""
        yield Seeded(tuple(sorted(self.seeds)))
        for sound_id, attributes in self.graph.nodes.items():
            yield Known(sound_id, attributes["added_at"])
            if "fetched_at" in attributes:
                yield Seen(sound_id, record_of(attributes), attributes["fetched_at"])
            if "gone_at" in attributes:
                yield Gone(sound_id, attributes["gone_at"])
            if "withdrawn_at" in attributes:
                yield Withdrawn(sound_id, attributes["withdrawn_at"])
        for sound_id in self.graph:
            similar = self.similar(sound_id)
            if similar is not None:
                yield Linked(sound_id, similar)
            yield from self._relations(sound_id)

    def _relations(self, sound_id: int) -> Iterator[Related]:
        known_at = self.attributes(sound_id)["added_at"]
        for target_id, edge in self.graph.succ[sound_id].items():
            for relation in edge.get("relation", ()):
                yield Related(sound_id, target_id, relation, max(known_at, self.attributes(target_id)["added_at"]))

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
        """Return the state made of checked attributes by id and out-edges by source and target; it keeps the dicts.

        Every end of an edge must be in `nodes`, and `edges` must have an entry for each node. Equal to applying the
        same content as events, in a fraction of the time: this is how a checkpoint is loaded.
        """
        state = cls(source, space)
        texts = state._texts
        for attributes in nodes.values():
            for name in SHARED_TEXTS & attributes.keys():
                text = attributes[name]
                if type(text) is str:
                    attributes[name] = texts.setdefault(text, text)
        predecessors: dict[int, dict[int, dict[str, Any]]] = {sound_id: {} for sound_id in nodes}
        for source_id, neighbours in edges.items():
            state.edge_count += len(neighbours)
            for target_id, edge in neighbours.items():
                predecessors[target_id][source_id] = edge
        # What NetworkX documents for subclasses; its public way copies each of a million edge dicts one by one.
        state.graph._node, state.graph._adj, state.graph._pred = nodes, edges, predecessors
        for sound_id, attributes in nodes.items():
            state.record_count += "fetched_at" in attributes
            state.gone_count += is_gone(attributes)
            state.list_count += "linked_at" in attributes
            state._settle(sound_id, attributes)
        state.seeds.update(seeds)
        return state

    def freeze(self) -> None:
        """Let nobody add or remove nodes or edges any more: for views that others hold."""
        nx.freeze(self.graph)

    # --- joining -------------------------------------------------------------------------------------------------

    def apply(self, event: Event) -> None:
        """Join one event into the state. Applying it again, or in another order, gives the same state."""
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

    def join(self, other: SoundGraph) -> None:
        """Join another state into this one.

        Raises `WrongSource` when the two come from different catalogues, or hold lists of different similarity
        spaces; nothing is changed then.
        """
        if self.source and other.source and self.source != other.source:
            raise WrongSource(f"these libraries come from different sources: {self.source} and {other.source}")
        if self.list_count and other.list_count and self.space != other.space:
            raise WrongSource(f"these libraries have different similarity spaces: {self.space} and {other.space}")
        self.source = self.source or other.source
        if not self.list_count:
            self.space = other.space if other.list_count else max(self.space, other.space)
        for event in other.events():
            self.apply(event)

    def _know(self, sound_id: int, added_at: int) -> dict[str, Any]:
        """Return the attributes of a node that is there from now on, at the earliest stamp it was known."""
        if sound_id not in self.graph:
            self.graph.add_node(sound_id, added_at=added_at)
            return self.attributes(sound_id)
        attributes = self.attributes(sound_id)
        attributes["added_at"] = min(attributes["added_at"], added_at)
        return attributes

    def _apply_seen(self, event: Seen) -> None:
        attributes = self._know(event.sound_id, event.fetched_at)
        known_at = attributes.get("fetched_at")
        if known_at is not None and not self._record_wins(event, attributes):
            return
        was_gone, had_record = is_gone(attributes), known_at is not None
        own = {name: attributes[name] for name in OWN_FIELDS if name in attributes}
        own["fetched_at"] = event.fetched_at
        record = blanked(event.record) if is_withdrawn(own) else event.record
        # The dict object stays: the sound cache and readers of the graph hold it.
        attributes.clear()
        attributes.update(self._canonical({**record, **own}))
        self.record_count += not had_record
        self.gone_count += is_gone(attributes) - was_gone
        self._settle(event.sound_id, attributes)

    def _record_wins(self, event: Seen, attributes: dict[str, Any]) -> bool:
        rank = (is_complete(event.record), event.fetched_at)
        known_rank = (is_complete(attributes), attributes["fetched_at"])
        if rank != known_rank:
            return rank > known_rank
        # Blanked first: so the winner is the same whether a withdrawal came before this or comes after it.
        record, known = event.record, record_of(attributes)
        blank, known_blank = canonical_bytes(blanked(record)), canonical_bytes(blanked(known))
        if blank != known_blank:
            return blank > known_blank
        return not is_withdrawn(attributes) and canonical_bytes(record) > canonical_bytes(known)

    def _apply_linked(self, event: Linked) -> None:
        sound_id, new = event.sound_id, event.similar
        attributes = self._know(sound_id, new.linked_at)
        for neighbour_id, _ in new.neighbours:
            self._know(neighbour_id, new.linked_at)
        known = self.similar(sound_id)
        if known is None:
            self.list_count += 1
            if self.list_count == 1:
                # One space per library: the first list tells which.
                self.space = new.space
        elif not _list_wins(new, known):
            return
        edges = self.graph.succ[sound_id]
        before = len(edges)
        kept = {target: edge["relation"] for target, edge in edges.items() if "relation" in edge}
        self.graph.remove_edges_from([(sound_id, target) for target in edges])
        for target, score in sorted(new.neighbours, key=_best_first):
            self.graph.add_edge(sound_id, target, score=score)
        for target in sorted(kept):
            self.graph.add_edge(sound_id, target, relation=kept[target])
        self.edge_count += len(self.graph.succ[sound_id]) - before
        for name in ("linked_at", "link_origin", "link_space", "link_limit", "link_filter"):
            attributes.pop(name, None)
        later: dict[str, Any] = {
            name: attributes.pop(name) for name in ("gone_at", "withdrawn_at") if name in attributes
        }
        attributes["linked_at"] = new.linked_at
        attributes["link_origin"] = self._text(new.origin)
        attributes["link_space"] = self._text(new.space)
        attributes["link_limit"] = new.limit
        attributes["link_filter"] = self._text(new.filter)
        attributes.update(later)
        self._settle(sound_id, attributes)

    def _apply_gone(self, event: Gone) -> None:
        attributes = self._know(event.sound_id, event.gone_at)
        was_gone = is_gone(attributes)
        attributes["gone_at"] = max(event.gone_at, attributes.get("gone_at", event.gone_at))
        self.gone_count += is_gone(attributes) - was_gone

    def _apply_withdrawn(self, event: Withdrawn) -> None:
        attributes = self._know(event.sound_id, event.withdrawn_at)
        if is_withdrawn(attributes):
            attributes["withdrawn_at"] = min(event.withdrawn_at, attributes["withdrawn_at"])
            return
        was_gone = is_gone(attributes)
        attributes.update(blanked(record_of(attributes)))
        attributes["withdrawn_at"] = event.withdrawn_at
        self.gone_count += not was_gone

    def _apply_related(self, event: Related) -> None:
        self._know(event.sound_id, event.known_at)
        self._know(event.target_id, event.known_at)
        edges = self.graph.succ[event.sound_id]
        known = edges.get(event.target_id)
        if known is None:
            self.graph.add_edge(event.sound_id, event.target_id, relation=[event.relation])
            self.edge_count += 1
        else:
            known["relation"] = sorted({event.relation, *known.get("relation", ())})

    def _settle(self, sound_id: int, attributes: dict[str, Any]) -> None:
        if "linked_at" in attributes and is_complete(attributes):
            self.processed.add(sound_id)

    # --- canonical form ------------------------------------------------------------------------------------------

    def _canonical(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return attributes as the library keeps them: keys in order, recurring texts once, containers its own."""
        names = tuple(attributes)
        order = self._orders.get(names)
        if order is None:
            order = self._orders[names] = tuple(self._text(name) for name in in_order(names))
        kept: dict[str, Any] = {}
        for name in order:
            value = attributes[name]
            if type(value) is str:
                kept[name] = self._text(value) if name in SHARED_TEXTS else value
            elif isinstance(value, list | dict):
                kept[name] = self._own(value, shared=name == "tags")
            else:
                kept[name] = value
        return kept

    def _own(self, value: Any, *, shared: bool) -> Any:
        if isinstance(value, dict):
            return {self._text(name): self._own(value[name], shared=shared) for name in sorted(value)}
        if isinstance(value, list):
            return [self._own(element, shared=shared) for element in value]
        return self._text(value) if shared and type(value) is str else value

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)


def _list_wins(new: SimilarList, known: SimilarList) -> bool:
    rank, known_rank = _list_rank(new), _list_rank(known)
    if rank != known_rank:
        return rank > known_rank
    return _list_bytes(new) > _list_bytes(known)

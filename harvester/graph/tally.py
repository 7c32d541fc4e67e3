"""Count a library's content in counts that add up and subtract.

Owns what each sound and each edge contributes to the counts. So the counts of a changed library are those of before,
less what the changed sounds contributed then, plus what they contribute now; the other sounds are not read. The
earliest and the latest stamp do not subtract: the caller gives those of the sounds that are left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from harvester.clock import DAY_US
from harvester.graph.attributes import UNKNOWN_TIME, is_gone
from harvester.graph.edges import EVERY_EDGE
from harvester.graph.queries import KnownSounds
from harvester.graph.sound import Sound
from harvester.model import COMPUTED, is_complete

_DAYS = ("sound_days", "sample_days")


class Extremes(NamedTuple):
    """Stamps of some sounds, in microseconds UTC.

    `oldest` is the time and the id of the record that was fetched longest ago, of those of known time; sounds that are
    gone have none. `newest_us` is the time of the newest record, similar list or tombstone, 0 without any.
    """

    oldest: tuple[int, int] | None = None
    newest_us: int = 0

    def join(self, other: Extremes) -> Extremes:
        """Return the extremes of the sounds of both."""
        known = [one for one in (self.oldest, other.oldest) if one is not None]
        return Extremes(min(known, default=None), max(self.newest_us, other.newest_us))


@dataclass(slots=True)
class LibraryTally:
    """The counts of some sounds, and of the edges from and to them.

    `numbers` has those that are one number each. `kinds` counts all edges by kind, `hidden_kinds` those from or to
    sounds that are gone. Days are counted from 1970 on. A counter never has a zero.
    """

    numbers: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    hidden_kinds: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    gen_ai_wishes: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    tags: Counter[str] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    sound_days: Counter[int] = field(default_factory=Counter)
    sample_days: Counter[int] = field(default_factory=Counter)
    extremes: Extremes = field(default_factory=Extremes)

    @classmethod
    def of(cls, state: KnownSounds) -> LibraryTally:
        """Return the counts of a whole state."""
        tally = cls.of_sounds(state, state.graph)
        gone = {sound_id for sound_id in state.graph if state.is_gone(sound_id)}
        for sound_id in state.graph:
            hides = sound_id in gone
            for target, edge in state.graph.succ[sound_id].items():
                tally.count_edge(edge, is_hidden=hides or target in gone)
        return tally

    @classmethod
    def of_sounds(cls, state: KnownSounds, sound_ids: Iterable[int]) -> LibraryTally:
        """Return the counts of these sounds without any edges."""
        tally = cls()
        for sound_id in sound_ids:
            attributes = state.attributes(sound_id)
            tally.count_record(sound_id, attributes)
            tally.count_list(attributes)
            tally.count_standing(attributes, is_gone=state.is_gone(sound_id), is_processed=sound_id in state.processed)
        return tally

    @classmethod
    def around(cls, state: KnownSounds, sound_ids: Collection[int]) -> LibraryTally:
        """Return the counts of these sounds with all edges from and to them.

        An edge between two of them counts once. The state must know which sounds at other ends are gone; sounds that
        are not in it count nothing.
        """
        ids = {sound_id for sound_id in sound_ids if sound_id in state}
        tally = cls.of_sounds(state, ids)
        for sound_id in ids:
            hides = state.is_gone(sound_id)
            for target, edge in state.graph.succ[sound_id].items():
                tally.count_edge(edge, is_hidden=hides or state.is_gone(target))
            for source, edge in state.graph.pred[sound_id].items():
                if source not in ids:
                    tally.count_edge(edge, is_hidden=hides or state.is_gone(source))
        return tally

    def count_record(self, sound_id: int, attributes: Mapping[str, Any]) -> None:
        """Count what a sound's own attributes say, without its list."""
        gone = is_gone(attributes)
        self.numbers["nodes"] += 1
        fetched_at, oldest = attributes.get("fetched_at"), None
        newest = max(fetched_at or 0, attributes.get("gone_at", 0))
        if attributes["added_at"] != UNKNOWN_TIME:
            self.sound_days[attributes["added_at"] // DAY_US] += 1
        if gone:
            self.numbers["gone"] += 1
        elif fetched_at is not None:
            if fetched_at != UNKNOWN_TIME:
                oldest = fetched_at, sound_id
            sound = Sound(sound_id, attributes)
            self.licenses[sound.license or ""] += 1
            self.gen_ai_wishes[sound.gen_ai_wish] += 1
            self.categories[sound.category or "none"] += 1
            self.users[sound.username or "unknown"] += 1
            self.tags.update({tag.lower() for tag in sound.tags})
        self.extremes = self.extremes.join(Extremes(oldest, newest))

    def count_list(self, attributes: Mapping[str, Any]) -> None:
        """Count the similar list, if the attributes have one."""
        linked_at = attributes.get("linked_at")
        if linked_at is not None:
            self.numbers["lists"] += 1
            if attributes["link_origin"] == COMPUTED:
                self.numbers["computed_lists"] += 1
            self.extremes = self.extremes.join(Extremes(newest_us=linked_at))

    def count_standing(self, attributes: dict[str, Any], *, is_gone: bool, is_processed: bool) -> None:
        """Count what record and list together say of a sound."""
        if is_processed:
            self.numbers["processed"] += 1
            if attributes["linked_at"] != UNKNOWN_TIME:
                self.sample_days[attributes["linked_at"] // DAY_US] += 1
        elif not is_gone:
            self.numbers["pending"] += 1
            if not is_complete(attributes):
                self.numbers["without_record"] += 1

    def count_edge(self, edge: Mapping[str, Any], *, is_hidden: bool = False) -> None:
        """Count an edge; it is hidden if an end of it is gone."""
        kinds = EVERY_EDGE.kinds_of(edge)
        self.numbers["edges"] += 1
        self.kinds.update(kinds)
        if is_hidden:
            self.numbers["hidden_edges"] += 1
            self.hidden_kinds.update(kinds)

    def add(self, other: LibraryTally) -> None:
        """Add the counts of other sounds and edges."""
        for name in _COUNTERS:
            getattr(self, name).update(getattr(other, name))
        self.extremes = self.extremes.join(other.extremes)

    def subtract(self, part: LibraryTally, left: Extremes) -> None:
        """Subtract the counts of a part; `left` are the extremes of the rest."""
        for name in _COUNTERS:
            counter: Counter[Any] = getattr(self, name)
            for key, number in getattr(part, name).items():
                counter[key] -= number
                if not counter[key]:
                    del counter[key]
        self.extremes = left

    def plain(self) -> dict[str, Any]:
        """Return the counts as a JSON value."""
        found: dict[str, Any] = {name: dict(getattr(self, name)) for name in _COUNTERS}
        found |= {name: [[day, number] for day, number in found[name].items()] for name in _DAYS}
        return found | {"extremes": list(self.extremes)}

    @classmethod
    def read(cls, plain: Mapping[str, Any]) -> LibraryTally:
        """Return the counts in a value of `plain`."""
        counters = {name: Counter(dict(plain[name])) for name in _COUNTERS}
        oldest, newest_us = plain["extremes"]
        return cls(**counters, extremes=Extremes(oldest and (oldest[0], oldest[1]), newest_us))


_COUNTERS = tuple(one.name for one in fields(LibraryTally) if one.name != "extremes")

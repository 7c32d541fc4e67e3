"""Collect what a file of data brings: whole sounds, records, edges.

Owns how a row that cannot be used is counted and named, and the one form of an edge in foreign data. A record or an
edge of foreign data is kept as an older tool's: `old_library` converts it, field by field.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from harvester.errors import LibraryCorrupt
from harvester.importing.formats import OldLibrary
from harvester.importing.names import weight_of
from harvester.importing.records import ImportTally, label
from harvester.importing.whole import WholeLibrary
from harvester.model import read_sound_id

_MOST_NAMED = 5
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}(?:[.]0+)?")
_KINDS = ("relation", "kind", "edge_type", "type")
_DIRECTIONS = {"directed", "undirected", "mutual"}
"""What Gephi writes into the column `Type` of its edges."""
_EDGE_NAMES = {"score", "weight", "weights", "similarity", *_KINDS}
_NOT_OURS = {"id", "key", "label", "source", "target", "timeset"}
"""Attributes of an edge that say nothing about it, and are dropped without a word."""


class FileContent:
    """What was found in one file: whole sounds, facts, foreign content."""

    def __init__(self, form: str, tally: ImportTally, relation: str) -> None:
        """Begin with nothing.

        `form` says what the file is, `relation` is the kind of an edge that has none.
        """
        self.old = OldLibrary(form, relation=relation)
        self.whole = WholeLibrary()
        self.tally = tally
        self.has_facts = False
        self.takes_edges = False
        """Whether edges stand in a file beside this one."""
        self._places: dict[int, str] = {}
        self._bad: list[str] = []
        self._bad_count: Counter[str] = Counter()

    def add_record(self, place: str, key: Any, record: dict[Any, Any]) -> int | None:
        """Add a foreign record, or count its row as bad; return its id.

        Raises `LibraryCorrupt` for a sound that stands twice, and for a number that no sound has.
        """
        sound_id = self.sound_id(place, key)
        if sound_id is None:
            self.add_bad(place, "rows without the id of a sound")
            return None
        self._claim(place, sound_id)
        if record.keys() - {"id"}:
            self.old.records.append((sound_id, {**record, "id": sound_id}, None))
        else:
            self.old.nodes.append((sound_id, {}))
        return sound_id

    def sound_id(self, place: str, key: Any) -> int | None:
        """Return the id that a cell holds, also as text, or None.

        Raises `LibraryCorrupt` for a whole number that is no sound's.
        """
        if isinstance(key, str):
            key = key.strip()
            if _WHOLE_NUMBER.fullmatch(key):
                key = int(key.partition(".")[0])
        found = read_sound_id(key)
        if found is None and type(key) is int:
            raise LibraryCorrupt(f"{place}: {str(key)[:40]} is not a sound's id: ids are whole numbers from 1")
        return found

    def _claim(self, place: str, sound_id: int) -> None:
        known = self._places.get(sound_id) or self.whole.place_of(sound_id)
        if known:
            raise LibraryCorrupt(f"{place}: sound {sound_id} stands in {known} already")
        self._places[sound_id] = place

    def add_edge(
        self, place: str, source: Any, target: Any, named: Mapping[str, Any], *, both_ways: bool = False
    ) -> None:
        """Add a foreign edge, or count its row as bad.

        `named` has its attributes by name. A score makes it one of a similar list, anything else a relation.
        """
        source_id, target_id = self.sound_id(place, source), self.sound_id(place, target)
        if source_id is None or target_id is None:
            self.add_bad(place, "edges without two sounds")
            return
        if source_id == target_id:
            self.add_bad(place, "edges from a sound to itself")
            return
        try:
            parts = list(_parts_of(named))
        except ValueError as error:
            self.add_bad(place, str(error))
            return
        for name in named.keys() - _EDGE_NAMES - _NOT_OURS:
            self.tally.dropped[f"attribute {label(name)} of edges"] += 1
        for part in parts:
            self.old.edges.append((source_id, target_id, part))
            if both_ways:
                self.old.edges.append((target_id, source_id, part))

    def add_bad(self, place: str, what: str) -> None:
        """Count a row that cannot be used."""
        self._bad_count[what] += 1
        if len(self._bad) < _MOST_NAMED:
            self._bad.append(place)

    @property
    def notices(self) -> tuple[str, ...]:
        """One line about the rows that were left out, if there are any."""
        count = self._bad_count.total()
        if not count:
            return ()
        whats = ", ".join(f"{what} ({number:,})" for what, number in sorted(self._bad_count.items()))
        places = ", ".join(self._bad) + (", …" if count > len(self._bad) else "")
        return (f"not imported: {whats}; see {places}",)

    @property
    def is_empty(self) -> bool:
        """Whether there is no sound and no fact."""
        old = self.old
        return not (len(self.whole) or self.has_facts or old.records or old.nodes or old.edges)


def _parts_of(named: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an edge's score and its relations as edges of an older tool.

    Raises `ValueError` with what is wrong.
    """
    given = {name: value for name, value in named.items() if value is not None and value != ""}
    score, weight = _number(given, "score"), _number(given, "weight")
    similarity = _number(given, "similarity")
    if score is not None and not 0.0 <= score <= 1.0:
        raise ValueError("edges whose score is not between 0 and 1")
    kinds = next((_kinds(given[name]) for name in _KINDS if name in given and not _is_direction(given[name])), [])
    weights = _weights(given.get("weights"))
    if score is not None:
        yield {"score": score}
        # Exports for Gephi repeat the score as the weight.
        weight = None if weight == score else weight
    for kind in kinds:
        yield {"relation": kind, "weight": weights.get(kind, weight if len(kinds) == 1 else None)}
    if similarity is not None:
        yield {"similarity": similarity}
    if not kinds and (weight is not None or (score is None and similarity is None)):
        yield {"weight": weight}


def _is_direction(value: Any) -> bool:
    return isinstance(value, str) and value.strip().lower() in _DIRECTIONS


def _number(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = "no number"
    number = weight_of(value)
    if value is not None and number is None:
        raise ValueError(f"edges whose {name} is not a finite number")
    return number


def _kinds(value: Any) -> list[str]:
    """Return the kinds of an edge: a text, a list, or a list as JSON."""
    if isinstance(value, str) and value.startswith("["):
        value = _parsed(value)
    kinds = value if isinstance(value, list) else [value]
    if not kinds or not all(isinstance(kind, str) for kind in kinds):
        raise ValueError("edges whose kind is not a text")
    return [str(kind) for kind in kinds]


def _weights(value: Any) -> dict[str, float]:
    if isinstance(value, str):
        value = _parsed(value)
    if value is None:
        return {}
    found = {name: weight_of(one) for name, one in value.items()} if isinstance(value, dict) else {"": None}
    if None in found.values():
        raise ValueError("edges whose weights are not finite numbers by kind")
    return {name: weight for name, weight in found.items() if weight is not None}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text

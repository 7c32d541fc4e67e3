"""Rules for an event's values, checked before writing and at reading.

Owns the rules for events, deferrals and notes, and what is kept of an event that breaks one. They match the rules of
`checkpoint.validate`: a state made of events that pass here gives a checkpoint that can be read back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harvester.clock import is_stamp
from harvester.errors import EventRefused
from harvester.graph.attributes import DEEPEST, FLAT
from harvester.model import (
    LARGEST_ID,
    SPACES,
    Deferral,
    Event,
    Gone,
    Known,
    Linked,
    Note,
    Related,
    Seeded,
    Seen,
    SimilarList,
    Withdrawn,
    is_sound_id,
)

_INTEGER, _FLOAT, _TEXT = {int}, {float}, {str}
_LEAST_INTEGER, _LARGEST_INTEGER = -(2**63), 2**64 - 1
"""Range of integers in 64-bit JSON; the checkpoint's reader accepts only few integers beyond it."""
_LARGEST_COUNT = 2**53
_MOST_SHOWN, _LONGEST_SHOWN = 5, 60


@dataclass(slots=True)
class Dropped:
    """Invalid values left out: sound ids, and descriptions of others."""

    ids: dict[str, None] = field(default_factory=dict)
    values: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.ids or self.values)

    def add_id(self, sound_id: object) -> None:
        """Record an invalid sound id."""
        self.ids[_shown(sound_id)] = None

    def add(self, other: Dropped) -> None:
        """Record all that another `Dropped` has."""
        self.ids |= other.ids
        self.values |= other.values

    def __str__(self) -> str:
        """Return the count and examples of the dropped values.

        Example: `2 invalid sound ids (0, -5) and 1 invalid value (sound 7: a score is not between 0 and 1)`
        """
        parts = [
            f"{len(found)} invalid {what}{'' if len(found) == 1 else 's'} "
            f"({', '.join(list(found)[:_MOST_SHOWN])}{', …' if len(found) > _MOST_SHOWN else ''})"
            for what, found in (("sound id", self.ids), ("value", self.values))
            if found
        ]
        return " and ".join(parts)


def _shown(value: object) -> str:
    try:
        return ascii(value)[:_LONGEST_SHOWN]
    except ValueError:  # Python converts no integer beyond 4,300 digits to text
        return "a giant number"


def check_events(events: Iterable[Event]) -> None:
    """Raise `EventRefused` for the first event with an invalid value."""
    for event in events:
        problem = find_problem(event)
        if problem:
            raise EventRefused(f"{problem}; nothing of this commit was saved")


def check_local(deferrals: Sequence[Deferral], undeferred: Sequence[int], notes: Sequence[Note]) -> None:
    """Raise `EventRefused` for a deferral or note that cannot be stored."""
    for sound_id in undeferred:
        if not is_sound_id(sound_id):
            raise EventRefused(f"{_shown(sound_id)} is not a sound id; nothing of this commit was saved")
    for deferral in deferrals:
        if not is_possible_deferral(deferral):
            raise EventRefused(f"{_shown(deferral)} is not a valid deferral; nothing of this commit was saved")
    for note in notes:
        if not is_possible_note(note):
            raise EventRefused(f"{_shown(note)} is not a valid note; nothing of this commit was saved")


def is_possible_deferral(one: Deferral) -> bool:
    """Tell whether the journal can store a deferral."""
    return is_sound_id(one.sound_id) and type(one.reason) is str and _is_count(one.count) and is_stamp(one.next_try_at)


def is_possible_note(note: Note) -> bool:
    """Tell whether the journal can store a note."""
    if type(note.key) is not int or not -(2**63) <= note.key < 2**63:
        return False
    return all(type(text) is str and _is_encodable(text) for text in (note.topic, note.text))


def find_problem(event: Event) -> str:
    """Return which value of an event is invalid, or an empty text."""
    match event:
        case Seen():
            return _problem_of_id(event.sound_id) or _problem_of_stamp(event.fetched_at) or _problem_of_record(event)
        case Linked():
            return _problem_of_id(event.sound_id) or _problem_of_list(event.sound_id, event.similar)
        case Known():
            return _problem_of_id(event.sound_id) or _problem_of_stamp(event.added_at)
        case Gone():
            return _problem_of_id(event.sound_id) or _problem_of_stamp(event.gone_at)
        case Withdrawn():
            return _problem_of_id(event.sound_id) or _problem_of_stamp(event.withdrawn_at)
        case Related():
            problem = _problem_of_id(event.sound_id) or _problem_of_id(event.target_id)
            if not problem and type(event.relation) is not str:
                problem = f"sound {event.sound_id}: a relation is not a text"
            if not problem and event.weight is not None and not is_weight(event.weight):
                problem = f"sound {event.sound_id}: the weight of a relation is not a finite number"
            return problem or _problem_of_stamp(event.known_at)
        case Seeded():
            return next(filter(None, map(_problem_of_id, event.sound_ids)), "")
    return f"{_shown(event)} is not an event"


def keep_possible(event: Event, dropped: Dropped) -> Event | None:
    """Return an event without its invalid values, or None if all are.

    The invalid values are added to `dropped`.
    """
    problem = find_problem(event)
    if not problem:
        return event
    if isinstance(event, Seeded):
        kept = tuple(filter(is_sound_id, event.sound_ids))
        for sound_id in event.sound_ids:
            if not is_sound_id(sound_id):
                dropped.add_id(sound_id)
        return Seeded(kept) if kept else None
    wrong = [one for one in (event.sound_id, getattr(event, "target_id", 1)) if not is_sound_id(one)]
    for sound_id in wrong:
        dropped.add_id(sound_id)
    if wrong:
        return None
    less: Event | None = None
    if isinstance(event, Linked):
        less = replace(event, similar=_possible_list(event.similar, dropped))
    elif isinstance(event, Seen) and type(event.record) is dict:
        less = replace(event, record=_possible_record(event))
    if less is None or find_problem(less):
        dropped.values[problem] = None
        return None
    if isinstance(event, Seen):
        dropped.values[problem] = None
    return less


def _problem_of_id(sound_id: object) -> str:
    return "" if is_sound_id(sound_id) else f"{_shown(sound_id)} is not a sound id"


def is_weight(weight: object) -> bool:
    """Tell whether a value can be the weight of a relation."""
    return type(weight) is float and math.isfinite(weight)


def _is_count(count: object) -> bool:
    return type(count) is int and 0 <= count < _LARGEST_COUNT


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return True


def _problem_of_stamp(stamp: object) -> str:
    return "" if is_stamp(stamp) else f"{_shown(stamp)} is not a time between 1970 and 9999, in microseconds"


def _problem_of_list(sound_id: int, similar: SimilarList) -> str:
    try:
        targets = [target for target, _ in similar.neighbours]
        scores = [score for _, score in similar.neighbours]
    except (TypeError, ValueError):
        return f"sound {sound_id}: its similar list is not made of ids and scores"
    if targets:
        if set(map(type, targets)) != _INTEGER or min(targets) < 1 or max(targets) > LARGEST_ID:
            return f"sound {sound_id}: its similar list has an entry that is not a sound id"
        # `min` and `max` can miss a NaN; the sum cannot.
        if set(map(type, scores)) != _FLOAT or not (min(scores) >= 0.0 and max(scores) <= 1.0 and sum(scores) >= 0.0):
            return f"sound {sound_id}: a score of its similar list is not between 0 and 1"
    if similar.space not in SPACES:
        return f"sound {sound_id}: its similar list has an unknown similarity space"
    if type(similar.filter) is not str or type(similar.origin) is not str or not _is_count(similar.limit):
        return f"sound {sound_id}: its similar list has an invalid filter, origin or limit"
    return _problem_of_stamp(similar.linked_at)


def _possible_list(similar: SimilarList, dropped: Dropped) -> SimilarList:
    pairs = [pair for pair in similar.neighbours if type(pair) is tuple and len(pair) == 2]
    for target, _ in pairs:
        if not is_sound_id(target):
            dropped.add_id(target)
    kept = [
        (target, score) for target, score in pairs if is_sound_id(target) and type(score) is float and 0 <= score <= 1
    ]
    if len(kept) < sum(is_sound_id(target) for target, _ in pairs):
        dropped.values["a score that is not between 0 and 1"] = None
    return replace(similar, neighbours=tuple(kept))


def _problem_of_record(event: Seen) -> str:
    sound_id, record = event.sound_id, event.record
    if type(record) is not dict or not _TEXT.issuperset(map(type, record)):
        return f"sound {sound_id}: its record is not a dict of fields by name"
    if "id" in record and (type(record["id"]) is not int or record["id"] != sound_id):
        return f"sound {sound_id}: its record has the id of another sound"
    for value in record.values():
        kind = type(value)
        if kind is str or value is None or kind is float:
            continue
        if problem := _problem_of_value(value, 0):
            return f"sound {sound_id}: its record {problem}"
    return ""


def _problem_of_value(value: Any, depth: int) -> str:
    kind = type(value)
    if kind is int:
        return "" if _LEAST_INTEGER <= value <= _LARGEST_INTEGER else "has a number that is longer than 64 bits"
    if kind in FLAT:
        return ""
    if depth >= DEEPEST:
        return "is nested too deep, or in a circle"
    if kind is dict:
        if not _TEXT.issuperset(map(type, value)):
            return "has a name that is not a text"
        inner: Iterable[Any] = value.values()
    elif kind is list:
        inner = value
    else:
        return f"holds a {kind.__name__}"
    if _TEXT.issuperset(map(type, inner)):
        return ""
    return next(filter(None, (_problem_of_value(one, depth + 1) for one in inner)), "")


def _possible_record(event: Seen) -> dict[str, Any]:
    """Return a record with null for each field whose value is invalid."""
    return {
        name: None if _problem_of_record(Seen(event.sound_id, {name: value}, event.fetched_at)) else value
        for name, value in event.record.items()
        if type(name) is str and not (name == "id" and value != event.sound_id)
    }

"""Convert older tools' records to the API's names, without API keys.

Owns the names that older clients changed, and which fields are dropped. Counts every change, so that nothing unknown is
dropped silently. A key that is found is left out of the library and never shown.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harvester.errors import LibraryCorrupt
from harvester.importing.names import RENAMED, is_housekeeping
from harvester.importing.unpickle import Inert
from harvester.model import Record
from harvester.records import MOST_UNKNOWN_NAMES, RULES, convert

_SECRET_NAME = re.compile(r"(api_?key|token|secret|authorization|password|^header$)", re.IGNORECASE)
_SECRET_IN_URL = re.compile(r"[?&](?:token|api_?key|access_token)=([^&#\s]+)", re.IGNORECASE)
_SHORTEST_SECRET = 8
_PREVIEW_WITHOUT_DASHES = re.compile(r"preview_(hq|lq)_(mp3|ogg)")
_DEEPEST = 20
_FREE_VALUES, _VALUES_A_BYTE = 100_000, 4
_FREE_LETTERS, _LETTERS_A_BYTE = 4 << 20, 100
"""Limits on the values and letters to read, by the packed size: shared containers make a small file endless."""

_FREE_SOUNDS, _BYTES_A_SOUND = 20_000, 2
"""A sound without a record takes at least two packed bytes: its id is in a set and in a graph."""

_MOST_SECRETS = 100
_LONGEST_NAME = 200

_MOST_BITS = 63
"""No field of a sound has a longer integer, and the journal refuses it."""


@dataclass(slots=True)
class ImportTally:
    """Counts of values kept, converted (`mapped`) and dropped, by kind.

    `housekeeping` counts dropped fields of the older tool's own by name; `counted` makes one line of them.
    """

    kept: Counter[str] = field(default_factory=Counter)
    mapped: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    housekeeping: Counter[str] = field(default_factory=Counter)
    values_left: int = _FREE_VALUES
    letters_left: int = _FREE_LETTERS
    most_sounds: int = _FREE_SOUNDS

    def allow(self, packed_bytes: int) -> None:
        """Raise the limits by what a file of `packed_bytes` may hold."""
        self.values_left += _VALUES_A_BYTE * packed_bytes
        self.letters_left += _LETTERS_A_BYTE * packed_bytes
        self.most_sounds += packed_bytes // _BYTES_A_SOUND

    def check_sounds(self, count: int) -> None:
        """Raise `LibraryCorrupt` on more sounds than the file's size allows."""
        if count > self.most_sounds:
            raise LibraryCorrupt("it names far more sounds than a library of its size; nothing was changed")

    def spend(self, values: int, letters: int = 0) -> None:
        """Count values and letters; raise `LibraryCorrupt` past the limits."""
        self.values_left -= values
        self.letters_left -= letters
        if self.values_left < 0 or self.letters_left < 0:
            raise LibraryCorrupt("its contents are shared more often than a library ever does; nothing was changed")

    def counted(self) -> ImportTally:
        """Return the tally without counts of zero, housekeeping in one line."""
        dropped = +self.dropped
        if self.housekeeping:
            dropped[f"housekeeping fields ({', '.join(sorted(self.housekeeping))})"] = self.housekeeping.total()
        return ImportTally(+self.kept, +self.mapped, dropped)


def find_secrets(content: object) -> set[str]:
    """Return every key, token or password in foreign content.

    They are found by attribute names and in URLs. Raises `LibraryCorrupt` when there are more than `_MOST_SECRETS`.
    """
    found: set[str] = set()
    seen: set[int] = set()
    waiting: list[Any] = [content]
    while waiting:
        value = waiting.pop()
        if not isinstance(value, str | dict | list | tuple | set | frozenset | Inert) or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, str):
            found.update(_SECRET_IN_URL.findall(value))
            continue
        pairs: Iterable[tuple[Any, Any]] = ()
        if isinstance(value, Inert):
            waiting += [value.state, value.arguments, value.elements]
            pairs = value.pairs
        elif isinstance(value, dict):
            pairs = value.items()
        else:
            waiting.extend(value)
        for name, inner in pairs:
            waiting += [name, inner]
            if isinstance(name, str) and isinstance(inner, str) and _SECRET_NAME.search(name[:_LONGEST_NAME]):
                found.add(inner.removeprefix("Token ").removeprefix("Bearer ").strip())
    secrets = {text for text in found if len(text) >= _SHORTEST_SECRET}
    if len(secrets) > _MOST_SECRETS:
        raise LibraryCorrupt(f"it holds more than {_MOST_SECRETS} keys; nothing was changed")
    return secrets


def label(name: object) -> str:
    """Return a part's name for the report, shortened.

    A name that is not a text is given as its type.
    """
    return name[:_LONGEST_NAME] if isinstance(name, str) else f"({type(name).__name__})"


def read_record(raw: Mapping[Any, Any], sound_id: int, secrets: set[str], tally: ImportTally) -> Record:
    """Return a record with the API's field names and its id.

    Each value is converted by its field's rule.
    """
    record: Record = {"id": sound_id}
    unknown = 0
    tally.spend(len(raw))
    for name, value in raw.items():
        if name == "id" or type(name) is not str:
            continue
        if len(name) > _LONGEST_NAME:
            tally.dropped["fields with a name that is too long"] += 1
            continue
        if is_housekeeping(name, value):
            tally.housekeeping[name] += 1
            continue
        if name in RENAMED and RENAMED[name] not in raw:
            tally.mapped[f"field {name} to {RENAMED[name]}"] += 1
            name = RENAMED[name]
        plain = _plain(value, tally, f"field {name}", 0)
        if plain is _NOTHING:
            continue
        if any(secret in text for text in _texts(plain) for secret in secrets):
            tally.dropped[f"field {name} (it held a key)"] += 1
            continue
        if name == "previews" and isinstance(plain, dict):
            plain = _with_dashes(plain, tally)
        if name not in RULES:
            unknown += 1
            if unknown > MOST_UNKNOWN_NAMES:
                tally.dropped[f"fields beyond {MOST_UNKNOWN_NAMES} unknown ones of a sound"] += 1
                continue
        record[name], odd = convert(name, plain)
        if odd:
            tally.mapped[f"field {name}: {odd}"] += 1
    return record


_NOTHING = object()


def _plain(value: Any, tally: ImportTally, what: str, depth: int) -> Any:
    tally.spend(1, len(value) if type(value) is str else 0)
    if value is None or type(value) in (str, bool) or (type(value) is int and value.bit_length() <= _MOST_BITS):
        return value
    if type(value) is float:
        if math.isfinite(value):
            return value
        tally.mapped[f"{what}: not a number to null"] += 1
        return None
    if depth < _DEEPEST:
        if type(value) in (list, tuple):
            inner = [_plain(element, tally, what, depth + 1) for element in value]
            return [element for element in inner if element is not _NOTHING]
        if type(value) is dict:
            tally.spend(0, sum(len(name) for name in value if type(name) is str))
            pairs = {name: _plain(element, tally, what, depth + 1) for name, element in value.items()}
            return {name: element for name, element in pairs.items() if element is not _NOTHING and type(name) is str}
    kind = value.class_path if isinstance(value, Inert) else type(value).__name__
    tally.dropped[f"{what} ({kind})"] += 1
    return _NOTHING


def _with_dashes(previews: dict[str, Any], tally: ImportTally) -> dict[str, Any]:
    restored: dict[str, Any] = {}
    for name, value in previews.items():
        changed = _PREVIEW_WITHOUT_DASHES.fullmatch(name)
        if changed is None:
            restored[name] = value
        else:
            tally.mapped["previews: dashes restored"] += 1
            restored.setdefault(f"preview-{changed[1]}-{changed[2]}", value)
    return restored


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)

"""Read a catalogue from files: a sound a line, the API's field names.

Invariant: a record is served exactly as it is in its file; a field that is absent there is absent in answers.
The digest covers the content alone, not the files' names or the order of their lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from harvester.errors import SettingsError
from harvester.model import Record, is_sound_id
from harvester.sandbox.catalogue import DIMENSIONS, Neighbour
from harvester.sandbox.fields import DESCRIPTORS, encode_json
from harvester.sandbox.solr_fields import in_sort_order
from harvester.sandbox.text_similarity import TextSimilarity


class RecordedCatalogue:
    """The sounds of `records`; the first of two with the same id counts."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records: dict[int, Record] = {}
        for record in records:
            self._records.setdefault(record["id"], record)
        if not self._records:
            raise SettingsError("the catalogue holds no sounds")
        content = (encode_json(dict(sorted(self._records[one].items()))) for one in sorted(self._records))
        self.digest = sha256(b"recorded:" + b"\n".join(content)).hexdigest()[:16]
        self._similarity = cache(lambda space: TextSimilarity(self._records, DIMENSIONS[space]))

    @classmethod
    def load(cls, paths: Sequence[Path]) -> RecordedCatalogue:
        """Return the catalogue in files of JSON lines.

        A line is a record, or `{"why": …, "sound": record}`. Raises `SettingsError` for a file that cannot be read
        and for a line that is no sound.
        """
        records: list[Record] = []
        for path in paths:
            try:
                lines = path.read_bytes().split(b"\n")
            except OSError as problem:
                raise SettingsError(f"the catalogue {path} cannot be read: {problem.strerror}") from problem
            for number, line in enumerate(lines, 1):
                if line.strip():
                    records.append(_read_line(line, f"{path}, line {number}"))
        return cls(records)

    def __len__(self) -> int:
        return len(self._records)

    def record(self, sound_id: int) -> Record | None:
        """Return the record of a sound, or None for an unknown one."""
        return self._records.get(sound_id)

    def descriptors(self, sound_id: int) -> dict[str, Any]:
        """Return the descriptors of a sound."""
        record = self._records.get(sound_id, {})
        return {name: record[name] for name in DESCRIPTORS if name in record}

    def vector(self, sound_id: int, space: str) -> list[float] | None:
        """Return the sound's vector, or None without one."""
        return self._similarity(space).vector(sound_id) if sound_id in self._records else None

    def neighbours(self, sound_id: int, space: str) -> list[Neighbour]:
        """Return the other sounds that reach `MIN_SCORE`, best first."""
        if sound_id not in self._records or space not in DIMENSIONS:
            return []
        return self._similarity(space).neighbours(sound_id)

    def nearest(self, vector: Sequence[float], space: str) -> list[Neighbour]:
        """Return the sounds from `MIN_SCORE` up against `vector`, best first."""
        return self._similarity(space).nearest(vector) if len(vector) == DIMENSIONS.get(space) else []

    def ordered(self, sort: str) -> Sequence[int]:
        """Return all sound ids in one of the orders of `SORTS`."""
        return in_sort_order(self._records, sort, self._records.__getitem__)


def _read_line(line: bytes, where: str) -> Record:
    try:
        content = json.loads(line, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise SettingsError(f"{where}: not a line of JSON: {str(problem).splitlines()[0]}") from problem
    sound = content.get("sound", content) if isinstance(content, dict) else None
    if not isinstance(sound, dict) or not is_sound_id(sound.get("id")):
        raise SettingsError(f"{where}: not a sound: no object with a whole positive id")
    return _checked(sound, where)


def _checked(sound: Record, where: str) -> Record:
    # Sorting, searching and similarity read these fields; the others are served unchecked.
    for name in ("duration", "num_downloads", "avg_rating", "num_ratings"):
        if not isinstance(sound.get(name), int | float | None):
            raise SettingsError(f"{where}: {name} is not a number")
    if not isinstance(sound.get("tags"), list | None):
        raise SettingsError(f"{where}: tags is not a list")
    return sound


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")

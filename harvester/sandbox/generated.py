"""Generate 1 to 1,000,000 sounds from a seed, in 16 bytes each.

Invariant: everything is a function of (VERSION, sounds, random seed). A record is made when it is read, an order
is closed-form arithmetic where possible, and a similar list comes from the geometry in `clusters`.
The newest 1 % of the sounds have no vector yet: their vectors are null, their similar lists empty, and only a
search finds them.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from hashlib import sha256
from typing import Any, overload

from harvester.errors import SettingsError
from harvester.model import Record
from harvester.sandbox.catalogue import DIMENSIONS, Neighbour
from harvester.sandbox.clusters import Clusters, coprime
from harvester.sandbox.fake_records import Facts, draws, invent_descriptors, invent_record
from harvester.settings import GENERATED_SOUNDS

VERSION = 2
OLDEST_S = 1_112_313_600  # 2005-04-01
NEWEST_S = 1_789_905_600  # 2026-09-20T12:00:00Z
_YOUNG_S = 29 * 86_400
_FIRST_ID = 1_000
_KEPT_RECORDS = 6_000  # the default catalogue fits whole (about 35 MB); scanning a larger one leaves no useful cache
_GAP = 5


class GeneratedCatalogue:
    """Made-up sounds; a share of them, the newest, is `without_vector`."""

    def __init__(self, sounds: int = 5_000, random_seed: int = 7, *, without_vector: float = 0.01) -> None:
        least, most = GENERATED_SOUNDS
        if not least <= sounds <= most:
            raise SettingsError(f"a generated catalogue must have {least} to {most:,} sounds, not {sounds:,}")
        self._sounds = sounds
        self._random_seed = random_seed
        self._with_vector = max(1, sounds - int(sounds * without_vector))
        self._seed = f"{VERSION}:{sounds}:{random_seed}:{self._with_vector}"
        self.digest = sha256(f"generated:{self._seed}".encode()).hexdigest()[:16]
        self._users = max(3, sounds // 25)
        # Ranks of popularity are an affine permutation too, so the order by downloads needs no sorting.
        self._factor = coprime(self._with_vector, random.Random(f"{self._seed}:downloads"))
        self._inverse = pow(self._factor, -1, self._with_vector) if self._with_vector > 1 else 0
        self.record = lru_cache(maxsize=_KEPT_RECORDS)(self._record)
        self._order = cache(self._ordered_by)
        self._space = cache(lambda space: Clusters(self._with_vector, f"{self._seed}:{space}", DIMENSIONS[space]))
        self._space("laion_clap")

    def __len__(self) -> int:
        return self._sounds

    def _record(self, sound_id: int) -> Record | None:
        """Return the record of a sound; the caller must not change it."""
        number = self._number(sound_id)
        return None if number is None else invent_record(self._seed, number, self._facts(number))

    def descriptors(self, sound_id: int) -> dict[str, Any]:
        """Return the descriptors of a sound."""
        number = self._number(sound_id)
        return {} if number is None else invent_descriptors(self._seed, number)

    def vector(self, sound_id: int, space: str) -> list[float] | None:
        """Return the sound's vector, or None without one."""
        number = self._number(sound_id)
        if number is None or number >= self._with_vector:
            return None
        return self._space(space).vector(number)

    def neighbours(self, sound_id: int, space: str) -> list[Neighbour]:
        """Return the other sounds that reach `MIN_SCORE`, best first."""
        number = self._number(sound_id)
        if number is None or number >= self._with_vector or space not in DIMENSIONS:
            return []
        return self._as_ids(self._space(space).neighbours(number))

    def nearest(self, vector: Sequence[float], space: str) -> list[Neighbour]:
        """Return the sounds from `MIN_SCORE` up against `vector`, best first."""
        if len(vector) != DIMENSIONS.get(space):
            return []
        return self._as_ids(self._space(space).nearest(vector))

    def ordered(self, sort: str) -> Sequence[int]:
        """Return all sound ids in one of the orders of `SORTS`."""
        kind, _, direction = sort.partition("_")
        return _Ids(self._sounds, self._order(kind), self._id, direction != "asc")

    def _ordered_by(self, kind: str) -> Callable[[int], int]:
        """Return the function from place to number, ascending by a property."""
        if kind == "downloads":
            return lambda at: self._number_of_rank(self._sounds - 1 - at)
        if kind in {"duration", "rating"}:
            keys = array("f", (self._sort_value(number, kind) for number in range(self._sounds)))
            return array("I", sorted(range(self._sounds), key=keys.__getitem__)).__getitem__
        return lambda at: at

    def _sort_value(self, number: int, kind: str) -> float:
        record = invent_record(self._seed, number, self._facts(number))
        if kind == "duration":
            return float(record["duration"])
        return float(record["avg_rating"]) if record["num_ratings"] >= 3 else 0.0

    def _facts(self, number: int) -> Facts:
        return Facts(
            sound_id=self._id(number),
            place=self._space("laion_clap").place(number % self._with_vector),
            downloads=int(400_000 / (self._rank(number) + 2) ** 0.9),
            created_s=self._created_s(number),
            users=self._users,
            is_new=number >= 0.8 * self._sounds,
        )

    def _created_s(self, number: int) -> int:
        # Dates ascend like the ids; all sounds without a vector lie within the catalogue's last month.
        start, end, share = OLDEST_S, NEWEST_S - _YOUNG_S, number / self._with_vector
        if number >= self._with_vector:
            start, end = end, NEWEST_S
            share = (number - self._with_vector + 1) / (self._sounds - self._with_vector + 1)
        step = (end - start) / (self._with_vector + 1)
        jitter = draws(self._seed, number)[23] / 65_536 if number < self._with_vector else 0.0
        return int(start + (end - start) * share + 0.9 * step * jitter)

    def _rank(self, number: int) -> int:
        return number * self._factor % self._with_vector if number < self._with_vector else number

    def _number_of_rank(self, rank: int) -> int:
        return rank * self._inverse % self._with_vector if rank < self._with_vector else rank

    def _id(self, number: int) -> int:
        return _FIRST_ID + _GAP * number + ((number * 2_654_435_761 + self._random_seed * 97) >> 9) % _GAP

    def _number(self, sound_id: int) -> int | None:
        number = (sound_id - _FIRST_ID) // _GAP
        return number if 0 <= number < self._sounds and self._id(number) == sound_id else None

    def _as_ids(self, rows: list[tuple[float, int]]) -> list[Neighbour]:
        # `_id` is inlined: for the hundreds of rows of a list, its calls would take half of the time.
        first, salt = _FIRST_ID, self._random_seed * 97
        return [
            (first + _GAP * number + ((number * 2_654_435_761 + salt) >> 9) % _GAP, score) for score, number in rows
        ]


class _Ids(Sequence[int]):
    """`length` ids in an order, forwards or backwards, made on access."""

    def __init__(
        self, length: int, number_at: Callable[[int], int], as_id: Callable[[int], int], reverse: bool
    ) -> None:
        self._places = range(length)[::-1] if reverse else range(length)
        self._number_at = number_at
        self._as_id = as_id

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> list[int]: ...
    def __getitem__(self, at: int | slice) -> int | list[int]:
        places = self._places[at]
        if isinstance(places, range):
            return [self._as_id(self._number_at(place)) for place in places]
        return self._as_id(self._number_at(places))

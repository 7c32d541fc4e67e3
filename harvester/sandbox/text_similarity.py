"""Compare recorded sounds by their words: vectors and similar lists.

A vector has three parts, each in its own dimensions and with its own share of the squared length: a constant
(`COMMON`), a link to the next and to the previous sound in an order by tags (`CHAIN`), and hashed tf-idf of tags, name
and description (`WORDS`). Two consecutive sounds of that order have a cosine of about COMMON + CHAIN / 2 or more. That
is above the threshold, and more than words alone can reach, so similar lists of any length connect all sounds.

Invariant: scores are the cosines of the vectors that this module returns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

from harvester.model import Record
from harvester.sandbox.catalogue import MIN_SCORE, Neighbour
from harvester.sandbox.solr_fields import words_of

COMMON, CHAIN, WORDS = 0.36, 0.43, 0.21
_WEIGHTS = (("tags", 3.0), ("name", 2.0), ("description", 1.0), ("username", 1.0))


class TextSimilarity:
    """Similarity of `records` in `dimensions`; caches the lists it makes."""

    def __init__(self, records: Mapping[int, Record], dimensions: int) -> None:
        self._chain_bits = dimensions // 2
        self._word_dimensions = dimensions - self._chain_bits - 1
        counts = {sound_id: _word_counts(record) for sound_id, record in records.items()}
        common = Counter(word for words in counts.values() for word in words)
        self._words = {sound_id: self._hashed(words, common, len(counts)) for sound_id, words in counts.items()}
        self._chains = self._chained(_in_order(records, common))
        self._lists: dict[int, list[Neighbour]] = {}

    def vector(self, sound_id: int) -> list[float]:
        """Return the unit vector of a sound, rounded to six decimals."""
        first, second, scale = self._chains[sound_id]
        scale *= math.sqrt(CHAIN)
        chain = [scale * (_sign(first, bit) + _sign(second, bit)) for bit in range(self._chain_bits)]
        words = [0.0] * self._word_dimensions
        for at, value in self._words[sound_id].items():
            words[at] = math.sqrt(WORDS) * value
        return [round(value, 6) for value in (math.sqrt(COMMON), *chain, *words)]

    def neighbours(self, sound_id: int) -> list[Neighbour]:
        """Return (id, score) of other sounds from `MIN_SCORE` up, best first."""
        found = self._lists.get(sound_id)
        if found is None:
            scored = ((other, self._score(sound_id, other)) for other in self._chains if other != sound_id)
            found = self._lists[sound_id] = _best_first(scored)
        return found

    def nearest(self, vector: Sequence[float]) -> list[Neighbour]:
        """Return (id, score) from `MIN_SCORE` up against `vector`, best first."""
        length = math.sqrt(sum(value * value for value in vector))
        if not length:
            return []
        return _best_first(
            (other, round((1 + sum(a * b for a, b in zip(vector, self.vector(other), strict=True)) / length) / 2, 7))
            for other in self._chains
        )

    def _score(self, one: int, other: int) -> float:
        a, b, scale = self._chains[one]
        c, d, other_scale = self._chains[other]
        bits = self._chain_bits
        agreeing = sum(bits - 2 * (x ^ y).bit_count() for x, y in ((a, c), (a, d), (b, c), (b, d)))
        fewer, more = sorted((self._words[one], self._words[other]), key=len)
        words = sum(value * more[at] for at, value in fewer.items() if at in more)
        return round((1 + COMMON + CHAIN * scale * other_scale * agreeing + WORDS * words) / 2, 7)

    def _hashed(self, words: Counter[str], common: Counter[str], sounds: int) -> dict[int, float]:
        made: dict[int, float] = {}
        for word, count in words.items():
            at = int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=4).digest())
            at %= self._word_dimensions
            made[at] = made.get(at, 0.0) + (1 + math.log(count)) * math.log(1 + sounds / common[word])
        length = math.sqrt(sum(value * value for value in made.values()))
        return {at: value / length for at, value in made.items()} if length else {0: 1.0}

    def _chained(self, order: list[int]) -> dict[int, tuple[int, int, float]]:
        # Each link is a random sign vector; a sound is the sum of the links to its two neighbours in the order.
        bits = self._chain_bits
        links = [
            int.from_bytes(blake2b(f"link {at}".encode(), digest_size=(bits + 7) // 8).digest()) & ((1 << bits) - 1)
            for at in range(len(order) + 1)
        ]
        chains = {}
        for at, sound_id in enumerate(order):
            first, second = links[at], links[at + 1]
            square = 4 * (bits - (first ^ second).bit_count())
            chains[sound_id] = (first, second, 1 / math.sqrt(square))
        return chains


def _word_counts(record: Record) -> Counter[str]:
    counts: Counter[str] = Counter()
    for name, weight in _WEIGHTS:
        value = record.get(name)
        for text in value if isinstance(value, list) else (value,):
            for word in words_of(text):
                counts[word] += int(weight)
    return counts


def _in_order(records: Mapping[int, Record], common: Counter[str]) -> list[int]:
    """Return the ids by each sound's commonest tag, then user, then id."""

    def key(sound_id: int) -> tuple[str, str, int]:
        tags = [word for tag in records[sound_id].get("tags") or () for word in words_of(tag)]
        best = max(tags, key=lambda word: (common[word], word), default="")
        return best, str(records[sound_id].get("username", "")), sound_id

    return sorted(records, key=key)


def _best_first(scored: Iterable[Neighbour]) -> list[Neighbour]:
    kept = [(-score, sound_id) for sound_id, score in scored if score >= MIN_SCORE]
    kept.sort()
    return [(sound_id, -score) for score, sound_id in kept]


def _sign(bits: int, at: int) -> float:
    return 1.0 if bits >> at & 1 else -1.0

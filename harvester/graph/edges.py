"""The edges of a library, by one rule for whatever shows them.

An edge A→B is of the kind `similar` when B is in the similar list of A; it then has a score. It is of the kind
`relation:KIND` for each relation between the two that an older tool or `relate` brought. The rule, wherever edges are
counted, shown, drawn, exported or followed: an edge is there when both its sounds are, and when one of its kinds at
least is wanted. It is one edge, whatever the number of its kinds, and it has only the wanted ones. A least score judges
the kind `similar` alone: a weight may be a number of any range.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from harvester.graph.attributes import RELATION_FIELDS, canonical_bytes

SIMILAR, RELATION, ALL = "similar", "relation", "all"

_RELATED = f"{RELATION}:"
# A kind of an older tool may have a comma, so a comma ends a kind only before the next one.
_BETWEEN_KINDS = re.compile(rf"\s*,\s*(?=(?:{SIMILAR}|{ALL}|{RELATION})(?:[\s,:]|$))")


@dataclass(frozen=True)
class Edge:
    """One edge.

    `source` and `target` are ids of sounds. It has a `score`, from 0 to 1, when the target is in the source's similar
    list, and a `relation` when it was imported or computed by `relate`: a JSON list of its kinds. `weights` is then a
    JSON object with the weights of some kinds, None without any.
    """

    source: int
    target: int
    score: float | None
    relation: str | None
    weights: str | None = None

    @property
    def relations(self) -> dict[str, float | None]:
        """Its relations by kind, each with its weight or None."""
        weights = json.loads(self.weights) if self.weights else {}
        return {kind: weights.get(kind) for kind in _kinds_in(self.relation)}

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its kinds as `--edges` has them, `similar` first."""
        return _names(self.score is not None, _kinds_in(self.relation))


@dataclass(frozen=True, slots=True)
class EdgeRule:
    """Which edges a selection has.

    `similar`: those of similar lists, with a score of at least `min_score`. `relations`: the kinds of relations, None
    for all.
    """

    similar: bool = True
    relations: frozenset[str] | None = None
    min_score: float | None = None

    def wanted(self, attributes: Mapping[str, Any]) -> tuple[float | None, Collection[str]] | None:
        """Return an edge's score and relations that are wanted, None without.

        The score is None for an edge that is not wanted as a similar one.
        """
        score = attributes.get("score")
        if score is not None and not (self.similar and (self.min_score is None or score >= self.min_score)):
            score = None
        kinds: Collection[str] = attributes.get("relation", ())
        if kinds and self.relations is not None:
            kinds = [kind for kind in kinds if kind in self.relations]
        return None if score is None and not kinds else (score, kinds)

    def edge(self, source: int, target: int, attributes: Mapping[str, Any]) -> Edge | None:
        """Return an edge with its wanted kinds, or None without one."""
        wanted = self.wanted(attributes)
        if wanted is None:
            return None
        score, kinds = wanted
        if not kinds:
            return Edge(source, target, score, None)
        _, weights = map(attributes.get, RELATION_FIELDS)
        kept = {kind: weights[kind] for kind in kinds if kind in weights} if weights else None
        return Edge(source, target, score, _text_of(tuple(kinds)), canonical_bytes(kept).decode() if kept else None)

    def kinds_of(self, attributes: Mapping[str, Any]) -> tuple[str, ...]:
        """Return an edge's wanted kinds as `--edges` names them."""
        wanted = self.wanted(attributes)
        return () if wanted is None else _names(wanted[0] is not None, tuple(wanted[1]))

    def __and__(self, other: EdgeRule) -> EdgeRule:
        """Return the rule for what both want; the higher least score holds."""
        scores = [score for score in (self.min_score, other.min_score) if score is not None]
        relations = [one for one in (self.relations, other.relations) if one is not None]
        return EdgeRule(
            self.similar and other.similar,
            frozenset.intersection(*relations) if relations else None,
            max(scores, default=None),
        )


EVERY_EDGE = EdgeRule()


def read_edge_kinds(texts: Iterable[str]) -> EdgeRule:
    """Return the rule for typed kinds of edges; all kinds for none.

    Each text is `similar`, `relation:KIND`, `relation` for the relations of every kind, `all`, or several of these with
    commas between them. Raises `ValueError` with the text that is none.
    """
    names = [name for text in texts for name in _BETWEEN_KINDS.split(text.strip())]
    wrong = [
        name
        for name in names
        if name not in (SIMILAR, RELATION, ALL) and (not name.startswith(_RELATED) or name == _RELATED)
    ]
    if wrong:
        raise ValueError(wrong[0])
    if not names or ALL in names:
        return EVERY_EDGE
    kinds = frozenset(name.removeprefix(_RELATED) for name in names if name.startswith(_RELATED))
    return replace(EVERY_EDGE, similar=SIMILAR in names, relations=None if RELATION in names else kinds)


@lru_cache(maxsize=1024)
def _names(similar: bool, kinds: tuple[str, ...]) -> tuple[str, ...]:
    return (*((SIMILAR,) if similar else ()), *(_RELATED + kind for kind in kinds))


@lru_cache(maxsize=1024)
def _kinds_in(relation: str | None) -> tuple[str, ...]:
    return () if relation is None else tuple(json.loads(relation))


@lru_cache(maxsize=1024)
def _text_of(kinds: tuple[str, ...]) -> str:
    return canonical_bytes(kinds).decode()

"""A filter as a tree of and, or, not and leaves. Frozen, plain data; `all_of`, `any_of` and `negate` keep it simple."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Term:
    """One value. `quoted` tells whether it stands in quotes: where the index takes texts apart, that is a phrase."""

    text: str
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word with `*` or `?`, as it is written: a backslash stands before each special character meant literally."""

    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """All values between two ends; None leaves an end open."""

    low: str | None
    high: str | None
    low_included: bool = True
    high_included: bool = True


@dataclass(frozen=True, slots=True)
class Leaf:
    """One condition on one name."""

    name: str
    value: Term | Pattern | Range


@dataclass(frozen=True, slots=True)
class Not:
    """Everything that does not match `part`."""

    part: Tree


@dataclass(frozen=True, slots=True)
class And:
    """What matches all parts; without parts, everything."""

    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """What matches at least one part."""

    parts: tuple[Tree, ...]


Tree: TypeAlias = Leaf | Not | And | Or

EVERYTHING = And()
EVERY_SOUND = Leaf("type", Pattern("*"))
"""Matches every sound and nothing else in the index: every sound has a type, a vector's document has none."""


def all_of(parts: Iterable[Tree]) -> Tree:
    """Return the tree of what matches every part, in their order, each once."""
    flat: dict[Tree, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, And) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Tree]) -> Tree:
    """Return the tree of what matches at least one of the parts (one or more), in their order, each once."""
    flat: dict[Tree, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, Or) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else Or(tuple(flat))


def negate(part: Tree) -> Tree:
    """Return the tree of what does not match `part`."""
    return part.part if isinstance(part, Not) else Not(part)

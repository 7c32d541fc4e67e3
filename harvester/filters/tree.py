"""A filter as a frozen tree of and, or, not and leaves.

`all_of`, `any_of` and `negate` simplify it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Term:
    """One value.

    If `quoted`, the index matches it as a phrase in fields that it splits into words.
    """

    text: str
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word with the wildcards `*` or `?`, as written.

    A backslash escapes a literal special character.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """All values between two ends; None is an open end."""

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
    """Matches what does not match `part`."""

    part: Tree


@dataclass(frozen=True, slots=True)
class And:
    """Matches what all parts match; without parts, everything."""

    parts: tuple[Tree, ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """Matches what at least one part matches."""

    parts: tuple[Tree, ...]


Tree: TypeAlias = Leaf | Not | And | Or

EVERYTHING = And()
EVERY_SOUND = Leaf("type", Pattern("*"))
"""Matches every sound and no other document of the index: every sound has a type, a vector's document has none."""


def all_of(parts: Iterable[Tree]) -> Tree:
    """Join parts that must all match, each part once, in order."""
    flat: dict[Tree, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, And) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else And(tuple(flat))


def any_of(parts: Iterable[Tree]) -> Tree:
    """Join one or more parts, any of which may match, each once, in order."""
    flat: dict[Tree, None] = {}
    for part in parts:
        flat.update(dict.fromkeys(part.parts if isinstance(part, Or) else (part,)))
    return next(iter(flat)) if len(flat) == 1 else Or(tuple(flat))


def negate(part: Tree) -> Tree:
    """Return the tree that matches what `part` does not match."""
    return part.part if isinstance(part, Not) else Not(part)

"""Answers about a library, with and without its index."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import harvester
from harvester.actions.indexing import INDEX_VARIABLE
from harvester.clock import SystemClock
from harvester.errors import HarvesterError
from harvester.index import place as places
from harvester.storage import full_sync, write_atomically
from tests.support.samples import NOW_US

QUERIES = (
    "rain", "RAIN drop", "rain rain", "a", "s", "ss", "Straße", "İ", "i̇", "_", "%", "-", ".", "1", "12", "user1", "tag",
    "b", "\ud800", "ü", "x y", "field_rec", "e.w", "c-1", "zebra", "raim", "", "ud83d",
)  # fmt: skip
"""Whole words, beginnings, parts, several, folded ones, SQL's own signs, lone surrogates, and what no sound has."""


def outcome(ask: Callable[[], Any]) -> str:
    """Return an answer or an error, with the types and the order of all that is in it."""
    try:
        return repr(ask())
    except HarvesterError as error:
        return f"{type(error).__name__}: {error} {getattr(error, '__notes__', ())}"


def answers(
    library: Path | harvester.Library,
    *,
    ids: Iterable[int] = range(1, 14),
    queries: Iterable[str] = QUERIES,
    now_us: int = NOW_US,
) -> list[str]:
    """Return what `show`, `find` and `status` say of a library."""
    with mock.patch.object(SystemClock, "time_us", return_value=now_us):
        found = [outcome(lambda one=one: harvester.show(one, library=library)) for one in ids]  # type: ignore[misc]
        found += [
            outcome(lambda query=query, most=most: harvester.find(query, limit=most, library=library))  # type: ignore[misc]
            for query in queries
            for most in (20, 0, 2)[: 1 + query.startswith("r") * 2]
        ]
        return [*found, outcome(lambda: harvester.status(library))]


def plain_answers(folder: Path, **asked: Any) -> list[str]:
    """Return `answers` without an index, of a library that is loaded once; none is built."""
    with mock.patch.dict("os.environ", {INDEX_VARIABLE: "off"}):
        return answers(harvester.Library.open(folder), **asked)


def every_library_gets_one() -> Any:
    """Build an index of a library of any size."""
    return mock.patch("harvester.library.indexed.INDEXED_FROM", 0)


def tables_of_every_library_are_kept() -> Any:
    """Keep the tables for SQL of a library of any size."""
    return mock.patch("harvester.library.kept_tables.TABLES_FROM", 0)


def nothing_is_loaded() -> Any:
    """Fail when a library is loaded: the answer then does not come from its index or its tables."""
    return mock.patch("harvester.actions.default_library.load_view", side_effect=AssertionError("it was loaded"))


def note_order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list that gets the order of syncs, renames and seals from now on."""
    done: list[str] = []

    def noted(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def note_and_act(*given: Any) -> Any:
            done.append(name)
            return act(*given)

        return note_and_act

    monkeypatch.setattr(places, "full_sync", noted("sync", full_sync))
    monkeypatch.setattr(places, "write_atomically", noted("seal", write_atomically))
    monkeypatch.setattr(Path, "replace", noted("rename", Path.replace))
    return done

"""One block of records: those of some sounds as opcodes.

Owns how a record is written: by Python's C pickler, several times as fast as opcodes put together one by one. In its
fast mode it keeps no memo of its own, which would depend on which equal texts happen to be one object, but it looks
into the one it is given: the block's recurring texts. Those are copies that only the block holds, so that no text of a
record is one of them by accident; and texts of less than two characters, of which CPython makes one object here and
there, are never among them. What the pickler would not write as content alone says is written value by value.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

from harvester.checkpoint._interned import RECURRING, Texts
from harvester.checkpoint._opcodes import POP, pack_index
from harvester.graph import FLAT, LINK_FIELDS, in_order

SLOTS = 2
"""Of each sound: its record, its adjacency."""

_TEXT = {str}
_ODD = object()

_BEFORE = len(b"\x80\x05\x95") + 8
"""What the pickler puts before a record: its protocol, and a frame with its length in the last eight bytes."""


class RecordBlock:
    """The records of some sounds. Those with the same fields are looked at column by column, at the speed of C loops;
    one that holds something unusual is written value by value."""

    def __init__(self) -> None:
        self._texts = Texts()
        self._keys: dict[tuple[Any, ...], _Keys] = {}

    def opcodes(self, slot: int, attributes: Sequence[dict[str, Any]]) -> bytes:
        """Return the block: of each sound its record and an adjacency still empty, put into the slots from `slot` on
        and popped."""
        # By the canonical order: in which one they stand in memory, and what a list has added since, is not content.
        orders: dict[tuple[Any, ...], tuple[str, ...]] = {}
        alike: dict[tuple[str, ...], list[int]] = {}
        for place, one in enumerate(attributes):
            names = tuple(one)
            if names not in orders:
                orders[names] = _order_of(names)
            alike.setdefault(orders[names], []).append(place)
        tables = [(places, _Table(order, [attributes[place] for place in places])) for order, places in alike.items()]
        counts = Counter[str]()
        for _, table in tables:
            self._texts.take(table.order)
            table.count(counts)
        # What is used once is shorter where it stands.
        self._texts.take(text for text, times in counts.items() if times > 1)
        records: list[dict[str, Any] | bytes] = [b""] * len(attributes)
        for places, table in tables:
            for place, record in zip(places, self._prepared(table), strict=True):
                records[place] = record
        parts: list[bytes] = []
        for written in self._written(records):
            parts += written, pack_index(b"r", slot), b"0}", pack_index(b"r", slot + 1), POP
            slot += SLOTS
        return self._texts.head() + b"".join(parts)

    def _prepared(self, table: _Table) -> list[dict[str, Any] | bytes]:
        """Return records as the pickler may have them, their recurring texts the block's; an odd one in opcodes."""
        copy = self._texts.copies.get
        odd: set[int] = set()
        columns: list[Sequence[Any]] = []
        for name, values, kinds in table.columns():
            if kinds <= FLAT:
                columns.append(list(map(copy, values, values)) if name in RECURRING else values)
            else:
                columns.append(self._containers(name in RECURRING, values))
                odd.update(row for row, value in enumerate(columns[-1]) if value is _ODD)
        keys = list(map(copy, table.order, table.order))
        records: list[dict[str, Any] | bytes] = [
            dict(zip(keys, row, strict=True)) for row in zip(*columns, strict=True)
        ]
        for row in sorted(odd):
            records[row] = self._texts.mapping(zip(table.order, table.rows[row], strict=True))
        return records

    def _containers(self, recurring: bool, values: Sequence[Any]) -> list[Any]:
        """Return values of a field as the pickler may have them. `_ODD` stands for one that it would not write the same
        for the same content, or with what the scan does not know (it appends a single element in a way of its own)."""
        copy, is_flat = self._texts.copies.get, FLAT.issuperset
        kept: list[Any] = []
        for value in values:
            kind = type(value)
            if kind is list and len(value) != 1 and is_flat(map(type, value)):
                kept.append(list(map(copy, value, value)) if recurring else value)
            elif kind is dict and not recurring and is_flat(map(type, value.values())):
                keys = self._keys.get(tuple(value)) or self._canonical(tuple(value))
                inner = value.values() if keys.are_in_order else map(value.__getitem__, keys.ordered)
                kept.append(dict(zip(keys.copies, inner, strict=True)) if keys.are_usual else _ODD)
            elif kind in FLAT:
                kept.append(copy(value, value) if recurring else value)
            else:
                kept.append(_ODD)
        return kept

    def _canonical(self, names: tuple[Any, ...]) -> _Keys:
        """Return the keys of dicts like one that has these, and remember them."""
        keys = self._keys[names] = _Keys((), [], are_in_order=True, are_usual=False)
        if _TEXT.issuperset(map(type, names)) and RECURRING.isdisjoint(names):
            ordered = tuple(sorted(names))
            self._texts.take(ordered)
            copies = list(map(self._texts.copies.get, ordered, ordered))
            keys = self._keys[names] = _Keys(ordered, copies, are_in_order=ordered == names, are_usual=True)
        return keys

    def _written(self, records: Sequence[dict[str, Any] | bytes]) -> Iterator[bytes]:
        """Give the opcodes of each record."""
        chunks: list[bytes] = []
        pickler = pickle.Pickler(SimpleNamespace(write=chunks.append), 5)
        pickler.fast, pickler.memo = True, self._texts.memo()
        for record in records:
            if type(record) is bytes:
                yield record
                continue
            assert isinstance(record, dict)
            pickler.dump(record)
            written = chunks[0]
            if len(chunks) == 1 and int.from_bytes(written[_BEFORE - 8 : _BEFORE], "little") == len(written) - _BEFORE:
                yield written[_BEFORE:-1]
            else:  # a long text: in frames of its own
                yield self._texts.mapping(record.items())
            chunks.clear()


class _Keys(NamedTuple):
    """The keys of a dict in order, and the copies that stand for them. They are not usual where one is no text, or
    where a value under one recurs."""

    ordered: tuple[str, ...]
    copies: list[Any]
    are_in_order: bool
    are_usual: bool


def _order_of(names: tuple[Any, ...]) -> tuple[str, ...]:
    """Return a record's fields in canonical order, without those that come with a list."""
    if not _TEXT.issuperset(map(type, names)):
        raise ValueError("a field's name is not a text")
    return tuple(name for name in in_order(names) if name not in LINK_FIELDS)


class _Table:
    """Records with the same fields, row by row and column by column."""

    def __init__(self, order: tuple[str, ...], records: list[dict[str, Any]]) -> None:
        self.order = order
        self.rows = [list(map(record.__getitem__, self.order)) for record in records]
        self._columns = list(zip(*self.rows, strict=True))
        self._kinds = [set(map(type, values)) for values in self._columns]

    def columns(self) -> Iterator[tuple[str, Sequence[Any], set[type]]]:
        """Give each field's name, its values, and their types."""
        return zip(self.order, self._columns, self._kinds, strict=True)

    def count(self, counts: Counter[str]) -> None:
        """Count texts of fields where they recur from sound to sound."""
        for name, values, kinds in self.columns():
            if name in RECURRING:
                if list in kinds:
                    values = list(chain.from_iterable(value for value in values if type(value) is list))
                    kinds = set(map(type, values))
                counts.update(values if kinds == _TEXT else [value for value in values if type(value) is str])

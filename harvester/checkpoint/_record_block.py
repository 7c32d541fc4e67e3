"""One block of records: the records of some sounds as opcodes.

Owns how a record is written: by Python's C pickler, which is several times as fast as composing opcodes in Python. In
its fast mode the pickler adds nothing to its memo (what it adds would depend on which equal texts happen to be one
object) but still looks texts up in the memo it is given: the block's interned texts. These are copies that only the
block holds, so no text of a record is one of them by accident. Texts of less than two characters are never interned,
because CPython shares some of them. A record that the pickler would not write as a function of its content is encoded
value by value. The fast mode is deprecated: where Python has none, `_PlainPickler` writes the same bytes.
"""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, NamedTuple

from harvester.checkpoint._interned import RECURRING, Texts
from harvester.checkpoint._opcodes import APPENDS, EMPTY_DICT, EMPTY_LIST, MARK, POP, SETITEM, SETITEMS, get, pack_index
from harvester.graph import FLAT, LINK_FIELDS, in_order

SLOTS = 2
"""Memo slots of each sound: one for its record, one for its adjacency."""

_TEXT = {str}
_ODD = object()

_FRAME_BYTES, _BATCH = 64 * 1024, 1000
"""The pickler begins a new frame after this many bytes, and adds this many elements to a container at once."""

_BEFORE = len(b"\x80\x05\x95") + 8
"""Length of what the pickler writes before a record: the protocol, and the frame's opcode with its length."""


class RecordBlock:
    """The records of some sounds.

    Records with the same fields are handled column by column, so that the loops run in C; a record with an unusual
    value is encoded value by value.
    """

    def __init__(self) -> None:
        self._texts = Texts()
        self._keys: dict[tuple[Any, ...], _Keys] = {}

    def opcodes(self, slot: int, attributes: Sequence[dict[str, Any]]) -> bytes:
        """Return the opcodes of each sound's record and an empty adjacency.

        They are stored in two memo slots from `slot`.
        """
        # Canonical order, without the fields of the similar list: the order in memory is not content.
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
        # A text that occurs once is shorter without a slot.
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
        """Return the records with interned texts, ready for the pickler.

        An unusual record is returned as opcodes.
        """
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
        """Return the values of a field, ready for the pickler.

        `_ODD` stands for each value that it must not write. That is a value whose bytes would depend on more than its
        content, or whose opcodes the scan does not allow (the pickler writes a list of one element with another
        opcode).
        """
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
        """Return the canonical keys of dicts with these names, cached."""
        keys = self._keys[names] = _Keys((), [], are_in_order=True, are_usual=False)
        if _TEXT.issuperset(map(type, names)) and RECURRING.isdisjoint(names):
            ordered = tuple(sorted(names))
            self._texts.take(ordered)
            copies = list(map(self._texts.copies.get, ordered, ordered))
            keys = self._keys[names] = _Keys(ordered, copies, are_in_order=ordered == names, are_usual=True)
        return keys

    def _written(self, records: Sequence[dict[str, Any] | bytes]) -> Iterator[bytes]:
        """Yield the opcodes of each record."""
        pickler = _FastPickler(self._texts) if hasattr(pickle.Pickler, "fast") else _PlainPickler(self._texts)
        for record in records:
            if isinstance(record, bytes):
                yield record
            else:
                yield pickler.opcodes(record) or self._texts.mapping(record.items())


class _FastPickler:
    """Python's C pickler, with a block's interned texts in its memo."""

    def __init__(self, texts: Texts) -> None:
        self._chunks: list[bytes] = []
        self._pickler = pickle.Pickler(SimpleNamespace(write=self._chunks.append), 5)
        self._pickler.fast, self._pickler.memo = True, texts.memo()

    def opcodes(self, record: dict[str, Any]) -> bytes | None:
        """Return a prepared record's opcodes, or None if they may pass a frame."""
        self._chunks.clear()
        self._pickler.dump(record)
        written = self._chunks[0]
        return written[_BEFORE:-1] if len(self._chunks) == 1 and len(written) <= _BEFORE + _FRAME_BYTES else None


class _PlainPickler:
    """Pickler for Pythons without the fast mode.

    Writes the same bytes as `_FastPickler` in twice the time.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._memo = texts.memo()

    def opcodes(self, record: dict[str, Any]) -> bytes | None:
        """Return a prepared record's opcodes, or None if they may pass a frame."""
        written = self._value(record)
        return written if len(written) < _FRAME_BYTES else None

    def _value(self, value: Any) -> bytes:
        if type(value) is str and (known := self._memo.get(id(value))) is not None:
            return get(known[0])
        if value and type(value) is list:
            elements = list(map(self._value, value))
            return EMPTY_LIST + _in_batches(elements, len(elements), APPENDS)
        if value and type(value) is dict:
            pairs = [self._value(key) + self._value(inner) for key, inner in value.items()]
            if len(pairs) == 1:
                return EMPTY_DICT + pairs[0] + SETITEM
            # After full batches the pickler writes an empty one.
            return EMPTY_DICT + _in_batches(pairs, len(pairs) + 1, SETITEMS)
        return self._texts.value(value, shared=False)


def _in_batches(parts: list[bytes], end: int, opcode: bytes) -> bytes:
    return b"".join([MARK + b"".join(parts[at : at + _BATCH]) + opcode for at in range(0, end, _BATCH)])


class _Keys(NamedTuple):
    """The keys of a dict in canonical order, and their interned copies.

    `are_usual` is false when a key is not a text, or when the texts under a key are interned.
    """

    ordered: tuple[str, ...]
    copies: list[Any]
    are_in_order: bool
    are_usual: bool


def _order_of(names: tuple[Any, ...]) -> tuple[str, ...]:
    """Return a record's fields in canonical order, without similar list."""
    if not _TEXT.issuperset(map(type, names)):
        raise ValueError("a field's name is not a text")
    return tuple(name for name in in_order(names) if name not in LINK_FIELDS)


class _Table:
    """Records with the same fields, as rows and as columns."""

    def __init__(self, order: tuple[str, ...], records: list[dict[str, Any]]) -> None:
        self.order = order
        self.rows = [list(map(record.__getitem__, self.order)) for record in records]
        self._columns = list(zip(*self.rows, strict=True))
        self._kinds = [set(map(type, values)) for values in self._columns]

    def columns(self) -> Iterator[tuple[str, Sequence[Any], set[type]]]:
        """Return each field's name, its values and the set of their types."""
        return zip(self.order, self._columns, self._kinds, strict=True)

    def count(self, counts: Counter[str]) -> None:
        """Count the texts of fields whose texts recur."""
        for name, values, kinds in self.columns():
            if name in RECURRING:
                if list in kinds:
                    values = list(chain.from_iterable(value for value in values if type(value) is list))
                    kinds = set(map(type, values))
                counts.update(values if kinds == _TEXT else [value for value in values if type(value) is str])

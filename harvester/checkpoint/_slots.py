"""Read what one block leaves in the memo slots of its sounds.

Owns the memo while a file is walked: the slots of a sound are clear before its block and after it, so memory holds the
sounds of one block at a time.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from operator import is_
from typing import Any

from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import (
    EMPTY_DICT,
    EMPTY_SET,
    FRAME_HEAD_BYTES,
    MARK,
    NONE,
    POP,
    PROTOCOL,
    STOP,
    pack_index,
    put,
)
from harvester.checkpoint._proof import prove
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint.stream import RestrictedUnpickler, decode_pickle
from harvester.errors import LibraryCorrupt

_LIST, _CLEARED = b"l", 10_000
_ADDITION = re.compile(rb"j(?=(....)\()", re.DOTALL)
"""A slot that a list block adds to. Bytes of a number can look like one."""
_STORE = re.compile(rb"r(?=(..[^\0]\0))", re.DOTALL)
"""A slot of a sound that a block stores in. Bytes of a number can look like one."""
_TEXT_STORE, _LOW_STORES = re.compile(rb"r(?=(..\0\0))", re.DOTALL), b"".join(put(slot) for slot in range(256))
"""The same of texts, but for the first slots."""


def values_in_slots(block: bytes, slots: Sequence[int]) -> list[dict[Any, Any]]:
    """Return what one block alone leaves in memo slots."""
    return Memo().after(block, slots)


class Memo:
    """The memo of the whole stream, with one block's sounds at a time.

    One unpickler reads all blocks, but a block finds there neither a text nor a sound of another: those texts are
    spoiled before it, and the slots of sounds are cleared after it. So it says the same beside other blocks.
    """

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self._unpickler = RestrictedUnpickler(self._stream)
        self._spoil = b""
        """Opcodes that spoil the texts of the last block."""

    def after(self, block: bytes, slots: Sequence[int], *, are_there: bool = False) -> list[dict[Any, Any]]:
        """Return the dicts that are in these slots after a block.

        `are_there`: the block finds an empty dict in each of them, and stores in no slot of a sound. Raises
        `ValueError` if the slots are not clear before the block, or hold anything but dicts after it.
        """
        there = None
        if are_there:
            self._prove_clear(slots)
            there = self._load(MARK + b"".join([EMPTY_DICT + pack_index(b"r", slot) for slot in slots]) + _LIST + STOP)
        built = self._run(self._spoil + block, slots)
        self._spoil = _spoiling(block)
        prove(set(map(type, built)) <= {dict})
        if there is not None:
            prove(all(map(is_, there, built)))
            self._prove_no_store(block)
        return built

    def _prove_no_store(self, block: bytes) -> None:
        """Raise `ValueError` if a block has stored in a slot of a sound."""
        for match in _STORE.finditer(block, FRAME_HEAD_BYTES):
            try:
                stored = self._load(b"j" + match[1] + STOP)
            except LibraryCorrupt:  # there is nothing in it
                continue
            prove(stored is None)

    def make_clear(self, slots: Iterable[int]) -> None:
        """Let slots hold nothing, as they do after their blocks of records."""
        self._load(NONE + b"".join([pack_index(b"r", slot) for slot in slots]) + STOP)

    def make_all_clear(self, sounds: int) -> None:
        """Let the slots of all sounds hold nothing."""
        for slots in _slots_of(sounds):
            self.make_clear(slots)

    def prove_clear(self, sounds: int) -> None:
        """Raise `ValueError` if a block has stored in a slot of another."""
        for slots in _slots_of(sounds):
            self._prove_clear(slots)

    def _prove_clear(self, slots: Sequence[int]) -> None:
        prove(set(self._run(b"", slots)) <= {None})

    def _run(self, opcodes: bytes, slots: Sequence[int]) -> list[Any]:
        """Return what opcodes leave in memo slots, and clear these."""
        fetch = b"".join([pack_index(b"j", slot) for slot in slots])
        clear = b"".join([pack_index(b"r", slot) for slot in slots])
        return list(self._load(opcodes + MARK + fetch + _LIST + NONE + clear + POP + STOP))

    def _load(self, opcodes: bytes) -> Any:
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(PROTOCOL + opcodes)
        self._stream.seek(0)
        return decode_pickle(self._unpickler)


def _spoiling(block: bytes) -> bytes:
    """Return opcodes for the slots of texts that a block may store in.

    They leave there what no value may be.
    """
    stores = b"".join([b"r" + match[1] for match in _TEXT_STORE.finditer(block, FRAME_HEAD_BYTES)])
    return EMPTY_SET + _LOW_STORES + stores + POP


def _slots_of(sounds: int) -> Iterator[range]:
    """Yield the slots of all sounds, those of some at a time."""
    for start in range(0, sounds, _CLEARED):
        first, end = (TEXT_SLOTS + SLOTS * place for place in (start, min(start + _CLEARED, sounds)))
        yield range(first, end)


def slots_added_to(block: bytes, sounds: int) -> Iterator[int]:
    """Yield the memo slots that a list block may add to, in its order.

    Bytes of a number can look like one, so there may be too many.
    """
    end = TEXT_SLOTS + SLOTS * sounds
    found = (int.from_bytes(match[1], "little") for match in _ADDITION.finditer(block, FRAME_HEAD_BYTES))
    return (slot for slot in found if TEXT_SLOTS <= slot < end)

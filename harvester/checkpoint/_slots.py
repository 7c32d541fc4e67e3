"""Read what one block leaves in the memo slots of its sounds.

Owns the memo while a file is walked: the slots of a sound are clear before its block and after it, so memory holds the
sounds of one block at a time.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harvester.checkpoint._interned import TEXT_SLOTS
from harvester.checkpoint._opcodes import EMPTY_DICT, FRAME_HEAD_BYTES, MARK, NONE, POP, PROTOCOL, STOP, pack_index
from harvester.checkpoint._proof import prove
from harvester.checkpoint._record_block import SLOTS
from harvester.checkpoint.stream import RestrictedUnpickler, decode_pickle

_LIST, _CLEARED = b"l", 10_000
_ADDITION = re.compile(rb"j(?=(....)\()", re.DOTALL)
"""A slot that a list block adds to. Bytes of a number can look like one."""


def values_in_slots(block: bytes, slots: Sequence[int]) -> list[dict[Any, Any]]:
    """Return what one block alone leaves in memo slots."""
    return Memo().after(block, slots)


class Memo:
    """The memo of the whole stream, with one block's sounds at a time.

    One unpickler reads all blocks, so what a block finds in the memo is what it finds when the stream is loaded, but
    for the slots of sounds: they are cleared after each block.
    """

    def __init__(self) -> None:
        self._stream = io.BytesIO()
        self._unpickler = RestrictedUnpickler(self._stream)

    def after(self, block: bytes, slots: Sequence[int], *, are_there: bool = False) -> list[dict[Any, Any]]:
        """Return the dicts that are in these slots after a block.

        `are_there`: the block finds an empty dict in each of them. Raises `ValueError` if the slots are not clear
        before the block, or hold anything but dicts after it.
        """
        head = b""
        if are_there:
            self._prove_clear(slots)
            head = b"".join([EMPTY_DICT + pack_index(b"r", slot) + POP for slot in slots])
        built = self._run(head + block, slots)
        prove(set(map(type, built)) <= {dict})
        return built

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

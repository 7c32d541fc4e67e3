"""String interning inside one block of the stream.

Owns a block's first memo slots: the block starts with its recurring texts, each stored in a slot. So the bytes of a
block depend on its own content only. Knows neither sounds nor similar lists.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harvester.checkpoint._opcodes import (
    APPENDS,
    EMPTY_DICT,
    EMPTY_LIST,
    FALSE,
    MARK,
    NONE,
    POP,
    SETITEMS,
    TRUE,
    encode_int,
    encode_text,
    get,
    pack_float,
    put,
)
from harvester.graph import DEEPEST, SHARED_TEXTS

TEXT_SLOTS = 1 << 16
"""Number of memo slots for a block's recurring texts; the sounds' own slots start above."""

RECURRING = SHARED_TEXTS | {"tags"}
"""Fields whose texts recur from sound to sound."""


class Texts:
    """The recurring texts of a block: their memo slots and interned copies."""

    def __init__(self) -> None:
        self.copies: dict[str, str] = {}
        self._slots: dict[str, int] = {}

    def take(self, texts: Iterable[str]) -> None:
        """Assign slots to texts of two or more characters, while any is free."""
        for text in texts:
            if len(text) > 1 and text not in self._slots and len(self._slots) < TEXT_SLOTS:
                self._slots[text] = len(self._slots)
                self.copies[text] = text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")

    def head(self) -> bytes:
        """Return the opcodes that store each text in its slot."""
        return b"".join([encode_text(text) + put(slot) + POP for text, slot in self._slots.items()])

    def memo(self) -> dict[int, tuple[int, str]]:
        """Return the interned copies in the form of a pickler's memo."""
        return {id(copy): (self._slots[text], copy) for text, copy in self.copies.items()}

    def text(self, text: str) -> bytes:
        """Return a recurring text's opcodes; raise `ValueError` if not `str`."""
        if type(text) is not str:
            raise ValueError(f"a {type(text).__name__} is not a field's name")
        self.take((text,))
        return get(self._slots[text]) if text in self._slots else encode_text(text)

    def value(self, value: Any, *, shared: bool, depth: int = 0) -> bytes:
        """Return the opcodes of a JSON value.

        Texts in it are interned when `shared` is true. Raises `ValueError` for a value that is not JSON, or that is
        nested too deep.
        """
        kind = type(value)
        if kind is str:
            return self.text(value) if shared else encode_text(value)
        if kind is int:
            return encode_int(value)
        if kind is float:
            return pack_float(b"G", value)
        if value is None:
            return NONE
        if kind is bool:
            return TRUE if value else FALSE
        if depth >= DEEPEST:
            raise ValueError(f"a value is nested deeper than {DEEPEST} containers")
        if kind is list or kind is tuple:
            if not value:
                return EMPTY_LIST
            inner = b"".join([self.value(element, shared=shared, depth=depth + 1) for element in value])
            return EMPTY_LIST + MARK + inner + APPENDS
        if kind is dict:
            return self.mapping(sorted(value.items()), shared=shared, depth=depth + 1)
        raise ValueError(f"a {kind.__name__} is not a JSON value")

    def mapping(self, pairs: Iterable[tuple[str, Any]], *, shared: bool = False, depth: int = 0) -> bytes:
        """Return the opcodes of a dict, in the order of its keys."""
        parts = [
            self.text(name) + self.value(value, shared=shared or name in RECURRING, depth=depth)
            for name, value in pairs
        ]
        return EMPTY_DICT + MARK + b"".join(parts) + SETITEMS if parts else EMPTY_DICT

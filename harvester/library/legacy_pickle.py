"""Foreign pickles read as plain data: every class in them becomes an inert stand-in, so nothing of theirs ever runs.

Owns what is let through to the unpickler. Unlike our own checkpoints these files hold objects of any class; none is
imported, none is needed. The stream is walked first: a memo bomb, a buffer out of band or an object by reference is
refused before anything is built.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickle
import pickletools
import zlib
from typing import Any

from harvester.errors import LibraryCorrupt
from harvester.library.codec import decode_pickle

_SMALL_BYTES = 64 << 20
_HIGHEST_RATIO = 50
_MOST_CLASSES = 1000
_FREE_SLOTS = 1 << 17
"""Picklers number their memo slots one by one; ours leaves room for a block's texts first."""
_REFUSED = {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}


class Inert:
    """An object of a foreign class: what it was made of, and nothing that it could do."""

    __slots__ = ("arguments", "elements", "pairs", "state")
    path = ""

    arguments: tuple[Any, ...]
    elements: list[Any]
    pairs: list[tuple[Any, Any]]
    state: Any

    def __new__(cls, *arguments: Any) -> Inert:
        self = object.__new__(cls)
        self.arguments, self.elements, self.pairs, self.state = arguments, [], [], None
        return self

    def __init__(self, *_arguments: Any) -> None:
        """Take whatever the pickle gives."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, element: Any) -> None:
        self.elements.append(element)

    def extend(self, elements: list[Any]) -> None:
        self.elements.extend(elements)

    add = append

    def __setitem__(self, name: Any, value: Any) -> None:
        self.pairs.append((name, value))

    @property
    def class_path(self) -> str:
        """Return `module.Class` of the object, also where the old protocols made it through `copyreg`."""
        made_by = type(self).path
        if made_by.startswith(("copyreg.", "copy_reg.")) and self.arguments and isinstance(self.arguments[0], type):
            return str(getattr(self.arguments[0], "path", made_by))
        return made_by

    @property
    def attributes(self) -> dict[Any, Any]:
        """Return the attributes that the object would have had."""
        found: dict[Any, Any] = {}
        for part in self.state if isinstance(self.state, tuple) else (self.state,):
            if isinstance(part, dict):
                found |= part
        return found


def load_foreign(packed: bytes) -> Any:
    """Return what a foreign pickle holds, compressed or not, with `Inert` objects for everything that is not plain.

    Raises `LibraryCorrupt` with one line. Memory is bounded by the file's size.
    """
    stream = _unpack(packed)
    _scan(stream)
    return decode_pickle(_Unpickler(io.BytesIO(stream), encoding="utf-8", errors="replace"))


class _Unpickler(pickle.Unpickler):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._classes: dict[str, type] = {}

    def find_class(self, module_name: str, global_name: str) -> type:
        path = f"{module_name}.{global_name}"
        if path not in self._classes:
            if len(self._classes) >= _MOST_CLASSES:
                raise LibraryCorrupt("it names more classes than any library")
            self._classes[path] = type("InertOne", (Inert,), {"__slots__": (), "path": path})
        return self._classes[path]


def _unpack(packed: bytes) -> bytes:
    limit = _SMALL_BYTES + _HIGHEST_RATIO * len(packed)
    unpacker: Any
    if packed[:2] == b"\x1f\x8b" or packed[:1] == b"\x78":
        unpacker = zlib.decompressobj(wbits=47)
    elif packed[:3] == b"BZh":
        unpacker = bz2.BZ2Decompressor()
    elif packed[:6] == b"\xfd7zXZ\x00" or packed[:3] == b"\x5d\x00\x00":
        unpacker = lzma.LZMADecompressor()
    else:
        return packed
    try:
        stream: bytes = unpacker.decompress(packed, limit)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, MemoryError) as error:
        raise LibraryCorrupt(f"its compression is broken ({error})") from error
    if not unpacker.eof:
        raise LibraryCorrupt("its end is missing" if len(stream) < limit else f"it unpacks to more than {limit} bytes")
    return stream


def _scan(stream: bytes) -> None:
    problem = ""
    frame_end = 0
    try:
        for count, (opcode, argument, place) in enumerate(pickletools.genops(stream)):
            begin = int(place or 0)
            if frame_end and begin >= frame_end:
                # Across a frame's end the unpickler forgets the rest of the frame, and reads elsewhere than this walk.
                problem = "" if begin == frame_end else "an opcode in it goes over the end of its frame"
                frame_end = 0
            if problem:
                break
            if opcode.name == "FRAME":
                problem = "its frames lie within each other" if frame_end else ""
                frame_end = begin + 9 + int(argument or 0)
            elif opcode.name in _REFUSED:
                problem = f"it holds the opcode {opcode.name}, which refers to what is not in the file"
            elif opcode.name in _PUTS and int(argument or 0) > _FREE_SLOTS + count:
                problem = "it asks for far more memory than it has content"
            if problem:
                break
    # Whatever the walk stumbles over, it means one thing.
    except Exception as error:
        raise LibraryCorrupt(f"it is not a pickle of plain objects ({error})") from error
    if problem:
        raise LibraryCorrupt(problem)

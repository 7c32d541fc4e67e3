"""Read foreign pickles as plain data, without running their code.

Every class in them becomes an inert stand-in. Unlike checkpoints of harvester, these files hold objects of any class;
no class is imported. Owns the limits on memory and time: opcodes, containers and keys that could collide are counted
during reading, and limited by the file's packed size. It uses the standard library's unpickler in Python, because the
one in C cannot count.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickle
import zlib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from harvester.checkpoint import decode_pickle
from harvester.errors import LibraryCorrupt, words_of

_SMALL_BYTES, _HIGHEST_RATIO = 1 << 20, 50
_LZMA_BYTES = 100 << 20
"""Memory limit for unpacking LZMA; its presets need at most 65 MiB."""

_MOST_CLASSES = 1000
_FREE_STEPS, _STEPS_A_BYTE = 200_000, 6
_FREE_CONTAINERS, _CONTAINERS_A_BYTE = 50_000, 2
"""Limits by the packed size: an edge without a score takes 3 opcodes, one container and at least 1.5 packed bytes."""

_MOST_ODD_KEYS = 4096
"""Maximum number of keys that could be made to collide: integers beyond 64 bits, and tuples. Colliding keys are
compared with all earlier ones."""

_KEY_BITS = 64
_LONGEST_KEY = 8
_REFUSED = b"PQ\x82\x83\x84\x97\x98"
"""Opcodes for objects by reference, registered extensions and out-of-band buffers."""


class Inert:
    """Inert stand-in for a foreign object; it stores what the pickle gives."""

    __slots__ = ("arguments", "elements", "pairs", "state")
    path = ""

    arguments: tuple[Any, ...]
    elements: list[Any]
    pairs: list[tuple[Any, Any]]
    state: Any

    def __new__(cls, *arguments: Any) -> Inert:
        """Create an object that stores its arguments."""
        self = object.__new__(cls)
        self.arguments, self.elements, self.pairs, self.state = arguments, [], [], None
        return self

    def __init__(self, *_arguments: Any) -> None:
        """Accept any arguments; `__new__` has stored them."""

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, element: Any) -> None:
        """Store an element, as a list or set would."""
        self.elements.append(element)

    def extend(self, elements: list[Any]) -> None:
        """Store several elements, as a list would."""
        self.elements.extend(elements)

    add = append

    def __setitem__(self, name: Any, value: Any) -> None:
        self.pairs.append((name, value))

    @property
    def class_path(self) -> str:
        """Return the object's `module.Class`, also through `copyreg`."""
        made_by = type(self).path
        if made_by.startswith(("copyreg.", "copy_reg.")) and self.arguments and isinstance(self.arguments[0], type):
            return str(getattr(self.arguments[0], "path", made_by))
        return made_by

    @property
    def attributes(self) -> dict[Any, Any]:
        """Return the attributes that the real object would have."""
        found: dict[Any, Any] = {}
        for part in self.state if isinstance(self.state, tuple) else (self.state,):
            if isinstance(part, dict):
                found |= part
        return found


def load_foreign(packed: bytes) -> Any:
    """Return a foreign pickle's content, compressed or not.

    Objects of foreign classes become `Inert`. Raises `LibraryCorrupt` with one line. The file's packed size limits
    memory and time.
    """
    return decode_pickle(_CountingUnpickler(_unpack(packed), len(packed)))


class _CountingUnpickler(pickle._Unpickler):
    """Unpickler with limits on what it builds.

    Even from a malformed stream it builds only plain containers and `Inert` objects.
    """

    dispatch: ClassVar[Any] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: bytes, packed_bytes: int) -> None:
        super().__init__(io.BytesIO(stream), encoding="utf-8", errors="replace")
        self.memo: dict[int, Any] = {}
        self._size_bytes = len(stream)
        self._classes: dict[str, type] = {}
        self._steps = _FREE_STEPS + _STEPS_A_BYTE * packed_bytes
        self._containers = _FREE_CONTAINERS + _CONTAINERS_A_BYTE * packed_bytes
        self._odd_keys = _MOST_ODD_KEYS

    def load(self) -> Any:
        """Return the object of the stream."""
        self._unframer = pickle._Unframer(self._file_read, self._file_readline)  # type: ignore[attr-defined]
        self.read, self.readinto = self._unframer.read, self._unframer.readinto
        self.readline = self._unframer.readline
        self.metastack: list[Any] = []
        self.stack: list[Any] = []
        self.append = self.stack.append
        self.proto = 0
        dispatch = self.dispatch
        try:
            for _ in range(self._steps):
                dispatch[self.read(1)[0]](self)
        except pickle._Stop as stopped:  # type: ignore[attr-defined]
            return stopped.value
        raise LibraryCorrupt("it has far more opcodes than a library of its size")

    def find_class(self, module_name: str, global_name: str) -> type:
        """Return an inert class; raise `LibraryCorrupt` past `_MOST_CLASSES`."""
        path = f"{module_name}.{global_name}"
        if path not in self._classes:
            if len(self._classes) >= _MOST_CLASSES:
                raise LibraryCorrupt("it names more classes than any library")
            self._classes[path] = type("InertOne", (Inert,), {"__slots__": (), "path": path})
        return self._classes[path]

    def spend(self, containers: int) -> None:
        """Count an opcode's containers; raise `LibraryCorrupt` past the limit."""
        self._containers -= containers
        if self._containers < 0:
            raise LibraryCorrupt("it builds far more containers than a library of its size")

    def check_keys(self, keys: Iterable[Any]) -> None:
        """Check keys before Python hashes them, or raise `LibraryCorrupt`."""
        for key in keys:
            kind = type(key)
            if kind is int:
                self._odd_keys -= key.bit_length() > _KEY_BITS
            elif kind is tuple:
                # Python computes the hash of a tuple again each time: nested, shared tuples take exponential time.
                if len(key) > _LONGEST_KEY or not _SCALARS.issuperset(map(type, key)):
                    raise LibraryCorrupt("it has a key that is nested")
                self._odd_keys -= 1
            elif kind is frozenset:
                raise LibraryCorrupt("it has a key that is a set")
        if self._odd_keys < 0:
            raise LibraryCorrupt("it has too many keys that are tuples or giant integers")

    def load_put(self) -> None:
        """Store an object in a memo slot.

        Raises `LibraryCorrupt` for slot numbers that could collide.
        """
        place = int(self.readline())
        if not 0 <= place < 1 << 32:
            raise LibraryCorrupt("it uses a memo slot that no pickler uses")
        self.memo[place] = self.stack[-1]

    def load_bytearray8(self) -> None:
        """Read a bytearray no larger than the stream.

        Raises `LibraryCorrupt` before Python allocates more.
        """
        size = int.from_bytes(self.read(8), "little")
        if size > self._size_bytes:
            raise LibraryCorrupt("it asks for far more memory than it has content")
        self.append(bytearray(self.read(size)))


_SCALARS = {str, int, float, bool, bytes, type(None)}
_Load = Callable[[_CountingUnpickler], None]


def _costing(load: _Load, cost: Callable[[list[Any]], int]) -> _Load:
    def counted(self: _CountingUnpickler) -> None:
        self.spend(cost(self.stack))
        load(self)

    return counted


def _keyed(load: _Load, keys: slice) -> _Load:
    def checked(self: _CountingUnpickler) -> None:
        self.check_keys(self.stack[keys])
        load(self)

    return checked


def _refuse(_: _CountingUnpickler) -> None:
    raise LibraryCorrupt("it holds an opcode that refers to what is not in the file")


def _arguments(place: int) -> Callable[[list[Any]], int]:
    # Each call copies them, and they may be one long list.
    return lambda stack: 1 + len(stack[place])


def _prepare_dispatch() -> None:
    """Count costly opcodes; refuse references outside the file.

    Costly opcodes create containers or hash keys.
    """
    dispatch = _CountingUnpickler.dispatch
    dispatch[ord("p")], dispatch[0x96] = _CountingUnpickler.load_put, _CountingUnpickler.load_bytearray8
    for code in b"(tl]}doi\x85\x86\x87\x8f\x91\x96":
        dispatch[code] = _costing(dispatch[code], lambda _: 1)
    for code, place in ((ord("R"), -1), (0x81, -1), (0x92, -2)):
        dispatch[code] = _costing(dispatch[code], _arguments(place))
    keyed = {b"s": slice(-2, -1), b"ud": slice(0, None, 2), b"\x90\x91": slice(None)}
    for codes, keys in keyed.items():
        for code in codes:
            dispatch[code] = _keyed(dispatch[code], keys)
    for code in _REFUSED:
        dispatch[code] = _refuse


_prepare_dispatch()


def _unpack(packed: bytes) -> bytes:
    limit = _SMALL_BYTES + _HIGHEST_RATIO * len(packed)
    unpacker: Any
    if packed[:2] == b"\x1f\x8b" or packed[:1] == b"\x78":
        unpacker = zlib.decompressobj(wbits=47)
    elif packed[:3] == b"BZh":
        unpacker = bz2.BZ2Decompressor()
    elif packed[:6] == b"\xfd7zXZ\x00" or packed[:3] == b"\x5d\x00\x00":
        unpacker = lzma.LZMADecompressor(memlimit=_LZMA_BYTES)
    else:
        return packed
    try:
        stream: bytes = unpacker.decompress(packed, limit)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, MemoryError) as error:
        raise LibraryCorrupt(f"its compression is broken ({words_of(error)})") from error
    if not unpacker.eof:
        raise LibraryCorrupt("its end is missing" if len(stream) < limit else f"it unpacks to more than {limit} bytes")
    return stream

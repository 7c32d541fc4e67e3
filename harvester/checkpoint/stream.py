"""Read the stream of a checkpoint as hostile, frame by frame.

Owns the order of the checks: a frame's opcodes are scanned before the unpickler gets it, and the digest is that of what
the unpickler got. One class is known, and replaced by an inert stand-in. No code of the file runs.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from harvester.checkpoint._frames import frames_of
from harvester.checkpoint._opcode_scan import OpcodeScan
from harvester.checkpoint.container import Packed, unpacked
from harvester.checkpoint.writer import END_BYTES, GRAPH_CLASS, digest_at_end
from harvester.errors import LibraryCorrupt, words_of
from harvester.terminal_text import escape


def opcode_scan(packed: Packed, size_bytes: int) -> OpcodeScan:
    """Return a scan of the stream in a file, of `size_bytes` bytes."""
    return OpcodeScan(size_bytes, lambda: islice(frames_of(unpacked(packed)), 1, None))


def scanned_frames(packed: Packed, size_bytes: int) -> Iterator[bytes]:
    """Yield the protocol and the frames of a stream of `size_bytes` bytes.

    Each is yielded once its opcodes are known to be allowed. Raises `LibraryCorrupt`.
    """
    return opcode_scan(packed, size_bytes).through(frames_of(unpacked(packed)))


def digest_in(packed: Packed) -> str:
    """Return a checkpoint's digest, verified, without unpickling."""
    ending = EndingReader()
    for _ in ending.through(unpacked(packed)):
        pass
    return ending.verified_digest()


class EndingReader:
    """The size and the digest of a stream, and the digest at its end."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._digest, self._end = hashlib.sha256(), b""

    def through(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces of a stream; only its end is kept."""
        for piece in pieces:
            self.size_bytes += len(piece)
            self._end += piece
            self._digest.update(memoryview(self._end)[:-END_BYTES])
            self._end = self._end[-END_BYTES:]
            yield piece

    def verified_digest(self) -> str:
        """Return the digest of the whole stream, or raise `LibraryCorrupt`."""
        named = digest_at_end(self._end)
        if named is None:
            raise LibraryCorrupt("it does not end with a digest")
        if named != self._digest.hexdigest():
            raise LibraryCorrupt("its content does not match its digest")
        return named


class GraphStandIn:
    """Inert stand-in for the graph class in a file: stores, runs no code."""

    __slots__ = ("adjacency", "state")

    def __init__(self, adjacency: object) -> None:
        self.adjacency = adjacency
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class FrameReader:
    """A stream read frame by frame, never in memory as a whole.

    Other threads run in between. Given the whole stream, the C unpickler would hold the GIL to its end and block the
    event loop: 0.5 s at 50,000 sounds (measured). No opcode crosses the end of a frame.
    """

    def __init__(self, frames: Iterator[bytes]) -> None:
        self._frames = frames
        self._frame, self._place = b"", 0

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes of a frame, or what it has left."""
        if self._place == len(self._frame):
            self._frame, self._place = next(self._frames, b""), 0
        start, self._place = self._place, min(self._place + size, len(self._frame))
        return self._frame[start : self._place]

    def readline(self) -> bytes:
        """Return nothing.

        Unpicklers require this method, but no opcode that the scan allows reads a line.
        """
        return b""


class RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows one class, and replaces it by a stand-in."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the stand-in, or raise `LibraryCorrupt`."""
        if (module_name, global_name) == GRAPH_CLASS:
            return GraphStandIn
        name = _shown(f"{module_name}.{global_name}")
        raise LibraryCorrupt(f"it names {name}: only plain data and the graph class are allowed")


def decode_pickle(unpickler: Any) -> Any:
    """Return what a restricted unpickler loads; raise `LibraryCorrupt`."""
    try:
        return unpickler.load()
    except LibraryCorrupt:
        raise
    # A malformed stream can make the unpickler raise any exception; each means that the stream is corrupt.
    except Exception as error:
        raise LibraryCorrupt(f"its pickle is broken ({words_of(error)})") from error


def _shown(text: str) -> str:
    """Return a text of the file for a message, shortened and escaped."""
    return escape(text[:120])[:120]

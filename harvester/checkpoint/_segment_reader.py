"""Read the frames of a file, and make the table of its segments beside.

Owns how a file that another process wrote gets a table, without a reading of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from harvester.checkpoint._frames import frames_of
from harvester.checkpoint.container import HIGHEST_RATIO_WRITTEN, Container, Packed, unpacked
from harvester.checkpoint.layout import FileLayout
from harvester.checkpoint.segments import (
    HEAD_BYTES,
    Known,
    Made,
    Prefix,
    Segment,
    Segments,
    find_segments,
    with_prefixes,
)


class SegmentReader:
    """The frames of a file, with the table of its segments.

    The table stays without a layout if harvester would pack the file in another way.
    """

    def __init__(self, packed: Packed, table: Segments) -> None:
        self._packed, self._table = packed, table
        self._is_ours = False

    def frames(self) -> Iterator[Known]:
        """Yield the protocol and all frames, however they are packed.

        Each comes with what is known of the stream after it.
        """
        table, known, found = self._table, Prefix(), 0
        table.head = next(self._packed.pieces(), b"")[:HEAD_BYTES]
        for one, segment in find_segments(self._packed.pieces(), HIGHEST_RATIO_WRITTEN):
            before, known, found = known, known.after(one), found + 1
            table.add(Made(b"", b"", before, known), segment)
            yield one, known
        table.end = Container().end(known.checksum)
        self._is_ours = found > 0 and self._packed.size_bytes == table.size_bytes
        if not self._is_ours:
            yield from with_prefixes(islice(frames_of(unpacked(self._packed)), found, None), known)

    def finish(self, keys: list[bytes], layout: FileLayout) -> None:
        """Complete the table, once the file is proven valid.

        `keys` are those of its frames, without the protocol.
        """
        if self._is_ours and len(self._table.all) == 1 + len(keys):
            self._table.all[1:] = map(_with_key, self._table.all[1:], keys)
            self._table.layout = layout


def _with_key(segment: Segment, key: bytes) -> Segment:
    return replace(segment, key=key)

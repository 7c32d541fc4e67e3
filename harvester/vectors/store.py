"""A library's similarity vectors, in a file beside its checkpoint.

They are never part of the checkpoint. Owns when a vector is durable: its row is synced before the call returns, and
before the journal records that its page was read. A corrupt file costs only the vectors that the next sweep must fetch
again. Rows are appended, so a torn end is cut off after the last whole row; a rewrite is atomic. The holder of the
writer's lock writes the file, any process reads it. Computes no similarity.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from harvester.clock import Clock
from harvester.errors import LibraryCorrupt, LibraryUnwritable, NewerFormat, SettingsError
from harvester.model import DIMENSIONS, Vector, check_sound_id
from harvester.storage import (
    REAL_FILES,
    VECTORS,
    Files,
    NotRegular,
    disk_errors,
    open_for_writing,
    open_regular,
    quarantine_path,
    read_pieces,
    set_aside,
    write_all,
    write_atomically,
)
from harvester.vectors.format import (
    HEADER_BYTES,
    Header,
    decode_header,
    decode_vector,
    encode_header,
    encode_row,
    read_rows,
)

_ROWS_AT_ONCE = 4096
WASTE = 4
"""The file is rewritten when more than one row in `WASTE` is unused."""
_LEAST_WASTE_ROWS = 1000


@dataclass(slots=True)
class VectorContents:
    """Content of a vector file: `places` has each sound's (row, checksum).

    `rows` counts all rows up to the last valid one, `corrupt` and `replaced` the unused ones among them; `torn_bytes`
    follow it. `damage` says why the whole file cannot be used (empty: it can).
    """

    header: Header | None = None
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    corrupt: int = 0
    replaced: int = 0
    torn_bytes: int = 0
    damage: str = ""

    @property
    def whole_bytes(self) -> int:
        """Return the place in the file where the next row begins."""
        return HEADER_BYTES + self.rows * (self.header.row_bytes if self.header else 0)

    def take(self, sound_id: int, checksum: int) -> None:
        """Record that the next row holds this sound's vector."""
        self.replaced += sound_id in self.places
        self.places[sound_id] = (self.rows, checksum)
        self.rows += 1


def load_vectors(folder: Path) -> VectorContents:
    """Read a vector file and verify each row's checksum; change nothing.

    Of two rows of one sound the later counts. The result is empty when there is no file, or when its header is corrupt
    (see `damage`). Raises `NewerFormat`, or `LibraryUnwritable` when the system refuses to read the file.
    """
    path, contents = folder / VECTORS, VectorContents()
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            contents.header = header = decode_header(file.read(HEADER_BYTES))
            gap = 0
            while block := file.read(header.row_bytes * _ROWS_AT_ONCE):
                for row in read_rows(block, header.row_bytes):
                    if row is None:
                        gap += 1
                        continue
                    contents.rows, contents.corrupt, gap = contents.rows + gap, contents.corrupt + gap, 0
                    contents.take(*row)
                contents.torn_bytes = gap * header.row_bytes + len(block) % header.row_bytes
    except FileNotFoundError:
        return VectorContents()
    except (LibraryCorrupt, NotRegular) as error:
        return VectorContents(damage=str(error))
    except NewerFormat as error:
        raise NewerFormat(f"{path}: {error}") from error
    except OSError as error:
        raise LibraryUnwritable(f"{path}: it cannot be read ({error.strerror}); nothing was changed") from error
    return contents


def load_header(folder: Path) -> tuple[Header, int] | None:
    """Return the vector file's header and its number of rows.

    The file's size gives that number. None without a usable file.
    """
    try:
        with os.fdopen(open_regular(folder / VECTORS), "rb") as file:
            header = decode_header(file.read(HEADER_BYTES))
            return header, header.rows_in(os.fstat(file.fileno()).st_size)
    except (OSError, LibraryCorrupt, NewerFormat):
        return None


def count_vectors(folder: Path) -> int:
    """Return about how many vectors a library has, by the file's size."""
    found = load_header(folder)
    return found[1] if found is not None else 0


class Vectors:
    """The vectors of a library that is open for writing.

    The file is read at the first use.
    """

    def __init__(self, folder: Path, clock: Clock, files: Files = REAL_FILES, notices: list[str] | None = None) -> None:
        """Prepare without reading the file.

        Later calls add warnings about it to `notices`.
        """
        self.path = folder / VECTORS
        self._folder, self._clock, self._files = folder, clock, files
        self._notices = notices if notices is not None else []
        self._contents: VectorContents | None = None

    @property
    def contents(self) -> VectorContents:
        """Return the content of the file; callers must not change it."""
        if self._contents is None:
            self._contents = load_vectors(self._folder)
        return self._contents

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self.contents.places

    def __len__(self) -> int:
        return len(self.contents.places)

    def check_space(self, space: str, source: str) -> None:
        """Raise `SettingsError` for vectors of another space or catalogue."""
        header = self.contents.header
        if header is not None and (header.space, header.source) != (space, source):
            raise SettingsError(
                f"{self.path} holds vectors of {header.space} from {header.source}, not of {space} from {source}; "
                f"nothing was changed: choose another --library, or move that file away"
            )

    def keep(self, vectors: Mapping[int, Vector], *, space: str, source: str) -> int:
        """Append new or changed vectors durably, and return their number.

        Raises `DiskFull`, `LibraryUnwritable` or `SettingsError`; then the earlier vectors stay, and none is added. A
        crash may leave a torn row at the end, which the next call cuts off.
        """
        self.check_space(space, source)
        contents = self.contents
        header = contents.header or Header(space, source, DIMENSIONS[space], self._clock.time_us())
        rows, news = bytearray(), []
        for sound_id, vector in vectors.items():
            check_sound_id(sound_id)
            if len(vector) != header.dimension:
                raise ValueError(f"a vector of {space} has {header.dimension} numbers, not {len(vector)}")
            row, checksum = encode_row(sound_id, vector)
            if contents.places.get(sound_id, (0, None))[1] != checksum:
                rows += row
                news.append((sound_id, checksum))
        if not news:
            return 0
        with disk_errors(self.path, "earlier vectors are kept"):
            if contents.header is None:
                if contents.damage:
                    moved = set_aside(self.path, self._folder, self._clock.time_us(), self._files)
                    self._notices.append(f"{VECTORS} was corrupt ({contents.damage}) and was moved to {moved}")
                write_atomically(self.path, [encode_header(header), bytes(rows)], self._files)
                contents = self._contents = VectorContents(header)
            else:
                if contents.torn_bytes >= header.row_bytes:
                    # New rows would take the numbers of corrupt ones. A rewrite changes `made_at`, so that readers that
                    # remember row numbers notice.
                    self.rewrite()
                    contents = self.contents
                self._append(bytes(rows), contents)
            for sound_id, checksum in news:
                contents.take(sound_id, checksum)
            contents.torn_bytes = 0
            if contents.corrupt + contents.replaced > max(_LEAST_WASTE_ROWS, contents.rows // WASTE):
                self.rewrite()
        return len(news)

    def _append(self, rows: bytes, contents: VectorContents) -> None:
        descriptor = open_for_writing(self.path)
        try:
            os.ftruncate(descriptor, contents.whole_bytes)
            os.lseek(descriptor, contents.whole_bytes, os.SEEK_SET)
            try:
                write_all(descriptor, rows, self._files)
                self._files.fsync(descriptor)
            except OSError:
                with suppress(OSError):  # the next call cuts off what stays, or its checksums mark it as corrupt
                    os.ftruncate(descriptor, contents.whole_bytes)
                raise
        finally:
            self._files.close(descriptor)

    def rewrite(self) -> None:
        """Rewrite the file with its valid rows only, atomically.

        Does nothing without a file. Raises `DiskFull` or `LibraryUnwritable`; then the old file stays.
        """
        header = self.contents.header
        if header is None:
            return
        renewed = replace(header, made_at=max(self._clock.time_us(), header.made_at + 1))
        with disk_errors(self.path, "earlier vectors are kept"):
            write_atomically(self.path, chain([encode_header(renewed)], self._whole_rows()), self._files)
        self._contents = None

    def drop(self, sound_ids: Iterable[int]) -> None:
        """Remove the vectors of sounds from the file, durable on return.

        No byte of them stays in it.
        """
        places = self.contents.places
        dropped = [places.pop(sound_id) for sound_id in sound_ids if sound_id in places]
        if dropped:
            self.rewrite()

    def mend(self) -> None:
        """Move a corrupt file to `quarantine/` and keep the valid rows.

        A copy of the file may move there instead. The next sweep with vectors fetches the lost ones.
        """
        contents = self.contents
        with disk_errors(self.path, "nothing was deleted"):
            if contents.damage:
                set_aside(self.path, self._folder, self._clock.time_us(), self._files)
                self._contents = None
            elif contents.corrupt or contents.torn_bytes:
                aside = quarantine_path(self._folder, VECTORS, self._clock.time_us())
                self._files.make_folder(aside.parent)
                write_atomically(aside, read_pieces(self.path), self._files)
                self.rewrite()

    def _whole_rows(self) -> Iterator[bytes]:
        contents = self.contents
        assert contents.header is not None
        size = contents.header.row_bytes
        with os.fdopen(open_regular(self.path), "rb") as file:
            for row, _ in sorted(contents.places.values()):
                file.seek(HEADER_BYTES + row * size)
                yield file.read(size)

    def items(self) -> Iterator[tuple[int, Vector]]:
        """Yield (sound id, vector) of every sound, in the order added.

        Components are rounded to float16.
        """
        header = self.contents.header
        if header is None:
            return
        for row in self._whole_rows():
            # Checked again: another process may have rewritten the file meanwhile.
            for found in read_rows(row, header.row_bytes):
                if found is not None:
                    yield found[0], decode_vector(row, header.dimension)

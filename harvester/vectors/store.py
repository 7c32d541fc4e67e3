"""The vectors of a library, beside its checkpoint: what similarity is computed from, never part of the `.pkl`.

Owns when a vector is durable (its row is synced before the call returns, and before the journal says that its page was
read) and what a damaged file costs: only what is fetched again. Rows are only ever added, so a torn tail is cut off at
the last whole row; a rewrite is atomic. Written under the writer's lock, read by anyone. Knows no similarity.
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
"""The file is rewritten when more than one row in so many is not used any more."""
_LEAST_WASTE_ROWS = 1000


@dataclass(slots=True)
class VectorContents:
    """What a vector file holds: (row, checksum) of each sound, and how many rows are of no use.

    `rows` are whole or rotten, one after the other; `torn_bytes` follow the last whole one. `damage` says why nothing
    of it can be used.
    """

    header: Header | None = None
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    rows: int = 0
    rotten: int = 0
    replaced: int = 0
    torn_bytes: int = 0
    damage: str = ""

    @property
    def whole_bytes(self) -> int:
        """Where the next row begins."""
        return HEADER_BYTES + self.rows * (self.header.row_bytes if self.header else 0)

    def take(self, sound_id: int, checksum: int) -> None:
        """Note that the next row is this sound's."""
        self.replaced += sound_id in self.places
        self.places[sound_id] = (self.rows, checksum)
        self.rows += 1


def load_vectors(folder: Path) -> VectorContents:
    """Return what the vector file of a library holds, each row compared with its checksum; nothing is changed.

    Of two rows of one sound the later counts. Of no file, or of one that is damaged from its header on, an empty one.
    Raises `NewerFormat`, and `LibraryUnwritable` when it cannot be read.
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
                    contents.rows, contents.rotten, gap = contents.rows + gap, contents.rotten + gap, 0
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
    """Return what the vector file says it is of, and how many rows it has room for; None where there is none to use."""
    try:
        with os.fdopen(open_regular(folder / VECTORS), "rb") as file:
            header = decode_header(file.read(HEADER_BYTES))
            return header, header.rows_in(os.fstat(file.fileno()).st_size)
    except (OSError, LibraryCorrupt, NewerFormat):
        return None


def count_vectors(folder: Path) -> int:
    """Return about how many vectors a library has, from the size of the file alone."""
    found = load_header(folder)
    return found[1] if found is not None else 0


class Vectors:
    """The vectors of a library that is open for writing; the file is read when it is first needed."""

    def __init__(self, folder: Path, clock: Clock, files: Files = REAL_FILES, notices: list[str] | None = None) -> None:
        """Begin; what is odd about the file is added to `notices`."""
        self.path = folder / VECTORS
        self._folder, self._clock, self._files = folder, clock, files
        self._notices = notices if notices is not None else []
        self._contents: VectorContents | None = None

    @property
    def contents(self) -> VectorContents:
        """What the file holds; to be read only."""
        if self._contents is None:
            self._contents = load_vectors(self._folder)
        return self._contents

    def __contains__(self, sound_id: object) -> bool:
        return sound_id in self.contents.places

    def __len__(self) -> int:
        return len(self.contents.places)

    def check_space(self, space: str, source: str) -> None:
        """Raise `SettingsError` when the file holds vectors of another space or of another catalogue."""
        header = self.contents.header
        if header is not None and (header.space, header.source) != (space, source):
            raise SettingsError(
                f"{self.path} holds vectors of {header.space} from {header.source}, not of {space} from {source}; "
                f"choose another --library, or move that file away"
            )

    def keep(self, vectors: Mapping[int, Vector], *, space: str, source: str) -> int:
        """Add vectors, durable on return, and return how many were new; those that are there already cost nothing.

        Raises `DiskFull`, `LibraryUnwritable` or `SettingsError`; what was there before stands then, and nothing else.
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
        with disk_errors(self.path, "the vectors that were there are whole"):
            if contents.header is None:
                if contents.damage:
                    moved = set_aside(self.path, self._folder, self._clock.time_us(), self._files)
                    self._notices.append(f"{VECTORS} was damaged ({contents.damage}): it is now {moved}")
                write_atomically(self.path, [encode_header(header), bytes(rows)], self._files)
                contents = self._contents = VectorContents(header)
            else:
                if contents.torn_bytes >= header.row_bytes:
                    # Others will stand where whole rows have rotted: whoever remembers rows by number must see that.
                    self.rewrite()
                    contents = self.contents
                self._append(bytes(rows), contents)
            for sound_id, checksum in news:
                contents.take(sound_id, checksum)
            contents.torn_bytes = 0
            if contents.rotten + contents.replaced > max(_LEAST_WASTE_ROWS, contents.rows // WASTE):
                self.rewrite()
        return len(news)

    def _append(self, rows: bytes, contents: VectorContents) -> None:
        descriptor = open_for_writing(self.path)
        try:
            os.ftruncate(descriptor, contents.whole_bytes)
            os.lseek(descriptor, contents.whole_bytes, os.SEEK_SET)
            try:
                rest = rows
                while rest:
                    rest = rest[self._files.write(descriptor, rest) :]
                self._files.fsync(descriptor)
            except OSError:
                with suppress(OSError):  # what stays of it is cut off by the next call, or by its checksums
                    os.ftruncate(descriptor, contents.whole_bytes)
                raise
        finally:
            self._files.close(descriptor)

    def rewrite(self) -> None:
        """Write the file anew with its whole rows alone, atomically; without one, nothing happens."""
        header = self.contents.header
        if header is None:
            return
        renewed = replace(header, made_at=max(self._clock.time_us(), header.made_at + 1))
        with disk_errors(self.path, "the vectors that were there are whole"):
            write_atomically(self.path, chain([encode_header(renewed)], self._whole_rows()), self._files)
        self._contents = None

    def drop(self, sound_ids: Iterable[int]) -> None:
        """Take sounds out of the file, durable on return: nothing of their vectors is left in it."""
        places = self.contents.places
        dropped = [places.pop(sound_id) for sound_id in sound_ids if sound_id in places]
        if dropped:
            self.rewrite()

    def mend(self) -> None:
        """Put what is damaged into `quarantine/` and keep the whole rows; what is lost is fetched by the next sweep."""
        contents = self.contents
        with disk_errors(self.path, "nothing was deleted"):
            if contents.damage:
                set_aside(self.path, self._folder, self._clock.time_us(), self._files)
                self._contents = None
            elif contents.rotten or contents.torn_bytes:
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
        """Give every sound's vector, as it was rounded, in the order in which they came."""
        header = self.contents.header
        if header is None:
            return
        for row in self._whole_rows():
            # Looked at again: another process may have written the file anew since.
            for found in read_rows(row, header.row_bytes):
                if found is not None:
                    yield found[0], decode_vector(row, header.dimension)

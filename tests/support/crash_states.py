"""Crash states: what a power cut may leave of a folder, worked out from the system calls of a real process.

Owns the recording (strace), the model of a disk that persists un-synced operations in any selection, and the walk
through every prefix (ALICE, Pillai et al., OSDI 2014). A file's bytes are safe once that file was synced, an entry of
a folder once that folder was; until then each may be there, be missing, be half there, or be zeros. Knows nothing of
libraries.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
STRACE = shutil.which("strace")
MARKS = "marks"
"""What the recorded process writes to a file of this name beside the folder is put among the operations."""

_CALLS = (
    "openat,open,creat,write,pwrite64,writev,pwritev,ftruncate,truncate,rename,renameat,renameat2,unlink,unlinkat,"
    "fsync,fdatasync,mkdir,mkdirat,link,linkat,symlink,fallocate"
)
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)(<[^>]*>)?( .*)?")
_PARTS = re.compile(r'"(?:\\x[0-9a-f]{2})*"|AT_FDCWD<[^>]*>|\d+<[^>]*>|[^,\s][^,]*')
_UNFINISHED = " <unfinished ...>\n"
_MOST_SUBSETS = 5
"""With so few un-synced operations every selection of them is tried; with more, all but one, one alone, none, all."""

WHOLE, LOST, HALF, ZEROS = "whole", "lost", "half", "zeros"


@dataclass(frozen=True, slots=True)
class Op:
    """One operation. Data belongs to a file (`inode`), names to folders; `path` is relative to the recorded folder."""

    kind: str
    path: str = ""
    target: str = ""
    inode: int = 0
    offset: int = 0
    chunk: bytes = b""

    @property
    def is_change(self) -> bool:
        return self.kind not in ("sync", "sync_folder", "mark")

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.kind, self.path, self.target, len(self.chunk) or "") if part)


@dataclass(slots=True)
class Recording:
    """A folder as it was, and what was then done to it."""

    base: dict[str, bytes | None]
    operations: list[Op] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class CrashState:
    """A folder that a power cut may leave: bytes by path (None: a folder), and what had been marked before it."""

    files: dict[str, bytes | None]
    marks: tuple[str, ...]
    story: str

    def write_to(self, folder: Path) -> None:
        """Make `folder` look like this, whatever it held."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for path, chunk in sorted(self.files.items()):
            if not (folder / path).parent.is_dir():
                continue  # its folder's own entry was lost
            if chunk is None:
                (folder / path).mkdir()
            else:
                (folder / path).write_bytes(chunk)


def read_tree(folder: Path) -> dict[str, bytes | None]:
    """Return what is under a folder, by relative path."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def record(folder: Path, *arguments: object) -> Recording:
    """Run `python ARGUMENTS` under strace and return what it did in `folder`."""
    assert STRACE is not None
    folder = folder.resolve()
    base = read_tree(folder)
    log = folder.parent / f"{folder.name}.strace"
    # With `--seccomp-bpf`, which needs `-f`, the process stops at these calls only, not at the hundreds of an import.
    command = [STRACE, "-f", "--seccomp-bpf", "-y", "-xx", "-s", "100000000", "-o", str(log), "-e", f"trace={_CALLS}"]
    ended = subprocess.run(
        [*command, sys.executable, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    reader = _Reader(folder, base)
    with log.open(encoding="ascii") as lines:
        for line in _whole_calls(lines):
            reader.read_line(line)
    log.unlink()
    return Recording(base, reader.operations)


def _whole_calls(lines: Iterable[str]) -> Iterator[str]:
    """Yield the calls of all threads in the order in which they ended, each in one line without its thread."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, call = line.partition(" ")
        if resumed := re.match(r" *<\.\.\. \w+ resumed>", call):
            yield begun.pop(thread) + call[resumed.end() :]
        elif call.endswith(_UNFINISHED):
            begun[thread] = call.removesuffix(_UNFINISHED)
        else:
            yield call


class _Reader:
    """Turns the lines of strace into operations."""

    def __init__(self, folder: Path, base: dict[str, bytes | None]) -> None:
        self.operations: list[Op] = []
        self._folder, self._marks = str(folder), str(folder.parent / MARKS)
        self._inodes = {path: number for number, path in enumerate(base, 1)}
        self._next = len(base) + 1
        self._sizes = {self._inodes[path]: len(chunk) for path, chunk in base.items() if chunk is not None}
        self._places: dict[int, int] = {}

    def read_line(self, line: str) -> None:
        match = _LINE.fullmatch(line.strip())
        if match is None or int(match[3]) < 0:
            return
        call, result = match[1], int(match[3])
        parts = [_plain(part) for part in _PARTS.findall(match[2])]
        if call in ("openat", "open", "creat"):
            self._open(str(parts[1]) if call == "openat" else str(parts[0]), match[2], result, match[4])
        elif call in ("write", "pwrite64"):
            self._write(call, parts, result)
        elif call in ("fsync", "fdatasync"):
            self._sync(str(parts[0][1]))
        elif call in ("ftruncate", "truncate"):
            self._truncate(str(parts[0][1]) if call == "ftruncate" else str(parts[0]), int(str(parts[1])))
        elif call in ("rename", "renameat", "renameat2"):
            names = [str(part) for part in parts if isinstance(part, str) and part.startswith("/")]
            self._rename(*names[:2])
        elif call in ("unlink", "unlinkat"):
            self._unlink(str(parts[0] if call == "unlink" else parts[1]))
        elif call in ("mkdir", "mkdirat"):
            self._add("make_folder", str(parts[0] if call == "mkdir" else parts[1]))
        elif self._folder in match[2]:
            raise AssertionError(f"an operation the model does not know: {line[:200]}")

    def _inside(self, path: str) -> str | None:
        """Return a path relative to the folder, None when it is elsewhere or only an index that SQLite rebuilds."""
        if not path.startswith(self._folder + "/") or path.endswith("-shm"):
            return "" if path == self._folder else None
        return path[len(self._folder) + 1 :]

    def _add(self, kind: str, path: str, **more: Any) -> None:
        inside = self._inside(path)
        if inside:
            self.operations.append(Op(kind, inside, **more))

    def _open(self, path: str, arguments: str, descriptor: int, opened: str | None) -> None:
        path = str(_plain(f"0{opened}")[1]) if opened else path
        inside = self._inside(path)
        if not inside:
            return
        self._places[descriptor] = 0
        if inside not in self._inodes and "O_CREAT" in arguments:
            self._inodes[inside], self._sizes[self._next] = self._next, 0
            self._next += 1
            self.operations.append(Op("create", inside, inode=self._inodes[inside]))
        elif "O_TRUNC" in arguments:
            self._truncate(path, 0)

    def _write(self, call: str, parts: Sequence[str | tuple[int, str]], taken: int) -> None:
        described, chunk = parts[0], parts[1]
        assert isinstance(described, tuple)
        assert isinstance(chunk, str)
        number, path = described
        if path == self._marks:
            self.operations.append(Op("mark", chunk.strip()))
            return
        inside = self._inside(path)
        if not inside:
            return
        inode = self._inodes[inside]
        offset = int(str(parts[3])) if call == "pwrite64" else self._places[number]
        if call == "write":
            self._places[number] += taken
        raw = chunk.encode("latin-1")[:taken]
        self._sizes[inode] = max(self._sizes[inode], offset + taken)
        self.operations.append(Op("write", inside, inode=inode, offset=offset, chunk=raw))

    def _truncate(self, path: str, size: int) -> None:
        inside = self._inside(path)
        if inside:
            self.operations.append(Op("truncate", inside, inode=self._inodes[inside], offset=size))

    def _sync(self, path: str) -> None:
        inside = self._inside(path)
        if inside is None:
            return
        inode = self._inodes.get(inside)
        if inode is not None and inode in self._sizes:
            self.operations.append(Op("sync", inside, inode=inode))
        else:
            self.operations.append(Op("sync_folder", inside))

    def _rename(self, source: str, target: str) -> None:
        old, new = self._inside(source), self._inside(target)
        if old and new:
            self._inodes[new] = self._inodes.pop(old)
            self.operations.append(Op("rename", old, target=new, inode=self._inodes[new]))

    def _unlink(self, path: str) -> None:
        inside = self._inside(path)
        if inside:
            self._inodes.pop(inside, None)
            self.operations.append(Op("unlink", inside))


def _plain(part: str) -> str | tuple[int, str]:
    """Decode one argument: a string (bytes as Latin-1 for data, UTF-8 for names), or a descriptor with its path."""
    if part.startswith('"'):
        return _unescape(part[1:-1]).decode("latin-1")
    match = re.fullmatch(r"(\d+)<(.*)>", part)
    if match:
        return int(match[1]), _unescape(match[2]).decode("utf-8", "replace")
    return part


def _unescape(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


# --- the model of the disk -------------------------------------------------------------------------------------------


def crash_states(recording: Recording) -> Iterator[CrashState]:
    """Give every different state that a power cut may leave after any prefix of the operations."""
    seen: set[bytes] = set()
    for end in range(len(recording.operations) + 1):
        prefix = recording.operations[:end]
        marks = tuple(operation.path for operation in prefix if operation.kind == "mark")
        for fates in _selections(prefix):
            files = _replay(recording, prefix, fates)
            digest = _digest(files, marks)
            if digest not in seen:
                seen.add(digest)
                told = ", ".join(f"{fate}: {prefix[place]}" for place, fate in fates.items() if fate != WHOLE)
                last = prefix[-1] if prefix else "nothing"
                yield CrashState(files, marks, f"cut after {end} operations ({last}); {told or 'all persisted'}")


def _selections(prefix: Sequence[Op]) -> Iterator[dict[int, str]]:
    """Give what may become of the operations that no sync has made safe, by their place in the prefix."""
    loose = [place for place, operation in enumerate(prefix) if operation.is_change and not _is_safe(prefix, place)]
    writes = [place for place in loose if prefix[place].kind == "write"]
    if len(loose) <= _MOST_SUBSETS:
        for fates in itertools.product((WHOLE, LOST), repeat=len(loose)):
            yield dict(zip(loose, fates, strict=True))
    else:
        yield dict.fromkeys(loose, WHOLE)
        yield dict.fromkeys(loose, LOST)
        for place in loose:
            yield dict.fromkeys(loose, WHOLE) | {place: LOST}
            yield dict.fromkeys(loose, LOST) | {place: WHOLE}
        names = {place: WHOLE if prefix[place].kind != "write" else LOST for place in loose}
        yield names
        yield {place: LOST if fate == WHOLE else WHOLE for place, fate in names.items()}
    for place in writes:
        yield dict.fromkeys(loose, WHOLE) | {place: HALF}
        yield dict.fromkeys(loose, WHOLE) | {place: ZEROS}


def _is_safe(prefix: Sequence[Op], place: int) -> bool:
    operation = prefix[place]
    later = prefix[place + 1 :]
    if operation.kind in ("write", "truncate"):
        return any(one.kind == "sync" and one.inode == operation.inode for one in later)
    folders = {str(Path(name).parent) for name in (operation.path, operation.target) if name}
    synced = {one.path or "." for one in later if one.kind == "sync_folder"}
    return folders <= synced


def _replay(recording: Recording, prefix: Sequence[Op], fates: dict[int, str]) -> dict[str, bytes | None]:
    names = {path: number for number, path in enumerate(recording.base, 1)}
    contents = {number: bytearray(recording.base[path] or b"") for path, number in names.items()}
    folders = {path for path, chunk in recording.base.items() if chunk is None}
    for place, one in enumerate(prefix):
        fate = fates.get(place, WHOLE)
        if fate == LOST or not one.is_change:
            continue
        if one.kind == "make_folder":
            folders.add(one.path)
        elif one.kind == "create":
            names[one.path] = one.inode
        elif one.kind == "rename":
            names.pop(one.path, None)
            names[one.target] = one.inode
        elif one.kind == "unlink":
            names.pop(one.path, None)
        else:
            _change(contents.setdefault(one.inode, bytearray()), one, fate)
    tree: dict[str, bytes | None] = dict.fromkeys(folders)
    for path, number in names.items():
        if path not in folders:
            tree[path] = bytes(contents.get(number, b""))
    return tree


def _change(content: bytearray, one: Op, fate: str) -> None:
    if one.kind == "truncate":
        del content[one.offset :]
        content.extend(bytes(one.offset - len(content)))
        return
    chunk = {WHOLE: one.chunk, HALF: one.chunk[: len(one.chunk) // 2], ZEROS: bytes(len(one.chunk))}[fate]
    content.extend(bytes(max(0, one.offset - len(content))))
    content[one.offset : one.offset + len(chunk)] = chunk


def _digest(files: dict[str, bytes | None], marks: tuple[str, ...]) -> bytes:
    digest = hashlib.blake2b(repr(marks).encode())
    for path, chunk in sorted(files.items()):
        digest.update(repr((path, chunk is None, len(chunk or b""))).encode() + (chunk or b""))
    return digest.digest()

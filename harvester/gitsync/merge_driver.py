"""The merge driver for Git, and the text form for `git diff`.

Owns reading and writing Git's temporary files, which may be Git LFS pointers. Both sides are untrusted until
`checkpoint.format` has decoded them. On any error our side is unchanged, and Git reports an ordinary conflict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from harvester.checkpoint import LARGEST_BYTES, decode_checkpoint
from harvester.clock import iso
from harvester.errors import HarvesterError, LibraryNotFetched, SettingsError, words_of
from harvester.gitsync.repository import attribute_of, run_git, said
from harvester.graph import Dropped, SoundGraph, is_gone, is_withdrawn
from harvester.library import Contribution, merge_bytes
from harvester.storage import disk_errors, is_lfs_pointer, read_bounded, refuse_content, write_atomically


def merge_in_git(ours: Path, theirs: Path, path: str, notices: list[str]) -> Contribution:
    """Merge `theirs` into `ours` for Git, and return what it added.

    Runs at the top of the work tree; `path` is the checkpoint's path in it. `notices` gets a line for each side that
    held invalid values. Raises `LibraryCorrupt`, `NewerFormat`, `LibraryNotFetched` or `WrongSource` when the sides
    cannot be merged, `DiskFull` or `LibraryUnwritable`; then `ours` is unchanged.
    """
    sides = [read_bounded(side, LARGEST_BYTES) for side in (ours, theirs)]
    contents = [_content(side, name, path) for side, name in zip(sides, ("our side", "their side"), strict=True)]
    joined, contribution = merge_bytes(contents[0], contents[1], notices)
    if any(map(is_lfs_pointer, sides)) or attribute_of(Path(), "filter", path) == "lfs":
        joined = _pointer_to(joined, beside=ours)
    with disk_errors(ours, "our side is unchanged"):
        write_atomically(ours, [joined])
    return contribution


def _content(side: bytes, name: str, path: str) -> bytes:
    if not is_lfs_pointer(side):
        refuse_content(side, name)
        return side
    ended = run_git(Path(), "lfs", "smudge", "--", path, given=side, environment={"GIT_LFS_SKIP_SMUDGE": "0"})
    if ended.returncode or not _stands_for(side, ended.stdout):
        reason = said(ended) if ended.returncode else "only its pointer is here"
        raise LibraryNotFetched(
            f"{name} is a Git LFS pointer, and its content cannot be fetched ({reason}); `git lfs fetch --all` may help"
        )
    return ended.stdout


def _pointer_to(content: bytes, *, beside: Path) -> bytes:
    """Store `content` in Git LFS and return its pointer."""
    # `git lfs clean` reads the size from the file named in its arguments, and truncates longer input: write that file.
    whole = beside.with_name(f"{beside.name}.whole")
    try:
        with disk_errors(whole, "our side is unchanged"):
            write_atomically(whole, [content])
        ended = run_git(Path(), "lfs", "clean", "--", str(whole), given=content)
    finally:
        whole.unlink(missing_ok=True)
    if ended.returncode or not _stands_for(ended.stdout, content):
        raise SettingsError(f"`git lfs clean` returned no pointer to the merged library ({said(ended)})")
    return ended.stdout


def _stands_for(pointer: bytes, content: bytes) -> bool:
    return is_lfs_pointer(pointer) and f"oid sha256:{hashlib.sha256(content).hexdigest()}\n".encode() in pointer


def describe_for_git(path: Path) -> Iterator[str]:
    """Yield the lines that `git diff` shows for a checkpoint.

    Its counts come first, then a line for each sound, by id. For a file that cannot be read, yields one line with the
    reason, so that a diff does not fail.
    """
    dropped = Dropped()
    try:
        content = _content(read_bounded(path, LARGEST_BYTES), "the library", path.name)
        state = decode_checkpoint(content, dropped).state
    except (HarvesterError, OSError) as error:
        yield f"the library cannot be read: {words_of(error)}"
        return
    if dropped:
        yield f"left out {dropped}"
    yield f"source    {state.source}"
    yield f"sounds    {len(state)}"
    yield f"records   {state.record_count}"
    yield f"processed {len(state.processed)}"
    yield f"edges     {state.edge_count}"
    yield f"gone      {state.gone_count}"
    yield f"seeds     {len(state.seeds)}"
    for sound_id in sorted(state.graph):
        yield _sound_line(state, sound_id)


def _sound_line(state: SoundGraph, sound_id: int) -> str:
    attributes = state.attributes(sound_id)
    parts = [f"sound {sound_id}"]
    if is_withdrawn(attributes):
        parts.append(f"withdrawn {iso(attributes['withdrawn_at'])}")
    elif "fetched_at" in attributes:
        sound = state.sound(sound_id)
        parts.append(f'"{sound.name or ""}" by {sound.username or ""}, record of {iso(attributes["fetched_at"])}')
    else:
        parts.append("waiting for its record")
    if is_gone(attributes) and not is_withdrawn(attributes):
        parts.append(f"deleted {iso(attributes['gone_at'])}")
    similar = state.similar(sound_id)
    if similar is not None:
        parts.append(f"list of {len(similar.neighbours)}, {iso(similar.linked_at)}")
    return "; ".join(parts)

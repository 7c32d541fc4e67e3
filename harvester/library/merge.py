"""Merge libraries, checkpoints and backups into one library or file.

Owns what is read, the order in which files are written, and the report. The rules of `graph.merge_rules` decide which
value wins, so the order of the inputs changes only the report. The inputs are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.checkpoint import Encoded, check_readable, decode_checkpoint, encode_checkpoint, load_given
from harvester.clock import Clock
from harvester.errors import LibraryCorrupt, SettingsError, WrongSource
from harvester.graph import Dropped, SoundGraph, is_withdrawn, record_of, similar_of
from harvester.library.history import join_histories
from harvester.library.presence import holds_library
from harvester.library.reader import load_view
from harvester.library.store import Store
from harvester.library_source import check_source, join_sources
from harvester.model import COMPUTED, SimilarList, Vector
from harvester.storage import REAL_FILES, Files, disk_errors, written_beside
from harvester.vectors import Vectors, load_header

_VECTORS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one input added to the inputs before it, in counts.

    `name` is the input's path; `nodes` and `edges` count all that it holds. `new_nodes`, `new_edges`, `new_records` and
    `new_lists` were not known before, `newer_records` and `newer_lists` replaced known ones. `conflicts` counts sounds
    whose record or list differed between the two; a merge rule decided each. `gone` and `withdrawn` count sounds that
    views hide because of this input.
    """

    name: str
    nodes: int
    edges: int
    new_nodes: int = 0
    new_edges: int = 0
    new_records: int = 0
    newer_records: int = 0
    new_lists: int = 0
    newer_lists: int = 0
    conflicts: int = 0
    gone: int = 0
    withdrawn: int = 0


@dataclass(frozen=True, slots=True)
class MergeReport:
    """Result of a merge: its target, its counts, and what each input added.

    `target` is a library's folder or a checkpoint; `nodes`, `edges` and `processed` count its sounds, their edges and
    the processed sounds. `contributions` has one entry for each input. `backup` is the backup written, None without
    one. `before` is the backup of the target's state before, None for a new library and for a file. `notices`: lines
    that need attention. `vectors` were copied from the inputs' folders; `computed` lists were computed from the vectors
    of one library.
    """

    target: Path
    nodes: int
    edges: int
    processed: int
    contributions: tuple[Contribution, ...]
    backup: Path | None = None
    notices: tuple[str, ...] = ()
    vectors: int = 0
    computed: int = 0
    before: Path | None = None


def join_counted(state: SoundGraph, other: SoundGraph, name: str) -> Contribution:
    """Merge `other` into `state` and return what it added.

    Raises `WrongSource`; then nothing is changed.
    """
    compared = state.compare(other)
    before = {sound_id: _registers(state, sound_id) for sound_id in compared.differing}
    nodes, edges, records, gone = len(state), state.edge_count, state.record_count, state.gone_count
    withdrawn = sum(is_withdrawn(attributes) for attributes in state.graph.nodes.values())
    state.join(other, compared)
    new_lists = sum("linked_at" in state.attributes(sound_id) for sound_id in compared.new)
    newer_records = newer_lists = conflicts = 0
    for sound_id, (ours_record, ours_list) in before.items():
        theirs_record, theirs_list = _registers(other, sound_id)
        now_record, now_list = _registers(state, sound_id)
        new_lists += ours_list is None and now_list is not None
        newer_records += ours_record is not None and now_record != ours_record
        newer_lists += ours_list is not None and now_list != ours_list
        conflicts += any(
            ours is not None and theirs is not None and ours != theirs
            for ours, theirs in ((_content(ours_record), _content(theirs_record)), (ours_list, theirs_list))
        )
    return Contribution(
        name,
        len(other),
        other.edge_count,
        new_nodes=len(state) - nodes,
        new_edges=state.edge_count - edges,
        new_records=state.record_count - records,
        newer_records=newer_records,
        new_lists=new_lists,
        newer_lists=newer_lists,
        conflicts=conflicts,
        gone=state.gone_count - gone,
        withdrawn=sum(is_withdrawn(attributes) for attributes in state.graph.nodes.values()) - withdrawn,
    )


def _registers(state: SoundGraph, sound_id: int) -> tuple[tuple[int, dict[str, Any]] | None, SimilarList | None]:
    attributes = state.attributes(sound_id)
    record = (attributes["fetched_at"], record_of(attributes)) if "fetched_at" in attributes else None
    return record, similar_of(attributes, state.graph.succ[sound_id])


def _content(record: tuple[int, dict[str, Any]] | None) -> dict[str, Any] | None:
    return None if record is None else record[1]


def merge_bytes(ours: bytes, theirs: bytes, notices: list[str] | None = None) -> tuple[bytes, Contribution]:
    """Merge two checkpoints; return the result and what `theirs` added.

    Invalid values are left out; `notices` gets a line about them. A side that already equals the result is returned
    unchanged, so that two builds of zlib do not make two files of equal content. Raises `LibraryCorrupt` (with the name
    of the side), `NewerFormat` or `WrongSource`.
    """
    sides = []
    for name, packed in (("our side", ours), ("their side", theirs)):
        dropped = Dropped()
        try:
            sides.append(decode_checkpoint(packed, dropped))
        except LibraryCorrupt as error:
            raise LibraryCorrupt(f"{name} cannot be read: {error}") from error
        if dropped and notices is not None:
            notices.append(f"{name} held {dropped}: left out, everything else is merged")
    state, encoded = sides[0].state, Encoded()
    contribution = join_counted(state, sides[1].state, "theirs")
    joined = b"".join(encode_checkpoint(state, encoded, at_hand=(ours, theirs)))
    same = [packed for packed, side in zip((ours, theirs), sides, strict=True) if side.digest == encoded.digest]
    return min(same, default=joined), contribution


def merge_libraries(inputs: Sequence[Path], target: Path, *, clock: Clock, files: Files = REAL_FILES) -> MergeReport:
    """Merge `inputs` into `target`; durable on return.

    The inputs are library folders, checkpoints and backups. A `target` that ends in `.pkl` is a file, any other a
    library folder, which gets a checkpoint and a verified backup. An existing target is merged too, never overwritten;
    a backup holds the state of a folder before, so that `restore_library` can go back.
    All inputs are read and compared before anything is written, so an error in one changes nothing. Raises
    `SettingsError` for a missing input, `WrongSource`, `LibraryCorrupt`, `NewerFormat`, `LibraryLocked`,
    `BackupFailed`, `DiskFull`, `LibraryUnwritable`.
    """
    for path in inputs:
        if path.is_dir() and not holds_library(path):
            raise SettingsError(f"{path}: it is a folder without a library; nothing was changed")
        if not path.exists():
            raise SettingsError(f"{path}: there is no such file or folder; nothing was changed")
    notices: list[str] = []
    loaded = [(path, _load(path, notices)) for path in inputs]
    source = _join_sources([*loaded, *([(target, _load(target, []))] if target.exists() else [])])
    if target.suffix == ".pkl":
        return _merge_into_file(loaded, target, files, notices)
    if not target.exists():
        check_source(target, "", source)  # before `Store.open` makes the folder
    with Store.open(target, clock=clock, files=files) as store:
        if source:
            store.set_source(source)
        before = store.ensure_backup()
        contributions = tuple(join_counted(store.state, state, str(path)) for path, state in loaded)
        info = store.rewrite()
        # After the join: vectors are only taken for known sounds.
        _settle_space(inputs, store)
        vectors = sum(_take_vectors(path, store, clock) for path in inputs if path.is_dir() and path != target)
        # A withdrawal that an input brought applies to the vector file too.
        if withdrawn := [one for one in store.state.graph if is_withdrawn(store.state.attributes(one))]:
            store.vectors.drop(withdrawn)
        told = join_histories(target, [path for path in inputs if path.is_dir()], files)
        state = store.state
        return MergeReport(
            target,
            len(state),
            state.edge_count,
            len(state.processed),
            contributions,
            info.backup,
            (*notices, *store.notices, *told),
            vectors,
            sum(attributes.get("link_origin") == COMPUTED for attributes in state.graph.nodes.values()),
            before,
        )


def _settle_space(inputs: Sequence[Path], store: Store) -> None:
    """Take the similarity space from the vectors if there is no list.

    Without lists, merging two states only picks one of their space names.
    """
    mine = load_header(store.folder)
    headers = [mine] if mine is not None else [found for path in inputs if (found := load_header(path)) is not None]
    if headers and not store.state.list_count:
        store.state.space = max(header.space for header, _ in headers)


def _take_vectors(folder: Path, store: Store, clock: Clock) -> int:
    """Copy missing vectors from another library.

    Skips them if their space or source differs.
    """
    theirs, state = Vectors(folder, clock), store.state
    header = theirs.contents.header
    mine = store.vectors.contents.header
    if header is None or (header.space, header.source) != (state.space, state.source):
        return 0
    if mine is not None and (mine.space, mine.source) != (header.space, header.source):
        return 0
    taken, some = 0, dict[int, Vector]()
    for sound_id, vector in theirs.items():
        if sound_id in state and not is_withdrawn(state.attributes(sound_id)) and not store.has_vector(sound_id):
            some[sound_id] = vector
        if len(some) == _VECTORS_AT_ONCE:
            store.keep_vectors(some)
            taken, some = taken + len(some), {}
    store.keep_vectors(some)
    return taken + len(some)


def _merge_into_file(
    loaded: Sequence[tuple[Path, SoundGraph]], target: Path, files: Files, notices: list[str]
) -> MergeReport:
    state = _load(target, notices) if target.exists() else SoundGraph()
    contributions = tuple(join_counted(state, other, str(path)) for path, other in loaded)
    with disk_errors(target, "the inputs are unchanged"):
        files.make_folder(target.parent)
        with written_beside(target, encode_checkpoint(state), files) as new:
            check_readable(new.path)
            new.replace()
    return MergeReport(
        target, len(state), state.edge_count, len(state.processed), contributions, notices=tuple(notices)
    )


def _load(path: Path, notices: list[str]) -> SoundGraph:
    """Return the state of a library or a file.

    `notices` gets a line about invalid values left out.
    """
    dropped = Dropped()
    if path.is_dir():
        view = load_view(path, on_disk=False)
        dropped, state = view.dropped, view.state
    else:
        state = load_given(path, dropped).state
    if dropped:
        notices.append(f"{path} holds {dropped}: left out, everything else is merged")
    return state


def _join_sources(loaded: Sequence[tuple[Path, SoundGraph]]) -> str:
    """Return the source of all inputs, or raise `WrongSource`."""
    first, known = loaded[0][0], ""
    for path, state in loaded:
        joined = join_sources(known, state.source)
        if joined is None:
            raise WrongSource(f"{first} was harvested from {known}, {path} from {state.source}; nothing was changed")
        if joined != known:
            first, known = path, joined
    return known

"""Import files of data and of older tools into a library.

Owns the meaning of a foreign file's parts, as events. An edge without a score is never a similarity, and a sound that
an old tool called processed stays pending until it has a similar list with scores. A record has the time that the old
data gives it, else `UNKNOWN_TIME`, which is older than any other: fresher data wins a merge. The time of the file
itself says nothing, because a copy has another. An import ends with a checkpoint and a verified backup; until then
nothing of it is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.clock import Clock
from harvester.errors import LibraryCorrupt, NewerFormat, SettingsError, WrongSource
from harvester.graph import UNKNOWN_TIME, SoundGraph
from harvester.importing.formats import OldLibrary
from harvester.importing.given import FREESOUND, Given, read_given
from harvester.importing.names import (
    EDGE_NAMES,
    PLAIN_RELATION,
    RENAMED,
    is_housekeeping,
    relations_in,
    stamp_in,
    weight_of,
)
from harvester.importing.records import ImportTally, find_secrets, label, read_record
from harvester.library import Store
from harvester.library_source import is_made_up, is_sandbox
from harvester.model import (
    RECORD_FIELDS,
    Event,
    Known,
    Linked,
    Record,
    Related,
    Seen,
    SimilarList,
    is_complete,
    read_sound_id,
)
from harvester.storage import REAL_FILES, Files


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Result of an import.

    `path` is the file or the folder, `form` its kind, and `tally` how many values were kept,
    converted or dropped. `taken` has the files that were read, each with its kind, and `left` the others of a folder,
    each with the reason. `keys` is the number of API keys and tokens found; none was kept. `target` is the folder of
    the library; `nodes`, `edges` and `processed` count its sounds, their edges and the processed sounds. `backup` is
    the backup written, None without one. `notices`: lines that need attention.
    """

    path: Path
    target: Path
    form: str
    tally: ImportTally
    keys: int
    nodes: int
    edges: int
    processed: int
    backup: Path | None
    taken: tuple[tuple[Path, str], ...] = ()
    left: tuple[tuple[Path, str], ...] = ()
    notices: tuple[str, ...] = ()


def import_old(
    path: Path,
    folder: Path,
    *,
    source: str | None = None,
    relation: str = PLAIN_RELATION,
    clock: Clock,
    files: Files = REAL_FILES,
) -> ImportReport:
    """Import `path` into the library in `folder`; durable on return.

    `path` is a file, or a folder with the files of one tool; it is not changed. `source` is the catalogue of a file
    that does not name its own; None: Freesound, and that of the library for edges alone. `relation` is the kind of an
    edge that has none. Raises `SettingsError` for another kind of file, `LibraryCorrupt` for a corrupt one and
    `WrongSource` for sounds of another catalogue, all before anything is written, and what `Store.open` and
    `Store.rewrite` raise.
    """
    tally, now_us = ImportTally(), clock.time_us()
    try:
        given = read_given(path, tally, relation, now_us)
        secrets = find_secrets(given.old.everything)
        state = given.whole.state()
        for event in read_events(given.old, now_us, secrets, tally):
            state.apply(event)
    except (LibraryCorrupt, NewerFormat, WrongSource) as error:
        problem = str(error).removeprefix(f"{path}: ").removesuffix("; nothing was changed")
        raise type(error)(f"{path}: {problem}; nothing was changed") from error
    if given.is_empty:
        raise SettingsError(f"{path}: it holds no sound; nothing was changed{_why_empty(given)}")
    chosen = given.check_source(path, source)
    _check_made_up(path, state, chosen or "")
    with Store.open(folder, clock=clock, files=files, source=chosen) as store:
        if chosen is None and not store.state.source:
            store.set_source(FREESOUND)
        state.source = store.state.source
        if not len(store.state):
            store.state.space = state.space
        try:
            store.state.join(state)
        except WrongSource as error:
            raise WrongSource(f"{path}: {error}; nothing was changed") from error
        info = store.rewrite()
        ours = store.state
        return ImportReport(
            path, folder, given.old.form, tally.counted(), len(secrets), len(ours), ours.edge_count,
            len(ours.processed), info.backup, given.taken, given.left, (*given.notices, *store.notices),
        )  # fmt: skip


def _why_empty(given: Given) -> str:
    return f" ({'; '.join(given.notices)})" if given.notices else ""


def _check_made_up(path: Path, state: SoundGraph, source: str) -> None:
    """Raise `WrongSource` for made-up sounds without their source."""
    if is_sandbox(source):
        return
    made_up = next((sound_id for sound_id in state.graph if is_made_up(state.attributes(sound_id))), None)
    if made_up is not None:
        raise WrongSource(
            f"{path}: sound {made_up} is made up by a sandbox, and is none of {source or 'this library'}; "
            "nothing was changed: name the sandbox with --source sandbox:DIGEST, or import a whole export of it"
        )


def read_events(old: OldLibrary, now_us: int, secrets: set[str], tally: ImportTally) -> Iterator[Event]:
    """Yield an old library's events, each with the time in the old data.

    `tally` counts what is kept and dropped.
    """
    records = _records(old, now_us, secrets, tally)
    known = {sound_id for key, _ in old.nodes if (sound_id := _counted_id(key, "nodes", tally)) is not None}
    processed = {
        sound_id for key in old.processed if (sound_id := _counted_id(key, "processed ids", tally)) is not None
    }
    known |= records.keys() | processed
    lists, relations = _edges(old, tally, secrets)
    ends = {sound_id for pair in relations for sound_id in pair} | lists.keys()
    ends |= {sound_id for scores in lists.values() for sound_id in scores}
    tally.check_sounds(len(known | ends))
    stamps = dict.fromkeys(sorted(known | ends), _first(old.timestamp))
    stamps |= {sound_id: min(stamp for _, stamp in found) for sound_id, found in records.items()}
    known_at = {sound_id: stamp or old.known_at for sound_id, stamp in stamps.items()}
    for sound_id, stamp in known_at.items():
        yield Known(sound_id, stamp)
    for sound_id, found in records.items():
        complete = any(is_complete(record) for record, _ in found)
        tally.kept["records" if complete else "records that lack fields (completed by the next harvest)"] += 1
        tally.mapped["records without a time to the oldest time"] += all(stamp == UNKNOWN_TIME for _, stamp in found)
        for record, stamp in found:
            yield Seen(sound_id, record, stamp)
    tally.kept["sounds without a record (the next harvest fetches it)"] = len(stamps.keys() - records.keys())
    for (source_id, target_id), weights in relations.items():
        tally.kept["edges without a score, as relations"] += target_id not in lists.get(source_id, {})
        for kind, weight in weights.items():
            tally.kept["weights of relations"] += weight is not None
            # A later time changes nothing: the sounds are known since their own stamps.
            yield Related(source_id, target_id, kind, max(known_at[source_id], known_at[target_id]), weight)
    for source_id, scores in lists.items():
        tally.kept["edges with a score, as similar lists"] += len(scores)
        neighbours = tuple(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))
        yield Linked(source_id, SimilarList(neighbours, stamps[source_id], len(neighbours)))
    tally.mapped["processed sounds to pending: their lists have no scores"] = len(processed - lists.keys())


def _records(
    old: OldLibrary, now_us: int, secrets: set[str], tally: ImportTally
) -> dict[int, list[tuple[Record, int]]]:
    """Return the records of each sound with their stamps, by ascending id.

    A record's own stamp counts, then that of its row, of its node, and of the file.
    """
    nodes = _nodes(old, now_us, secrets, tally)
    records: dict[int, list[tuple[Record, int]]] = {}
    for key, raw, row_stamp in old.records:
        sound_id = read_sound_id(key)
        own_id = read_sound_id(raw.get("id", key))
        if sound_id is None or own_id != sound_id:
            tally.dropped["records with the id of another sound"] += 1
            continue
        tally.mapped["ids from text to number"] += type(key) is str
        at_node, node_stamp = nodes.get(sound_id, ({}, None))
        stamp = _first(stamp_in(raw, now_us), row_stamp, node_stamp, old.timestamp)
        records.setdefault(sound_id, []).append((at_node | read_record(raw, sound_id, secrets, tally), stamp))
    for sound_id, (record, node_stamp) in nodes.items():
        if record and sound_id not in records:
            records[sound_id] = [(record, _first(node_stamp, old.timestamp))]
    return dict(sorted(records.items()))


def _nodes(old: OldLibrary, now_us: int, secrets: set[str], tally: ImportTally) -> dict[int, tuple[Record, int | None]]:
    """Return the record and the stamp in the attributes of each node."""
    nodes: dict[int, tuple[Record, int | None]] = {}
    for key, raw in old.nodes:
        sound_id = read_sound_id(key)
        if sound_id is None or not isinstance(raw, dict):
            continue
        tally.spend(len(raw))
        own = {}
        for name, value in raw.items():
            if name in RECORD_FIELDS or name in RENAMED or (isinstance(name, str) and is_housekeeping(name, value)):
                own[name] = value
            elif name != "id":
                tally.dropped[f"attribute {label(name)} of nodes"] += 1
        record = read_record(own, sound_id, secrets, tally)
        known, stamp = nodes.get(sound_id, ({}, None))
        nodes[sound_id] = (known | record if len(record) > 1 else known, stamp_in(raw, now_us) or stamp)
    return nodes


def _edges(
    old: OldLibrary, tally: ImportTally, secrets: set[str]
) -> tuple[dict[int, dict[int, float]], dict[tuple[int, int], dict[str, float | None]]]:
    """Return the scores in each sound's list, and each edge's relations.

    A relation is a kind with its weight, or None.
    """
    lists: dict[int, dict[int, float]] = {}
    relations: dict[tuple[int, int], dict[str, float | None]] = {}
    for source, target, attributes in old.edges:
        source_id, target_id = read_sound_id(source), read_sound_id(target)
        if source_id is None or target_id is None or source_id == target_id:
            tally.dropped["edges without two sounds"] += 1
            continue
        plain: dict[Any, Any] = attributes if isinstance(attributes, dict) else {}
        tally.spend(1 + len(plain))
        for name in plain.keys() - EDGE_NAMES:
            tally.dropped[f"attribute {label(name)} of edges"] += 1
        score = weight_of(plain.get("score"))
        scored = score is not None and 0 <= score <= 1
        if scored:
            assert score is not None
            lists.setdefault(source_id, {})[target_id] = score
        tally.dropped["scores that are not between 0 and 1"] += plain.get("score") is not None and not scored
        for kind, weight in relations_in(plain, scored=scored, plain=old.relation):
            safe = PLAIN_RELATION if any(secret in kind for secret in secrets) else kind
            known = relations.setdefault((source_id, target_id), {})
            known[safe] = max((one for one in (known.get(safe), weight) if one is not None), default=None)
    return lists, relations


def _first(*stamps: int | None) -> int:
    """Return the first stamp that is known, else `UNKNOWN_TIME`."""
    return next((stamp for stamp in stamps if stamp is not None), UNKNOWN_TIME)


def _counted_id(key: object, what: str, tally: ImportTally) -> int | None:
    sound_id = read_sound_id(key)
    if sound_id is None:
        tally.dropped[f"{what} that are not sound ids"] += 1
    return sound_id

"""Import the file of an older tool into a library, as events.

Owns the meaning of an old file's parts. An edge without a score is never a similarity, and a sound that the old tool
called processed stays pending until it has a similar list with scores. An import ends with a checkpoint and a verified
backup; until then nothing of it is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harvester.clock import SECOND_US, Clock
from harvester.errors import LibraryCorrupt, SettingsError
from harvester.importing.formats import OldLibrary, load_old
from harvester.importing.records import Tally, find_secrets, label, read_record
from harvester.library import Store
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

PLAIN_RELATION = "related"
"""The relation of an imported edge that has no kind of its own."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """Result of an import.

    `path` is the file of the older tool, `form` its kind, and `tally` how many values were kept, converted or dropped.
    `keys` is the number of API keys and tokens found in the file; none was kept. `target` is the folder of the library;
    `nodes`, `edges` and `processed` count its sounds, their edges and the processed sounds. `backup` is the backup
    written, None without one. `notices`: lines that need attention.
    """

    path: Path
    target: Path
    form: str
    tally: Tally
    keys: int
    nodes: int
    edges: int
    processed: int
    backup: Path | None
    notices: tuple[str, ...] = ()


def import_old(path: Path, folder: Path, *, source: str, clock: Clock, files: Files = REAL_FILES) -> ImportReport:
    """Import `path` into the library in `folder`; durable on return.

    `path` is not changed. Raises `SettingsError` for another kind of file and `LibraryCorrupt` for a corrupt one, both
    before anything is written, and what `Store.open` and `Store.rewrite` raise.
    """
    tally = Tally()
    try:
        old = load_old(path, tally)
        secrets = find_secrets(old.everything)
        stamp = min(old.timestamp or int(path.stat().st_mtime) * SECOND_US, clock.time_us())
        events = list(read_events(old, max(stamp, 0), secrets, tally))
    except LibraryCorrupt as error:
        raise LibraryCorrupt(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error
    if not events:
        raise SettingsError(f"{path}: it holds no sound; nothing was changed")
    with Store.open(folder, clock=clock, files=files, source=source) as store:
        for event in events:
            store.state.apply(event)
        info = store.rewrite()
        state = store.state
        return ImportReport(
            path, folder, old.form, tally.counted(), len(secrets), len(state), state.edge_count, len(state.processed),
            info.backup, tuple(store.notices),
        )  # fmt: skip


def read_events(old: OldLibrary, stamp: int, secrets: set[str], tally: Tally) -> Iterator[Event]:
    """Yield an old library's events, all with the time `stamp`.

    `tally` counts what is kept and dropped.
    """
    records = _records(old, secrets, tally)
    known = {sound_id for key in old.nodes if (sound_id := _counted_id(key, "nodes", tally)) is not None}
    processed = {
        sound_id for key in old.processed if (sound_id := _counted_id(key, "processed ids", tally)) is not None
    }
    known |= records.keys() | processed
    edges = list(_edges(old, tally, secrets))
    ends = {sound_id for source_id, target_id, _ in edges for sound_id in (source_id, target_id)}
    tally.check_sounds(len(known | ends))
    for sound_id in sorted(known | ends):
        yield Known(sound_id, stamp)
    for sound_id, record in records.items():
        tally.kept[
            "records" if is_complete(record) else "records that lack fields (completed by the next harvest)"
        ] += 1
        yield Seen(sound_id, record, stamp)
    tally.kept["sounds without a record (the next harvest fetches it)"] = len((known | ends) - records.keys())
    lists: dict[int, dict[int, float]] = {}
    for source_id, target_id, what in edges:
        if isinstance(what, float):
            lists.setdefault(source_id, {})[target_id] = what
        else:
            tally.kept["edges without a score, as relations"] += 1
            yield Related(source_id, target_id, what, stamp)
    for source_id, scores in lists.items():
        tally.kept["edges with a score, as similar lists"] += len(scores)
        neighbours = tuple(sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])))
        yield Linked(source_id, SimilarList(neighbours, stamp, len(neighbours)))
    tally.mapped["processed sounds to pending: their lists have no scores"] = len(processed - lists.keys())


def _records(old: OldLibrary, secrets: set[str], tally: Tally) -> dict[int, Record]:
    records: dict[int, Record] = {}
    for key, raw in old.records.items():
        sound_id = read_sound_id(key)
        own_id = read_sound_id(raw.get("id", key))
        if sound_id is None or own_id != sound_id:
            tally.dropped["records with the id of another sound"] += 1
            continue
        tally.mapped["ids from text to number"] += type(key) is str
        records[sound_id] = read_record(raw, sound_id, secrets, tally)
    for key, raw in old.nodes.items():
        sound_id = read_sound_id(key)
        if sound_id is None or not isinstance(raw, dict):
            continue
        tally.spend(len(raw))
        own = {name: value for name, value in raw.items() if name in RECORD_FIELDS and name != "id"}
        for name in raw.keys() - own.keys() - {"id"}:
            tally.dropped[f"attribute {label(name)} of nodes"] += 1
        if own:
            known = records.get(sound_id, {})
            records[sound_id] = read_record(own, sound_id, secrets, tally) | known
    return dict(sorted(records.items()))


def _edges(old: OldLibrary, tally: Tally, secrets: set[str]) -> Iterator[tuple[int, int, float | str]]:
    for source, targets in old.edges.items():
        source_id = read_sound_id(source)
        for target, attributes in targets.items():
            target_id = read_sound_id(target)
            if source_id is None or target_id is None or source_id == target_id:
                tally.dropped["edges without two sounds"] += 1
                continue
            plain: dict[Any, Any] = attributes if isinstance(attributes, dict) else {}
            tally.spend(1 + len(plain))
            for name in plain.keys() - {"score", "type", "relation"}:
                tally.dropped[f"attribute {label(name)} of edges"] += 1
            score = plain.get("score")
            if isinstance(score, int | float) and type(score) is not bool and 0 <= score <= 1:
                yield source_id, target_id, float(score)
                continue
            tally.dropped["scores that are not between 0 and 1"] += score is not None
            kind = plain.get("type") or plain.get("relation")
            named = isinstance(kind, str) and not any(secret in kind for secret in secrets)
            yield source_id, target_id, str(kind) if named else PLAIN_RELATION


def _counted_id(key: object, what: str, tally: Tally) -> int | None:
    sound_id = read_sound_id(key)
    if sound_id is None:
        tally.dropped[f"{what} that are not sound ids"] += 1
    return sound_id

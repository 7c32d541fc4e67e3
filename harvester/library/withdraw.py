"""Withdraw sounds: remove their texts and links, and mark them.

Owns how a withdrawal becomes durable, and the list of files on this machine that may still hold the texts. The mark is
an event, so it wins in every merge and over every later response. Copies in Git's history and on other machines cannot
be reached; the command says so.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from harvester.clock import Clock
from harvester.errors import SettingsError
from harvester.graph import is_withdrawn, suggest
from harvester.journal import connect
from harvester.library.backups import list_backups
from harvester.library.presence import require_library
from harvester.library.store import Store
from harvester.model import Withdrawn
from harvester.records import value_of
from harvester.storage import JOURNAL, QUARANTINE, REAL_FILES, Files


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """Result of a withdrawal.

    `forgotten` sounds were withdrawn now, those in `before` already earlier, and `unknown` ids were not in the library
    but are marked too. `still_in` has the files beside the library that may still hold the texts. `in_git`: older
    commits may hold them too, and `previews` are the fetched previews that were removed; only the caller can know
    both. `notices`: lines that need attention.
    """

    forgotten: tuple[int, ...]
    before: tuple[int, ...]
    unknown: tuple[int, ...]
    still_in: tuple[Path, ...]
    notices: tuple[str, ...] = ()
    in_git: bool = False
    previews: tuple[Path, ...] = ()


def forget_sounds(
    folder: Path,
    sound_ids: Collection[int] = (),
    *,
    username: str | None = None,
    clock: Clock,
    files: Files = REAL_FILES,
) -> ForgetReport:
    """Withdraw sounds, and all sounds by `username`.

    Durable on return in checkpoint, journal and a new backup. Removes their texts and links from these files, also from
    free pages of the journal, and their vectors from the vector file. Raises `LibraryNotFound`, `SettingsError` for
    an empty `username` or no sound by that user, and what `Store` raises.
    """
    require_library(folder)
    with Store.open(folder, clock=clock, files=files) as store:
        state, now_us = store.state, clock.time_us()
        wanted = {*sound_ids, *_sounds_of(store, username)}
        unknown = tuple(sorted(sound_id for sound_id in wanted if sound_id not in state))
        before = tuple(
            sorted(sound_id for sound_id in wanted if sound_id in state and is_withdrawn(state.attributes(sound_id)))
        )
        events = [Withdrawn(sound_id, now_us) for sound_id in sorted(wanted.difference(before))]
        store.append(events)
        for event in events:
            state.apply(event)
        info = store.rewrite()
        store.vectors.drop(wanted)
        _wipe(folder / JOURNAL)
        still_in = [backup.path for backup in list_backups(folder) if backup.path != info.backup]
        still_in += [folder / QUARANTINE] if (folder / QUARANTINE).exists() else []
        return ForgetReport(
            tuple(event.sound_id for event in events if event.sound_id not in unknown),
            before,
            unknown,
            tuple(still_in),
            tuple(store.notices),
        )


def _sounds_of(store: Store, username: str | None) -> set[int]:
    if username is None:
        return set()
    if not username.strip():
        # A sound without a record has no user: an empty name must not withdraw them all.
        raise SettingsError("the name of the user is empty; nothing was changed: name a user, or give ids")
    found = {
        sound_id
        for sound_id, attributes in store.state.graph.nodes.items()
        if (value_of(attributes, "username") or "").casefold() == username.casefold()
    }
    if not found:
        meant = suggest(store.state, "user", username)
        raise SettingsError(
            f"no sound in {store.folder} is by '{username}'{'; ' if meant else ''}{meant}; nothing was changed"
        )
    return found


def _wipe(journal: Path) -> None:
    """Rewrite the journal's file without its free pages.

    SQLite leaves the bytes of dropped rows there.
    """
    with closing(connect(journal)) as connection:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

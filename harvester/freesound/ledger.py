"""Keep the ledger of requests in a file that all processes share.

`ledger.sqlite` in the state folder has one row a request, by server and fingerprint of the key. It belongs to the key:
no restore, merge or repair of a library changes it. `quota.Ledger` has the contract.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from harvester.clock import DAY_US
from harvester.errors import DiskFull, LibraryUnwritable, SettingsError, words_of
from harvester.storage import WalIndex, check_locks, disk_errors, home_folder, read_path

LEDGER = "ledger.sqlite"
KEPT_US = 2 * DAY_US
"""The longest window is a day; the second day allows for clocks that were set back."""

_FORMAT = 1
_BUSY_S = 30.0
_PAGE_BYTES = 4096
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sends (
    row INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, fingerprint TEXT NOT NULL,
    sent INTEGER NOT NULL, expires INTEGER NOT NULL, answered INTEGER, stamp INTEGER NOT NULL
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS sends_by_stamp ON sends (server, fingerprint, stamp)"
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR)

T = TypeVar("T")


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return this user's folder for files that belong to no library.

    It is `HARVESTER_STATE`, else `harvester` in `XDG_STATE_HOME`, else the place that the system has for such files.
    On macOS, earlier versions used `~/.local/state/harvester`: a ledger that is there stays in use, so that no request
    is forgotten. Raises `LibraryUnwritable` for a user without a home folder, and `SettingsError` where
    `HARVESTER_STATE` begins with `~` and leads nowhere.
    """
    if environment.get("HARVESTER_STATE"):
        try:
            return read_path(environment["HARVESTER_STATE"])
        except SettingsError as error:
            raise SettingsError(f"HARVESTER_STATE: {error}") from error
    named = Path(environment.get("XDG_STATE_HOME", ""))
    if named.is_absolute():  # its specification says to ignore any other
        return named / "harvester"
    home = home_folder()
    if home is None:
        raise LibraryUnwritable("you have no home folder for the ledger of requests; set HARVESTER_STATE or HOME")
    earlier = home / ".local" / "state" / "harvester"
    if (earlier / LEDGER).exists():
        return earlier
    from platformdirs import user_state_path  # only a command that sends or counts requests needs it

    folder = user_state_path("harvester")
    # Earlier versions of platformdirs return a relative XDG_STATE_HOME.
    return folder if folder.is_absolute() else earlier


class FileLedger:
    """The ledger of one key on one server, in a shared file.

    Thread-safe. A corrupt file is renamed, a removed one created again, and `on_notice` gets a line about either: their
    requests are no longer counted, and only the API's refusals keep the limit. All methods raise `LibraryUnwritable`
    or `DiskFull` when the state folder cannot be written.
    """

    def __init__(
        self,
        server: str,
        fingerprint: str,
        folder: Path | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open or create the ledger in `folder` (default: `state_folder()`)."""
        self.path = (folder if folder is not None else state_folder()) / LEDGER
        self._notices: list[str] = []
        self._on_notice = on_notice
        self._key = (server, fingerprint)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryUnwritable(
                f"{self.path.parent}: no folder for the ledger of requests ({error.strerror}); set HARVESTER_STATE"
            ) from error
        self._index = WalIndex(self.path, _PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._run(lambda _: None)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._disconnect()

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[tuple[int, int]]) -> list[int]:
        """Commit up to `count` requests that fit the windows; return rows.

        Durable on return. Stamps later than `expires_us` come from a clock that was set back: such requests count as
        answered now. Deletes rows older than two days.
        """

        def lease(connection: sqlite3.Connection) -> list[int]:
            execute = connection.execute
            execute(
                "UPDATE sends SET answered = ?, stamp = ? WHERE server = ? AND fingerprint = ? AND stamp > ?",
                (now_us, now_us, *self._key, expires_us),
            )
            execute("DELETE FROM sends WHERE stamp <= ?", (now_us - KEPT_US,))
            room = count
            for limit, length_us in windows:
                (counting,) = execute(
                    "SELECT count(*) FROM sends WHERE server = ? AND fingerprint = ? AND stamp > ?",
                    (*self._key, now_us - length_us),
                ).fetchone()
                room = min(room, limit - counting)
            rows = []
            for _ in range(room):
                cursor = execute(
                    "INSERT INTO sends (server, fingerprint, sent, expires, stamp) VALUES (?, ?, ?, ?, ?)",
                    (*self._key, now_us, expires_us, expires_us),
                )
                rows.append(cursor.lastrowid or 0)
            return rows

        return self._run(lease)

    def answered(self, row: int, now_us: int) -> None:
        """Note the answer to a leased request.

        A full disk or a power cut can lose the note: the slot then frees a little later.
        """
        with suppress(DiskFull):
            self._run(
                lambda connection: connection.execute(
                    "UPDATE sends SET answered = ?, stamp = ? WHERE row = ?", (now_us, now_us, row)
                ),
                durable=False,
            )

    def give_back(self, rows: Sequence[int]) -> None:
        """Remove leases that were not sent, or that the server did not count.

        After a full disk or a power cut they may still count.
        """
        if not rows:
            return
        with suppress(DiskFull):
            self._run(
                lambda connection: connection.executemany("DELETE FROM sends WHERE row = ?", [(row,) for row in rows]),
                durable=False,
            )

    def spent(self, since_us: int) -> list[int]:
        """Return the stamps later than `since_us`, ascending."""

        def read(connection: sqlite3.Connection) -> list[int]:
            query = "SELECT stamp FROM sends WHERE server = ? AND fingerprint = ? AND stamp > ? ORDER BY stamp"
            return [stamp for (stamp,) in connection.execute(query, (*self._key, since_us))]

        return self._run(read)

    def _run(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """Do `work` in one exclusive transaction; replace a corrupt file.

        Durable on return. Not `durable`: a power cut may undo it until the next durable transaction.
        """
        try:
            with self._lock:
                self._close_if_replaced()
                try:
                    return self._transaction(work, durable)
                except sqlite3.Error as error:
                    if not _is_corrupt(error):
                        raise self._as_our_error(error) from error
                    self._set_aside(error)
                try:
                    return self._transaction(work, durable)
                except sqlite3.Error as error:
                    raise self._as_our_error(error) from error
        finally:
            # Outside the lock: `on_notice` may read the ledger.
            notices, self._notices = self._notices, []
            for line in notices:
                self._on_notice(line)

    def _close_if_replaced(self) -> None:
        """Close the file if it is no longer at its path."""
        if self._connection is None or self._identity == _identity_of(self.path):
            return
        self._disconnect()
        self._notices.append(
            f"another program removed the ledger of requests {self.path}: a new one was created without the earlier "
            "requests; the API may refuse some requests until tomorrow"
        )

    def _transaction(self, work: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        if self._connection is None:
            self._connection = self._connect()
            self._identity = _identity_of(self.path)
        connection = self._connection
        self._reserve_space()
        try:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            result = work(connection)
            connection.execute("COMMIT")
        except sqlite3.Error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise
        return result

    def _reserve_space(self) -> None:
        with disk_errors(self.path, "nothing was sent"):
            self._index.hold(_PAGE_BYTES)

    def _connect(self) -> sqlite3.Connection:
        with disk_errors(self.path, "nothing was sent"):
            self._index.begin()
        check_locks(self.path)
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        try:
            for setting in ("journal_mode = WAL", "synchronous = FULL", "fullfsync = 1", "checkpoint_fullfsync = 1"):
                connection.execute(f"PRAGMA {setting}")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_SCHEMA)
            connection.execute(_INDEX)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _set_aside(self, error: sqlite3.Error) -> None:
        self._disconnect()
        aside = self.path.with_name(f"{LEDGER}.damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = self.path.with_name(f"{LEDGER}.damaged.{number}")
        for ending in ("-shm", "-wal", ""):
            with suppress(FileNotFoundError):  # another process may have renamed it
                Path(f"{self.path}{ending}").rename(f"{aside}{ending}")
        self._notices.append(
            f"the ledger of requests was corrupt ({words_of(error)}): it was renamed to {aside.name}, and a new one "
            "was created without the earlier requests; the API may refuse some requests until tomorrow"
        )

    def _as_our_error(self, error: sqlite3.Error) -> DiskFull | LibraryUnwritable:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return DiskFull(f"{self.path}: no space left for the ledger of requests; nothing was sent")
        return LibraryUnwritable(
            f"{self.path}: cannot write the ledger of requests ({words_of(error)}); set HARVESTER_STATE"
        )


def count_requests(server: str, fingerprint: str, now_us: int, folder: Path | None = None) -> int:
    """Return the requests of the last 24 hours; 0 without a ledger."""
    try:
        path = (folder if folder is not None else state_folder()) / LEDGER
    except LibraryUnwritable:
        return 0
    if not path.exists():
        return 0
    query = "SELECT count(*) FROM sends WHERE server = ? AND fingerprint = ? AND stamp > ?"
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro", uri=True)) as connection:
            (counting,) = connection.execute(query, (server, fingerprint, now_us - DAY_US)).fetchone()
            return int(counting)
    except sqlite3.Error:
        return 0  # the next run renames a corrupt ledger and reports it


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_corrupt(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _CORRUPT

"""The ledger file: when requests were spent, by (server, key), shared by all processes and libraries of a user.

Owns `ledger.sqlite` in the state folder. It belongs to the key, not to a library: no restore, merge or repair touches
it. It keeps the contract of the `Ledger` that pacing asks for: a row's stamp is the time of its answer, or else when
its lease expires, and counting and inserting are one exclusive transaction. Never sees a key, only its fingerprint.
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
from harvester.errors import DiskFull, LibraryUnwritable
from harvester.storage import WalIndex, disk_errors

LEDGER = "ledger.sqlite"
KEPT_US = 2 * DAY_US
"""The longest window is a day; the second one is for clocks that were set."""

_FORMAT = 1
_BUSY_S = 30.0
_PAGE_BYTES = 4096
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sends (
    row INTEGER PRIMARY KEY AUTOINCREMENT, server TEXT NOT NULL, fingerprint TEXT NOT NULL,
    sent INTEGER NOT NULL, expires INTEGER NOT NULL, answered INTEGER, stamp INTEGER NOT NULL
)"""
_INDEX = "CREATE INDEX IF NOT EXISTS sends_by_stamp ON sends (server, fingerprint, stamp)"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT, sqlite3.SQLITE_ERROR)

T = TypeVar("T")


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where the state of this user lies: `HARVESTER_STATE`, or `harvester` below `XDG_STATE_HOME`."""
    if environment.get("HARVESTER_STATE"):
        return Path(environment["HARVESTER_STATE"])
    home = environment.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "harvester"


class FileLedger:
    """The ledger of one key on one server, in a file that other processes write too.

    Thread-safe. A damaged file is set aside whenever that shows, and `on_notice` gets a line about it; its requests
    are then not known any more, and the API's own word is what keeps the limit. A file that was removed under a run is
    created again. Raises `LibraryUnwritable` or `DiskFull` where the state folder cannot be written.
    """

    def __init__(
        self,
        server: str,
        fingerprint: str,
        folder: Path | None = None,
        on_notice: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open the ledger of this user, or that of another state folder, creating it when there is none."""
        self.path = (folder if folder is not None else state_folder()) / LEDGER
        self._notices: list[str] = []
        self._on_notice = on_notice
        self._key = (server, fingerprint)
        self._one_at_a_time = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LibraryUnwritable(
                f"{self.path.parent}: no place for the ledger of requests ({error.strerror}); set HARVESTER_STATE"
            ) from error
        self._index = WalIndex(self.path, _PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._run(lambda _: None)

    def close(self) -> None:
        """Release the file; it opens again by itself when needed."""
        with self._one_at_a_time:
            self._disconnect()

    def lease(self, now_us: int, count: int, expires_us: int, windows: Sequence[tuple[int, int]]) -> list[int]:
        """Commit up to `count` sends that fit into every (limit, length) window; return their rows, durable on return.

        Stamps later than `expires_us` come from a clock that was set back: they count as answered now. What is older
        than two days is forgotten here.
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
        """Note that the answer to a leased send came. On a full disk, or cut off by a power cut, it is not noted: the
        slot frees a little later.
        """
        with suppress(DiskFull):
            self._run(
                lambda connection: connection.execute(
                    "UPDATE sends SET answered = ?, stamp = ? WHERE row = ?", (now_us, now_us, row)
                ),
                durable=False,
            )

    def give_back(self, rows: Sequence[int]) -> None:
        """Remove leases that were never sent, or that the server did not count. On a full disk, or cut off by a power
        cut, they go on counting.
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
        """Do `work` in one exclusive transaction, once more on a new file if this one is damaged; durable on return.

        Not `durable`: it outlives the process, but a power cut may undo it; the next durable one makes it durable too.
        """
        try:
            with self._one_at_a_time:
                self._follow_path()
                try:
                    return self._transaction(work, durable)
                except sqlite3.Error as error:
                    if not _is_damaged(error):
                        raise self._translated(error) from error
                    self._set_aside(error)
                try:
                    return self._transaction(work, durable)
                except sqlite3.Error as error:
                    raise self._translated(error) from error
        finally:
            # Outside the lock: who is told may look at the ledger.
            notices, self._notices = self._notices, []
            for line in notices:
                self._on_notice(line)

    def _follow_path(self) -> None:
        """Leave a file that is no longer at its path: others would count in another one, and this one has no name."""
        if self._connection is None or self._identity == _identity_of(self.path):
            return
        self._disconnect()
        self._notices.append(
            f"another program removed the ledger of requests: {self.path} is created again, without the requests that "
            f"were sent before; the API may refuse some requests until tomorrow"
        )

    def _transaction(self, work: Callable[[sqlite3.Connection], T], durable: bool) -> T:
        if self._connection is None:
            self._connection = self._connect()
            self._identity = _identity_of(self.path)
        connection = self._connection
        self._make_room()
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

    def _make_room(self) -> None:
        with disk_errors(self.path, "nothing was sent"):
            self._index.hold(_PAGE_BYTES)

    def _connect(self) -> sqlite3.Connection:
        with disk_errors(self.path, "nothing was sent"):
            self._index.begin()
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
            with suppress(FileNotFoundError):  # another process may have been quicker
                Path(f"{self.path}{ending}").rename(f"{aside}{ending}")
        self._notices.append(
            f"the ledger of requests was damaged ({error}): it is now {aside.name}, and what was spent before "
            f"is not known; the API may refuse some requests until tomorrow"
        )

    def _translated(self, error: sqlite3.Error) -> DiskFull | LibraryUnwritable:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL:
            return DiskFull(f"{self.path}: no space left for the ledger of requests; nothing was sent")
        return LibraryUnwritable(f"{self.path}: the ledger of requests cannot be kept ({error}); set HARVESTER_STATE")


def count_requests(server: str, fingerprint: str, now_us: int, folder: Path | None = None) -> int:
    """Return how many requests count now against a day's limit. Creates nothing: without a ledger it is 0."""
    path = (folder if folder is not None else state_folder()) / LEDGER
    if not path.exists():
        return 0
    query = "SELECT count(*) FROM sends WHERE server = ? AND fingerprint = ? AND stamp > ?"
    try:
        with closing(sqlite3.connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro", uri=True)) as connection:
            (counting,) = connection.execute(query, (server, fingerprint, now_us - DAY_US)).fetchone()
            return int(counting)
    except sqlite3.Error:
        return 0  # a damaged ledger is told by the run that sets it aside


def _identity_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and (code & 0xFF) in _DAMAGED

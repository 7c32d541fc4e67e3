"""Every error of the harvester that a person may meet, and the exit code it leaves with.

    HarvesterError            70  our own bug, when nothing more exact fits
    ├── Findings               1  `check` found something, or a merge is in conflict
    ├── SettingsError          2  an option, a file of settings or an environment variable is off
    ├── AccessDenied          10  the API refuses the key
    ├── ApiUnreachable        11  the API did not answer usefully for ten minutes
    ├── AnswerChanged         12  the API's answers have another shape than before
    ├── LibraryLocked         20  another process is writing this library
    ├── LibraryUnwritable     21  the folder cannot be written
    ├── LibraryCorrupt        22  the checkpoint is bad and no good backup stands in
    ├── WrongSource           23  the library was harvested from another catalogue
    ├── NewerFormat           24  the library was written by a newer version
    ├── DiskFull              25  no space left, or a quota of the file system is reached
    ├── BackupFailed          26  a backup could not be written or did not verify
    └── LibraryNotFetched     27  a file of the library is a placeholder: its content is not on this machine yet

`EventRefused` leaves with 70 too: what a person gives is checked before it becomes an event.

A message is one line: what happened, to which file or sound, what was kept safe, what to do next.
`Stopped` and `FetchFailed` are signals inside the harvester; neither reaches a person.
"""

from __future__ import annotations

from typing import ClassVar


class HarvesterError(Exception):
    """An error with a message for a person and an exit code for a script."""

    exit_code: ClassVar[int] = 70
    meaning: ClassVar[str] = "a bug in harvester: please report it"


class Findings(HarvesterError):
    """`check` found something that a person must see, or two sides cannot be joined."""

    exit_code = 1
    meaning = "findings of check, or a conflict"


class SettingsError(HarvesterError):
    """An option, a settings file or an environment variable cannot be used as given."""

    exit_code = 2
    meaning = "settings or usage"


class AccessDenied(HarvesterError):
    """The API refuses the key: unknown, pending, suspended, or its owner inactive."""

    exit_code = 10
    meaning = "the API refuses the key"


class ApiUnreachable(HarvesterError):
    """The API gave no useful answer for longer than the run is willing to wait."""

    exit_code = 11
    meaning = "the API cannot be reached"


class AnswerChanged(HarvesterError):
    """The API's answers of one kind have another shape than this version can read."""

    exit_code = 12
    meaning = "the API's answers have changed their shape"


class LibraryLocked(HarvesterError):
    """Another process holds the writer's lock of this library."""

    exit_code = 20
    meaning = "another process is writing this library"


class LibraryUnwritable(HarvesterError):
    """The library folder, or a file in it, cannot be written."""

    exit_code = 21
    meaning = "the library folder cannot be written"


class LibraryCorrupt(HarvesterError):
    """A file of the library is damaged or hostile, and nothing good stands in for it."""

    exit_code = 22
    meaning = "the library is corrupt and no good backup stands in"


class WrongSource(HarvesterError):
    """The library was harvested from another catalogue than the one now asked."""

    exit_code = 23
    meaning = "the library comes from another source"


class NewerFormat(HarvesterError):
    """The library was written by a newer version of harvester."""

    exit_code = 24
    meaning = "the library was written by a newer version"


class DiskFull(HarvesterError):
    """The file system has no space left, or a quota on it is reached."""

    exit_code = 25
    meaning = "the disk is full"


class BackupFailed(HarvesterError):
    """A backup could not be written, or did not verify when read back."""

    exit_code = 26
    meaning = "a backup failed"


class EventRefused(HarvesterError, ValueError):
    """An event, a deferral or a note that a library cannot hold; the journal is as it was."""


class LibraryNotFetched(HarvesterError):
    """A file of the library is a placeholder of Git LFS or the like: its content is not on this machine yet.

    Not `LibraryCorrupt`, whose handlers set files aside: a placeholder stays where it is.
    """

    exit_code = 27
    meaning = "the library's content is not here yet: run `git lfs pull`"


class Doubt:
    """Tell whether failures of one kind concern single sounds or all answers; open until further answers show it.

    Whoever records a failure waits while it is open: a sound is not deferred for what is not its fault.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.concerns_all = False

    def close(self, *, concerns_all: bool) -> None:
        """Settle the question; the first answer stands."""
        if self.is_open:
            self.is_open, self.concerns_all = False, concerns_all


class FetchFailed(Exception):
    """One request did not give what it was sent for; the sound it was for is deferred.

    `reason` is a short phrase for a person; `body` is the start of the answer, kept for inspection. With a `doubt` the
    sound may be innocent: it is deferred or released once the doubt is closed.
    """

    def __init__(self, reason: str, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.body = body
        self.doubt: Doubt | None = None


class RequestRefused(FetchFailed):
    """The API says that the request itself is wrong (400): asking again will not help, changing it will."""


class PageTooLarge(FetchFailed):
    """A page did not come in time: a smaller one may."""


class Stopped(Exception):
    """The run was asked to stop while this task was waiting; it holds nothing that must be kept."""


def exit_code_table() -> list[tuple[int, str]]:
    """Return every exit code with its meaning, in order: the one table behind `--help` and the guide."""
    rows = {0: "done: target reached, exhausted, quota used up, or asked to stop"}
    kinds: list[type[HarvesterError]] = [HarvesterError, *HarvesterError.__subclasses__()]
    for kind in kinds:
        rows[kind.exit_code] = kind.meaning
    rows[130] = "ended at once by a second Ctrl-C"
    rows[143] = "ended at once by a second SIGTERM"
    return sorted(rows.items())

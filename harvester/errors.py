"""Define the errors that a person may see, with their exit codes.

`EventRefused` has exit code 70 too: input from a person is checked before it becomes an event.

A message is one line: what happened, to which file or sound, what was kept, what to do next.
`Stopped` and `FetchFailed` are signals inside the harvester; no person sees them.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple


class HarvesterError(Exception):
    """An error with a message for a person and an exit code for a script.

    Exit code 70.
    """

    exit_code: ClassVar[int] = 70
    meaning: ClassVar[str] = "a bug in harvester: please report it"
    restart_helps: ClassVar[bool] = True
    """Whether a service should start the harvest again: the cause may pass without a person."""
    command_line: str = ""
    """The message with options named as on the command line, where `str` names them as keywords of Python."""


class Findings(HarvesterError):
    """`check` found problems, or two libraries cannot be merged.

    Exit code 1.
    """

    exit_code = 1
    meaning = "check found problems, a merge left a conflict, or the library is stale"
    restart_helps = False


class SettingsError(HarvesterError):
    """An option, settings file or environment variable is unusable.

    Exit code 2.
    """

    exit_code = 2
    meaning = "an invalid option or setting"
    restart_helps = False


class AccessDenied(HarvesterError):
    """The API refuses the key: unknown, pending, suspended, owner inactive.

    Exit code 10.
    """

    exit_code = 10
    meaning = "the API refuses the key"
    restart_helps = False


class ApiUnreachable(HarvesterError):
    """The API gave no useful answer for longer than the run may wait.

    Exit code 11.
    """

    exit_code = 11
    meaning = "the API cannot be reached"
    restart_helps = True


class AnswerChanged(HarvesterError):
    """Answers of one kind have a shape that this version cannot read.

    Exit code 12.
    """

    exit_code = 12
    meaning = "the API's answers have changed their shape"
    restart_helps = False


class LibraryLocked(HarvesterError):
    """Another process holds the writer's lock of this library.

    Exit code 20.
    """

    exit_code = 20
    meaning = "another process is writing this library"
    restart_helps = True


class LibraryUnwritable(HarvesterError):
    """The library folder, a file in it, or an output cannot be written.

    Exit code 21.
    """

    exit_code = 21
    meaning = "the library or the output cannot be written"
    restart_helps = False


class LibraryCorrupt(HarvesterError):
    """A file is corrupt or hostile, and no valid backup replaces it.

    Exit code 22.
    """

    exit_code = 22
    meaning = "the library is corrupt and there is no valid backup"
    restart_helps = False


class WrongSource(HarvesterError):
    """The library was harvested from another catalogue than the server's.

    Exit code 23.
    """

    exit_code = 23
    meaning = "the library comes from another source"
    restart_helps = False


class NewerFormat(HarvesterError):
    """The library was written by a newer version of harvester.

    Exit code 24.
    """

    exit_code = 24
    meaning = "the library was written by a newer version"
    restart_helps = False


class DiskFull(HarvesterError):
    """The file system has no space left, or a quota on it is reached.

    Exit code 25.
    """

    exit_code = 25
    meaning = "the disk is full"
    restart_helps = True


class BackupFailed(HarvesterError):
    """A backup could not be written, or did not verify when read back.

    Exit code 26.
    """

    exit_code = 26
    meaning = "a backup failed"
    restart_helps = True


class EventRefused(HarvesterError, ValueError):
    """A library cannot hold an event or a note; the journal is unchanged."""


class LibraryNotFetched(HarvesterError):
    """A file is a placeholder, for example of Git LFS, without content.

    This is not `LibraryCorrupt`, whose handlers move files to quarantine: a placeholder must stay in place.

    Exit code 27.
    """

    exit_code = 27
    meaning = "the library's content is not here yet: run `git lfs pull`"
    restart_helps = False


class LibraryNotFound(HarvesterError):
    """A folder holds no library.

    Exit code 28.
    """

    exit_code = 28
    meaning = "there is no library in this folder"
    restart_helps = False


class PluginFailed(HarvesterError):
    """A format or an order of another package cannot be loaded or used.

    Exit code 29.
    """

    exit_code = 29
    meaning = "a plugin failed: an export format or an order of another package"
    restart_helps = False
    problem: str = ""
    """What failed, without the names of the plugin and its package."""


class NotConfirmed(HarvesterError):
    """A command asked on the terminal, and the answer was not yes.

    No function of Python asks.

    Exit code 30.
    """

    exit_code = 30
    meaning = "a question was not answered with yes: nothing was changed"
    restart_helps = False


class ClusterFailed(HarvesterError):
    """A Dask cluster cannot be reached or used, or failed at its work.

    Exit code 31.
    """

    exit_code = 31
    meaning = "a Dask cluster cannot be reached or used, or failed"
    restart_helps = False


class Doubt:
    """The question whether failures of a kind concern one sound or all.

    It is open until further answers decide it. Until then, the pipeline waits before it records a failure, so that no
    sound is deferred for an error of the server.
    """

    def __init__(self) -> None:
        self.is_open = True
        self.concerns_all = False

    def close(self, *, concerns_all: bool) -> None:
        """Decide the question; the first decision is kept."""
        if self.is_open:
            self.is_open, self.concerns_all = False, concerns_all


class FetchFailed(Exception):
    """A request failed; its sound is deferred.

    `reason` is a short phrase for a person; `body` is the start of the answer, for inspection. With a `doubt` the sound
    is deferred or released when the doubt is closed.
    """

    def __init__(self, reason: str, body: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.body = body
        self.doubt: Doubt | None = None


class RequestRefused(FetchFailed):
    """The API refuses the request itself (400): a retry is useless."""


class PageTooLarge(FetchFailed):
    """A page did not arrive in time; a smaller one may."""


class Stopped(Exception):
    """The run was closed while a task waited that has nothing to save."""


def words_of(error: BaseException) -> str:
    """Return what an error means, in words for a person.

    The texts of Python and its packages name classes, codecs and numbers of errors, so only those are used that are
    written for people: of harvester, of the system, of SQLite and of the TOML parser.
    """
    # Imported for an error only: these take a tenth of the time of `harvester --help`.
    import sqlite3
    import tomllib

    if isinstance(error, HarvesterError | sqlite3.Error | tomllib.TOMLDecodeError):
        return str(error) or "it failed without a reason"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not {error.encoding.upper()} text"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the package {error.name} is not installed"
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return next((_WORDS[kind] for kind in kinds if kind in _WORDS), "it failed in an unexpected way")


_WORDS = {
    "UnicodeError": "a character cannot be written in this encoding",
    "JSONDecodeError": "it is not valid JSON",
    "TimeoutError": "it took too long",
    "ConnectionError": "the connection failed",
    "SyntaxError": "its code is not Python that this version can read",
    "ImportError": "a package that it needs is missing",
    "EOFError": "its end is missing",
    "MemoryError": "there is not enough memory",
    "RecursionError": "its values are nested too deeply",
    "OverflowError": "a number is too large",
    "error": "its compressed data is damaged",
    "LZMAError": "its compressed data is damaged",
    "UnpicklingError": "its pickled data is damaged",
    "OSError": "the system refused it",
    "LookupError": "a part of it is missing",
    "ArithmeticError": "a calculation failed",
    "AttributeError": "a value has another kind than expected",
    "TypeError": "a value has another kind than expected",
    "ValueError": "a value is not possible",
}
"""By the name of a class, so that no module is imported for it; `error` is the one of zlib."""


def problem_of(error: Exception, path: object) -> str:
    """Return an error's text for a message that names the file itself.

    The text is without `path` at its beginning and without "nothing was changed" at its end. Of an `OSError` it is the
    system's reason.
    """
    if not isinstance(error, HarvesterError):
        return words_of(error)
    return str(error).removeprefix(f"{path}: ").removesuffix("; nothing was changed")


class ExitCode(NamedTuple):
    """An exit code, its meaning, and what a service does after it.

    `is_success`: the run ended as a person or its options wanted. `restart_helps`: a service should start the harvest
    again, because the cause may pass without a person.
    """

    code: int
    meaning: str
    restart_helps: bool = False
    is_success: bool = False


def exit_code_table() -> list[ExitCode]:
    """Return every exit code, ascending: for `--help`, guide and services."""
    kinds: list[type[HarvesterError]] = [HarvesterError, *HarvesterError.__subclasses__()]
    rows = {kind.exit_code: ExitCode(kind.exit_code, kind.meaning, kind.restart_helps) for kind in kinds}
    rows[0] = ExitCode(0, "done: target reached, exhausted, quota used up, or asked to stop", is_success=True)
    for number, meaning in {
        129: "the terminal closed, a SIGHUP (harvest, refresh, link: a second one)",
        130: "interrupted by Ctrl-C (harvest, refresh, link: by a second one)",
        143: "ended by SIGTERM (harvest, refresh, link: by a second one)",
    }.items():
        rows[number] = ExitCode(number, meaning, is_success=True)
    rows[141] = ExitCode(141, "the program that reads the output has ended, such as `head`")
    return [rows[code] for code in sorted(rows)]

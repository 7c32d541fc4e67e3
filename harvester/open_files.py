"""Know what the system allows this process; ask for more files.

Owns the limit of open files (`ulimit -n`): it is checked before a run begins, and named where a file cannot be opened
because of it. Sockets count as open files too. A shell's soft limit is raised without a word, as other servers and
clients do. Owns too which errors mean that the system gives no more threads or memory.
"""

from __future__ import annotations

import errno
import resource

from harvester.errors import SettingsError

OWN_FILES = 40
"""What a run has open besides its connections: library, journal, ledger, logs, streams. At most 32 were seen."""

_TOO_MANY = {errno.EMFILE, errno.ENFILE}


def allow_open_files(what: str, needed: int, otherwise: str = "") -> None:
    """Allow this process `needed` open files.

    Raises `SettingsError` if the system does not; `what` needs them, and `otherwise` is what helps too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _is_enough(soft, needed):
        return
    if not _is_enough(hard, needed):
        also = f", or {otherwise}" if otherwise else ""
        raise SettingsError(
            f"{what} needs {needed} open files, and this process may have {hard}: "
            f"allow more with `ulimit -n {needed}`{also}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def is_too_many(error: BaseException) -> bool:
    """Tell whether the limit of open files caused an error."""
    return isinstance(error, OSError) and error.errno in _TOO_MANY


def limit_of(error: BaseException) -> str:
    """Return which limit of the system caused an error, or no text.

    The error may be one of a group, or have the cause as its context.
    """
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    for one in (*inner, error.__cause__, error.__context__):
        if one is not None and (found := limit_of(one)):
            return found
    if isinstance(error, OSError) and is_too_many(error):
        return reason_of(error)
    if isinstance(error, MemoryError):
        return "no memory is left: allow more (`ulimit -v`, or the limit of a container)"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "no further thread is allowed: allow more (`ulimit -u`, or the limit of a container)"
    return ""


def reason_of(error: OSError) -> str:
    """Return the system's reason of an error, with the limit if that is it."""
    reason = error.strerror or str(error)
    if not is_too_many(error):
        return reason
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return f"{reason}: this process may have {soft}, allow more with `ulimit -n {2 * soft}`"


def _is_enough(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed

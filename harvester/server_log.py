"""The log of an HTTP server, without what its clients do wrong.

Any program of this machine can send malformed requests to a server, as often as it likes: no terminal fills with them.
"""

from __future__ import annotations

import logging


def log_of_server(name: str, *malformed: type[Exception]) -> logging.Logger:
    """Return a logger that leaves out errors of the types `malformed`."""
    log = logging.getLogger(name)

    def is_ours(record: logging.LogRecord) -> bool:
        return not isinstance(record.exc_info[1] if record.exc_info else None, malformed)

    log.addFilter(is_ours)
    return log

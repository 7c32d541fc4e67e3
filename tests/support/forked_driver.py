"""A driver of Git that a server forks: `python -I -S forked_driver.py ARGUMENTS`, for `harvester ARGUMENTS`.

Each start of an interpreter with its imports costs a test more than all that Git does. Where Git was not started by
`clones.Clone`, and so passes no socket on, the harvester starts as `git-setup` wrote it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

SERVER = "FORK_SERVER"
"""The variable with the descriptor of the socket of `fork_server`."""


def main() -> int:
    """Let the server run the command with our streams, folder and environment, and return its exit code."""
    environment = dict(os.environ)
    if (inherited := environment.pop(SERVER, None)) is None:
        os.execv(sys.executable, [sys.executable, "-P", "-m", "harvester", *sys.argv[1:]])
    order = {
        "arguments": sys.argv[1:], "cwd": str(Path.cwd()), "environment": environment, "most_bytes": None, "later_s": 0,
        "first": "",
    }  # fmt: skip
    told, tell = os.pipe()
    with socket.socket(fileno=int(inherited)) as server:
        socket.send_fds(server, [json.dumps(order).encode()], [1, 2, tell])
    os.close(tell)
    with os.fdopen(told) as news:
        _pid, status = news
    return os.waitstatus_to_exitcode(int(status))


if __name__ == "__main__":
    sys.exit(main())

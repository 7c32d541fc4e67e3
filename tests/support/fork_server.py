"""One process that has imported the command line and forks a new process for each command, which saves its start.

What is forked is a process like any other, with its own pid, environment, folder, streams, limits and end; only the
interpreter and the imports are there already. Tests of starting itself use `processes.start`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ORDER = 1 << 20


@cache
def _server() -> socket.socket:
    """Start the server of this process; it ends when our end of the pair is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_ORDER)
    command = [sys.executable, "-m", __name__, str(theirs.fileno())]
    # A fork loses threads, so numpy is to start none.
    settings = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT, env=settings)
    theirs.close()
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


class Forked:
    """A command in a process of its own; its standard output and error go to `streams`.

    It runs the Python code `first` before the command: what the system does to a process, such as a limit.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        cwd: Path,
        environment: dict[str, str],
        streams: tuple[IO[Any] | int, IO[Any] | int],
        most_bytes: int | None = None,
        first: str = "",
    ) -> None:
        order = {"arguments": arguments, "cwd": str(cwd), "environment": environment, "most_bytes": most_bytes}
        order["first"] = first
        told, tell = os.pipe()
        given = [one if isinstance(one, int) else one.fileno() for one in streams]
        try:
            socket.send_fds(_server(), [json.dumps(order).encode()], [*given, tell])
        finally:
            os.close(tell)
        self._news = os.fdopen(told, encoding="ascii")
        self.pid = int(self._news.readline())

    def wait(self, timeout_s: float) -> int:
        """Return the exit code, or minus the signal that ended it. Raise TimeoutError after killing it."""
        with self._news as news:
            if not select.select([news], [], [], timeout_s)[0]:
                os.kill(self.pid, signal.SIGKILL)
                news.readline()
                raise TimeoutError
            return os.waitstatus_to_exitcode(int(news.readline()))

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


def _serve(orders: socket.socket) -> None:
    """Fork for every order until the other side is closed; in the forked process, return."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        text, given, _, _ = socket.recv_fds(orders, LONGEST_ORDER, 3)
        if not text:
            sys.exit()
        if os.fork() == 0:
            break
        for descriptor in given:
            os.close(descriptor)
    orders.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out, err, tell = given
    if pid := os.fork():
        os.write(tell, b"%d\n" % pid)
        os.write(tell, b"%d\n" % os.waitpid(pid, 0)[1])
        os._exit(0)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for descriptor in given:
        os.close(descriptor)
    # The server's own streams remember whether its files could be searched; these ask again.
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding=sys.stdout.encoding, closefd=False)  # type: ignore[misc]  # final to a stub
    sys.stderr = sys.__stderr__ = os.fdopen(  # type: ignore[misc]  # final to a stub
        2, "w", 1, encoding=sys.stderr.encoding, errors="backslashreplace", closefd=False
    )
    order = json.loads(text)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv[1:] = order["arguments"]
    if order["most_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (order["most_bytes"], order["most_bytes"]))
    exec(order["first"], {"os": os, "resource": resource, "sys": sys})


def _warm_up() -> None:
    """Import the house, and what the command line itself imports when it first parses."""
    import harvester

    for module in pkgutil.walk_packages(harvester.__path__, "harvester."):
        if module.name != "harvester.__main__":
            importlib.import_module(module.name)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        sys.argv[1:] = ["status", "--library", "no such folder"]
        importlib.import_module("harvester.cli").main()
    assert threading.active_count() == 1


if __name__ == "__main__":
    orders = socket.socket(fileno=int(sys.argv[1]))
    _warm_up()
    gc.freeze()
    _serve(orders)
    code: object = 0
    try:
        runpy.run_module("harvester", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        code = ended.code
    # As the interpreter ends, but for taking every module apart, which costs a forked process more than its command.
    threading._shutdown()  # type: ignore[attr-defined]  # private: no stub has it
    atexit._run_exitfuncs()
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    os._exit(code if isinstance(code, int) else 0 if code is None else 1)

"""Processes that have imported the command line and fork a new process for each command, which saves its start.

A fork costs what the forking process holds, so there are two: one with the whole house, for the commands that draw,
measure and write tables, and one without the packages that only those need, for all others: half the price. Each starts
when it is first wanted. A command that meets a package which its server lacks imports it, as users' processes do.

What is forked is a process like any other, with its own pid, environment, folder, streams, limits and end; only the
interpreter and the imports are there already. Tests of starting itself use `processes.start_interpreter`.
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
import time
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from tests.support.packages import remember_entry_points

ROOT = Path(__file__).resolve().parents[2]
LONGEST_ORDER = 1 << 20

_HEAVY = ("PIL", "duckdb", "igraph", "joblib", "matplotlib", "pyarrow", "scipy")
"""Packages that the light server does not hold."""

_WORDS_OF_HEAVY = {"--jobs", "analyse", "browse", "dataset", "link", "map", "parquet", "sql"}
"""Commands, formats of `export` and options for the server that holds them."""


@cache
def _server(*, heavy: bool) -> socket.socket:
    """Start a server of this process; it ends when our end of the pair is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for one in (ours, theirs):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_ORDER)
    command = [sys.executable, "-m", __name__, str(theirs.fileno()), "heavy" if heavy else "light"]
    # What the test that comes first has set is not for the commands of the others.
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("FREESOUND", "HARVESTER"))}
    # A fork loses threads, so numpy is to start none.
    settings |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=ROOT, env=settings)
    theirs.close()
    atexit.register(server.wait)
    atexit.register(ours.close)
    return ours


class Forked:
    """A command in a process of its own; its standard output and error go to `streams`.

    To the process it is `later_s` seconds later than it is. It runs the Python code `first` before the command,
    which is what the system does to a process, such as a limit.
    """

    def __init__(
        self,
        arguments: list[str],
        *,
        cwd: Path,
        environment: dict[str, str],
        streams: tuple[IO[Any] | int, IO[Any] | int],
        most_bytes: int | None = None,
        later_s: float = 0,
        first: str = "",
    ) -> None:
        order = {
            "arguments": arguments, "cwd": str(cwd), "environment": environment, "most_bytes": most_bytes,
            "later_s": later_s, "first": first,
        }  # fmt: skip
        told, tell = os.pipe()
        given = [one if isinstance(one, int) else one.fileno() for one in streams]
        server = _server(heavy=not _WORDS_OF_HEAVY.isdisjoint(arguments))
        try:
            socket.send_fds(server, [json.dumps(order).encode()], [*given, tell])
        finally:
            os.close(tell)
        self._news = os.fdopen(told, encoding="ascii")
        self.pid = int(self._news.readline())
        self._code: int | None = None

    def poll(self, timeout_s: float | None = 0) -> int | None:
        """Return the exit code, or minus the signal that ended it; None if it still runs after `timeout_s`."""
        if self._code is None and select.select([self._news], [], [], timeout_s)[0]:
            with self._news as news:
                self._code = os.waitstatus_to_exitcode(int(news.readline()))
        return self._code

    def wait(self, timeout_s: float) -> int:
        """Return the exit code, or minus the signal that ended it. Raise TimeoutError after killing it."""
        code = self.poll(timeout_s)
        if code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.poll(None)
            raise TimeoutError
        return code

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


def _tell_ends(running: dict[int, int]) -> None:
    """Write to the pipe of each process that has ended how it ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            tell = running.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(tell, b"%d\n" % status)
            os.close(tell)


def _serve(orders: socket.socket) -> None:
    """Fork for every order until the other side is closed; in the forked process, return."""
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, int] = {}
    waiting: list[Any] = [orders, wake]
    while True:
        ready = select.select(waiting, [], [])[0]
        if wake in ready:
            os.read(wake, 1024)
            _tell_ends(running)
        if orders not in ready:
            continue
        text, given, _, _ = socket.recv_fds(orders, LONGEST_ORDER, 3)
        if not text:
            sys.exit()
        out, err, tell = given
        if not (pid := os.fork()):
            break
        running[pid] = tell
        os.write(tell, b"%d\n" % pid)
        os.close(out)
        os.close(err)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    orders.close()
    for descriptor in (wake, waker, *running.values()):
        os.close(descriptor)
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
    # As the interpreter does at its start.
    time.tzset()
    found = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[1:1] = [folder for folder in found if folder and folder not in sys.path]
    sys.argv[1:] = order["arguments"]
    if order["later_s"]:
        _put_clock_forward(order["later_s"])
    if order["most_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (order["most_bytes"], order["most_bytes"]))
    exec(order["first"], {"os": os, "resource": resource, "sys": sys})


def _put_clock_forward(later_s: float) -> None:
    from harvester.clock import SECOND_US, SystemClock

    time_us = SystemClock.time_us
    setattr(SystemClock, "time_us", lambda clock: time_us(clock) + round(later_s * SECOND_US))  # noqa: B010 - a method


def _warm_up(*, heavy: bool) -> None:
    """Import the house, and run commands once: what they import and build at their first call is there afterwards."""
    import harvester

    refused = () if heavy else _HEAVY
    sys.modules.update(dict.fromkeys(refused))  # type: ignore[arg-type]  # None: it cannot be imported
    for module in pkgutil.walk_packages(harvester.__path__, "harvester."):
        if module.name != "harvester.__main__":
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] not in refused:
                    raise
    for name in refused:
        del sys.modules[name]
    cli: Any = importlib.import_module("harvester.cli")
    # The tree of commands is built once: a tenth of a second, and most of a short command.
    cli.build_tree = cache(cli.build_tree)
    remember_entry_points()
    said = io.StringIO()
    with TemporaryDirectory() as folder, contextlib.chdir(folder), contextlib.redirect_stdout(said):
        os.environ |= {"HARVESTER_STATE": folder, "XDG_CONFIG_HOME": folder}
        for line in (
            "harvest --sandbox --samples 1 --library lib",
            "status --library lib",
            "check --library lib",
            "plugins",
        ):
            sys.argv[1:] = line.split()
            with contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
                cli.main()
    assert "target reached" in said.getvalue(), said.getvalue()
    assert threading.active_count() == 1


if __name__ == "__main__":
    orders = socket.socket(fileno=int(sys.argv[1]))
    _warm_up(heavy=sys.argv[2] == "heavy")
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

"""The whole command line inside this process: as fast as a call, with the streams of a pipe."""

from __future__ import annotations

import contextlib
import io
import sys
from functools import cache
from pathlib import Path
from unittest import mock

from harvester import cli
from harvester.cli.console import Console
from tests.support.processes import Ended

build_tree_once = cache(cli.build_tree)
"""The tree of commands, which a process builds once: a tenth of a second, and most of a short command."""


def call(*arguments: object, cwd: Path, argv0: str = "harvester") -> Ended:
    """Run `harvester ARGUMENTS` in `cwd` to its end; what it writes comes back as it was written."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    code: object = 0
    with (
        contextlib.chdir(cwd),
        mock.patch.object(sys, "argv", [argv0, *map(str, arguments)]),
        mock.patch.object(cli, "build_tree", build_tree_once),
        # `-q` and `-v` last as long as the process of a command: the next test must not inherit them.
        mock.patch.multiple(Console, verbose=False, quiet=False),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode())
    return Ended(code if isinstance(code, int) else 0 if code is None else 1, *texts)

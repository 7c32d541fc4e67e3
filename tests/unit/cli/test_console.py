"""Nothing that is printed goes round the escaping."""

from __future__ import annotations

import ast
import errno
import io
import resource
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harvester.cli import console, main, terminal
from harvester.cli.panel import draw
from harvester.cli.rich_text import GuardedConsole
from tests.support.hostile_texts import FORGED, SPELLED, assert_harmless
from tests.unit.cli.test_panel import RUN

PACKAGE = Path(__file__).resolve().parents[3] / "harvester"
WRITERS = {"cli/console.py", "cli/terminal.py", "cli/rich_text.py"}
"""The modules that may touch the streams themselves."""

QUESTIONS = {"isatty", "encoding", "fileno", "flush"}
FORBIDDEN_CALLS = {"print", "input", "typer.echo", "typer.secho", "click.echo", "rich.print", "warnings.warn"}
FORBIDDEN_IMPORTS = {"rich.console.Console", "sys.stdout", "sys.stderr", "logging.StreamHandler", "rich.print"}
ALL = "".join(SPELLED) + FORGED


def violations(tree: ast.AST) -> Iterator[str]:
    """Give what in a module writes to a stream of the process, or could."""
    asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in QUESTIONS}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in FORBIDDEN_CALLS:
            yield ast.unparse(node.func)
        if isinstance(node, ast.Attribute) and id(node) not in asked:
            name = ast.unparse(node)
            if name in {f"sys.{prefix}{stream}" for prefix in ("", "__") for stream in ("stdout", "stderr")}:
                yield name
        if isinstance(node, ast.ImportFrom):
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from names & FORBIDDEN_IMPORTS
            yield from names & {"harvester.cli.terminal.raw"}


def test_no_module_writes_to_a_stream_but_the_console() -> None:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in WRITERS:
            found[name] = list(violations(ast.parse(path.read_text(encoding="utf-8"))))
    assert {name: bad for name, bad in found.items() if bad} == {}


@pytest.mark.parametrize(
    "line",
    [
        "print('x')", "import typer\ntyper.echo('x')", "import sys\nsys.stdout.write('x')", "import sys\nf(sys.stderr)",
        "from sys import stdout", "from rich.console import Console", "from harvester.cli.terminal import raw",
        "import sys\nsys.stdout.buffer.write(b'x')",
    ],
)  # fmt: skip
def test_a_way_round_would_be_noticed(line: str) -> None:
    assert list(violations(ast.parse(line)))


def test_a_question_to_a_stream_is_no_way_round() -> None:
    assert not list(violations(ast.parse("import sys\nsys.stderr.isatty()\nsys.stdout.encoding")))


Stream: TypeAlias = "io.TextIOWrapper[io.BytesIO]"
Streams: TypeAlias = tuple[Stream, Stream]


def streams(monkeypatch: pytest.MonkeyPatch) -> Streams:
    """Put two pipes in the place of stdout and stderr: in the test itself, for pytest puts its own there before."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    return out, err


def text_of(stream: Stream) -> str:
    stream.flush()
    return stream.buffer.getvalue().decode()


def test_every_function_of_the_console_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    console.note(ALL)
    console.say(ALL)
    console.print_lines(ALL, ALL)
    console.print_json({ALL: [ALL]})
    assert text_of(err).count("\n") == 2
    assert_harmless(text_of(out), text_of(err))


def test_what_others_write_is_escaped_too(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    with terminal.guarded_streams():
        sys.stdout.write("\x1b[31m\n")
        sys.stderr.writelines(["\x9b", "\udcff"])
        with pytest.raises(TypeError):
            sys.stdout.write(b"")  # type: ignore[arg-type]  # the wrong type is the case
    assert (sys.stdout, sys.stderr) == (out, err)
    assert (text_of(out), text_of(err)) == ("\\x1b[31m\n", "\\x9b\\xff")


def test_a_stream_of_few_letters_spells_the_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    monkeypatch.setattr(sys, "stdout", out)
    with terminal.guarded_streams():
        console.print_lines("é雨🌧")
    assert text_of(out) == "\\xe9\\u96e8\\U0001f327\n"


@pytest.mark.parametrize(
    ("term", "columns", "terminal_there", "redraws"),
    [
        ("xterm", "80", True, True), ("xterm", "80", False, False), ("dumb", "80", True, False),
        ("unknown", "80", True, False), ("", "80", True, False), ("xterm", "10", True, False),
        ("xterm", "1", True, False), ("xterm", "odd", True, True),
    ],
)  # fmt: skip
def test_a_panel_needs_a_terminal_that_moves_its_cursor_and_is_wide(
    term: str, columns: str, terminal_there: bool, redraws: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, err = streams(monkeypatch)
    monkeypatch.setattr(err, "isatty", lambda: terminal_there, raising=False)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", columns)
    assert terminal.can_redraw("stderr") is redraws


LIMIT, _ = resource.getrlimit(resource.RLIMIT_NOFILE)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            OSError(errno.EMFILE, "Too many open files", "/any/file"),
            f"Too many open files: this process may have {LIMIT}, allow more with `ulimit -n {2 * LIMIT}`",
        ),
        (MemoryError(), "no memory is left: allow more (`ulimit -v`, or the limit of a container)"),
        (
            ExceptionGroup("tasks", [ValueError(), RuntimeError("can't start new thread")]),
            "no further thread is allowed: allow more (`ulimit -u`, or the limit of a container)",
        ),
    ],
)
def test_a_limit_of_the_system_is_told_wherever_it_is_met(
    error: Exception, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("harvester.cli._run", fail)
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err == f"harvester: {told}; all saved sounds are safe in the journal\n"


def test_only_our_own_controls_reach_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = streams(monkeypatch)
    with terminal.guarded_streams():
        terminal.redraw([ALL, ALL])
        terminal.replace_line(ALL)
        terminal.replace_line("")
    assert_harmless(text_of(out).replace("\x1b[H", "").replace("\x1b[K", "").replace("\x1b[J", ""))
    assert_harmless(text_of(err).replace("\r", "").replace("\x1b[K", ""))


def drawn(renderable: object) -> str:
    file = io.StringIO()
    GuardedConsole(file=file, width=100, markup=False, emoji=False, highlight=False).print(renderable)
    return file.getvalue()


def test_rich_obeys_no_text_wherever_it_stands() -> None:
    text = "".join(SPELLED)
    table = Table(title=text, caption=text)
    table.add_column(text)
    table.add_row(text)
    for renderable in (text, Text(text), table):
        assert_harmless(drawn(renderable))


def test_the_panel_shows_hostile_texts_as_they_are_spelled_and_stays_in_its_frame() -> None:
    hostile = RUN | {"waiting_for": ALL, "waiting_until": None, "activity": {0: ALL, 1: "[/red] :smile: \x1b[2J"}}
    shown = drawn(draw(hostile, title=f"[/x] {ALL}", events=[ALL, "[red]x[/red]"], width=100))
    assert_harmless(shown)
    assert "[/red] :smile: \\x1b[2J" in shown
    assert "[red]x[/red]" in shown
    assert all(len(line) == 100 for line in shown.splitlines())


def test_a_note_beside_a_live_panel_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    _, err = streams(monkeypatch)
    with terminal.guarded_streams():
        live = Live(Text("panel"), console=GuardedConsole(file=terminal.raw(sys.stderr), force_terminal=True))
        with live:
            console.note("\x1b]0;owned\x07")
            sys.stderr.write("\x9b31m\n")
    shown = text_of(err)
    assert "\\x1b]0;owned\\x07" in shown
    assert "\x1b]0" not in shown
    assert "\x9b" not in shown

"""The manual page is that of the commands, and programs that read manual pages find nothing wrong with it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from harvester.actions import guide_topics
from harvester.cli import app
from harvester.errors import exit_code_table
from tests.manual.page import PAGE, _names, _text, manual_page


@pytest.fixture(scope="module")
def shown() -> str:
    """The page as `man` shows it, in one line."""
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("there is no man here")
    environ = {"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANROFFOPT": "-ww -rHY=0"}
    ended = subprocess.run(
        ["man", "--warnings", "--nj", "-P", "cat", "-l", PAGE], env=environ, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return " ".join(re.sub(r".\x08", "", ended.stdout).split())


def test_the_page_in_the_repository_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="ascii") == manual_page(), "run `make manual`"


def test_every_command_and_option_is_shown(shown: str) -> None:
    command = typer.main.get_command(app)
    for name, child in command.commands.items():  # type: ignore[attr-defined]  # it is a group
        assert (f"harvester {name} " in shown) is not child.hidden, name
        if not child.hidden:
            for parameter in child.params:
                assert all(option in shown for option in parameter.opts if option.startswith("-")), parameter.name


def test_exit_codes_variables_files_and_topics_are_shown(shown: str) -> None:
    for code, meaning, *_ in exit_code_table():
        assert f" {code} {' '.join(meaning.replace('`', '').split())}" in shown
    for what in ("FREESOUND_API_KEY", "HARVESTER_STATE", "harvester.toml", "ledger.sqlite", *guide_topics()):
        assert what in shown


def test_nothing_of_markdown_or_roff_is_left(shown: str) -> None:
    assert not re.search(r"`|\]\(|\\f|\\\(|\\\[|\[u[0-9A-F]{4}", shown)


def test_the_page_is_ascii_and_holds_no_path_of_a_machine() -> None:
    assert PAGE.read_bytes().isascii()
    assert str(Path.home()) not in PAGE.read_text(encoding="ascii")


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="there is no mandoc here")
def test_mandoc_finds_nothing_wrong() -> None:
    ended = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", PAGE], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "")


def test_what_roff_would_read_as_a_request_is_text() -> None:
    assert _text(".env is a file") == r"\&.env is a file"
    assert _text("'quoted' and back\\slash") == r"\(aqquoted\(aq and back\eslash"
    assert _text("see [this](page.md), `--option`: ü…") == r"see this, \fB\-\-option\fR: \[u00FC]\[u2026]"
    assert _names("-o, --output OUT") == r"\fB\-o\fR, \fB\-\-output\fR \fIOUT\fR"

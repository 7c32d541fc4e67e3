"""`harvester guide`: the topics listed, shown on a terminal and off it, and found when their name is almost right."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.actions import guide_topics
from harvester.cli.commands.guide import for_terminal
from tests.support.command import call
from tests.support.processes import environment

FOLDER = Path(__file__).resolve().parents[3] / "harvester" / "guide"
TOPICS = sorted(path.stem for path in FOLDER.glob("*.md"))


def test_alone_it_lists_every_topic_with_one_line(tmp_path: Path) -> None:
    ended = call("guide", cwd=tmp_path)
    lines = ended.out.splitlines()
    assert (ended.code, [line.split()[0] for line in lines]) == (0, TOPICS)
    assert all(re.fullmatch(r"[a-z-]+ {2,}[A-Z].+\.", line) and len(line) < 80 for line in lines)
    assert ended.err == "`harvester guide TOPIC` shows one of them\n"


@pytest.mark.parametrize("topic", TOPICS)
def test_off_a_terminal_a_topic_is_plain_text(topic: str, tmp_path: Path) -> None:
    ended = call("guide", topic, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[0] == (FOLDER / f"{topic}.md").read_text(encoding="utf-8").splitlines()[0]
    assert "\x1b" not in ended.out


def test_the_name_may_be_written_large(tmp_path: Path) -> None:
    assert call("guide", "Filters", cwd=tmp_path) == call("guide", "filters", cwd=tmp_path)


@pytest.mark.parametrize(
    ("given", "hint"),
    [
        ("filter", "nearest: filters, "),
        ("export", "nearest: exports, import; "),
        ("zzz", "a topic of the guide; `harvester guide` lists"),
        ("../errors", "'../errors' is not a topic"),
        ("\x1b[2J", r"'\x1b[2J' is not a topic"),
    ],
)
def test_an_unknown_topic_ends_in_one_line_with_the_nearest(given: str, hint: str, tmp_path: Path) -> None:
    ended = call("guide", given, cwd=tmp_path)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert hint in ended.err


def test_links_become_names_and_the_topics_among_them_are_listed() -> None:
    text = "![a map](../../data/m.png)\n\nSee [map](map.md), [this](../cli/run.py), [web](https://x.org), <https://y.org>.\n"
    assert for_terminal(text) == (
        "See *map*, this (`harvester/cli/run.py`), [web](https://x.org), https://y.org.\n"
        "\nSee also `harvester guide TOPIC` for: map.\n"
    )


@pytest.mark.parametrize("topic", TOPICS)
def test_no_link_that_only_a_forge_follows_is_shown(topic: str) -> None:
    assert not re.search(r"\]\((?!https?:)", for_terminal(guide_topics()[topic]))


def test_on_a_terminal_it_is_laid_out_in_its_width(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    known = environment(tmp_path / "state") | {"COLUMNS": "80", "TERM": "xterm-256color"}
    del known["NO_COLOR"]
    command = [sys.executable, "-m", "harvester", "guide", "harvesting"]
    with subprocess.Popen(command, cwd=tmp_path, env=known, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        raw = b""
        try:
            while piece := os.read(ours, 4096):
                raw += piece
        except OSError:  # the end, on Linux
            pass
        os.close(ours)
    assert process.returncode == 0
    text = raw.decode()
    assert "\x1b[1m" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert "\x1b" not in plain
    assert "# Harvesting" not in plain
    assert "\u2500\u2500\u2500" in plain or "\u2501\u2501\u2501" in plain  # rich of old draws a heavier line
    assert max(map(len, plain.splitlines())) <= 80

"""Completion offers what the library at hand holds, in three shells, and never a word that a shell would run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harvester.actions import library_words
from harvester.model import Event, Gone, Seen
from harvester.storage import CHECKPOINT, backup_name
from tests.integration.options.test_completion import _asked_by, _words
from tests.support.command import call
from tests.support.processes import ROOT, environment
from tests.support.samples import grow, open_store
from tests.support.view_samples import NOW_US, make_record

SHELLS = ["bash", "zsh", "fish"]
HOSTILE = [
    "$(touch hacked)", "`touch hacked`", "\\$(touch hacked)", '"; touch hacked; "', "'; touch hacked; '",
    "a\ntouch hacked", "a) touch hacked (", "-o", "*", "~", "a|b", "a>hacked", "{a,b}",
    "a:b", "!!", "#a", "\x1b[2J", "", " ",
]  # fmt: skip
HELD = {
    "export csv --license ": ["BY", "BY 4.0", "BY-NC", "BY-NC 3.0", "CC0"],
    "export csv --licence BY-": ["BY-NC", "BY-NC 3.0"],
    "map --category ": ["Sound effects", "Music", "Animals, birds"],
    "map --category S": ["Sound effects"],
    "harvest --tag rain": ["rain", "rain-forest"],
    "export csv --tag ": ["rain", "rain-forest", "rock & roll", "Ü"],
    "export csv --exclude-tag ": ["rain", "rain-forest", "rock & roll", "Ü"],
    "map --exclude-user ": ["alice", "bob_2"],
    "forget --user ": ["alice", "bob_2"],
}


def _events() -> list[Event]:
    changes = [
        {"tags": ["rain", "rock & roll"], "username": "alice", "category": "Sound effects"},
        {"tags": ["rain", "rain-forest", "Ü"], "username": "alice", "category": "Sound effects"},
        {"tags": HOSTILE, "username": "bob_2", "category": "Music", "subcategory": "Animals, birds"},
        {"tags": ["gone"], "username": "gone", "category": "Gone"},
    ]
    given = [changes[0], changes[1], changes[2] | {"license": make_record(4)["license"]}, changes[3]]
    return [
        *(Seen(number, make_record(number, **one), NOW_US) for number, one in enumerate(given, 1)),
        Gone(4, NOW_US + 1),
    ]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library that holds usual words and hostile ones."""
    folder = tmp_path_factory.mktemp("held")
    with open_store(folder / "freesound_library") as store:
        grow(store, _events())
        store.checkpoint(backup=True)
    return folder


def ask(shell: str, line: str, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
    """Return the words that a shell is offered, none of which may come with a message."""
    for name, value in _asked_by(shell, f"harvester {line}").items():
        patch.setenv(name, value)
    ended = call(cwd=folder)
    assert ended.err == ""
    words = _words(shell, ended.out)
    return [word.replace("\\", "") for word in words] if shell == "bash" else words


@pytest.mark.parametrize("line", HELD)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_line_is_completed_by_what_the_library_holds(
    shell: str, line: str, held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(ask(shell, line, held, monkeypatch)) == sorted(HELD[line])


@pytest.mark.parametrize("shell", SHELLS)
def test_the_backups_of_the_library_that_is_named_are_offered(
    shell: str, held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (backup,) = (path.name for path in (held / "freesound_library").glob("*_backup_*"))
    assert ask(shell, "restore ", held, monkeypatch) == [backup]
    assert ask(shell, "restore fr", held, monkeypatch) == [backup]
    assert ask(shell, "restore x", held, monkeypatch) == []
    assert ask(shell, f"restore --library {held}/freesound_library ", tmp_path, monkeypatch) == [backup]
    monkeypatch.setenv("HARVESTER_RESTORE_LIBRARY", str(held / "freesound_library"))
    assert ask(shell, "restore ", tmp_path, monkeypatch) == [backup]


def test_the_library_of_a_settings_file_is_the_one_at_hand(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(held / "freesound_library", tmp_path / "mine")
    (tmp_path / "harvester.toml").write_text('[map]\nlibrary = "mine"\n', encoding="utf-8")
    assert "Music" in ask("fish", "map --category ", tmp_path, monkeypatch)


def test_bash_gets_words_that_stay_one_word(held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in _asked_by("bash", "harvester map --category ").items():
        monkeypatch.setenv(name, value)
    assert r"Sound\ effects" in call(cwd=held).out.splitlines()
    # Within a quote that the person has begun, nothing is escaped: bash closes the quote.
    monkeypatch.setenv("COMP_WORDS", 'harvester\nmap\n--category\n"Sound ef')
    assert call(cwd=held).out.splitlines() == ["Sound effects"]


def test_a_large_library_is_not_read(held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(held, tmp_path, dirs_exist_ok=True)
    library = tmp_path / "freesound_library"
    size_bytes = max(path.stat().st_size for path in library.glob("freesound_library*"))
    monkeypatch.setattr(library_words, "LARGEST_BYTES", size_bytes)
    assert "Music" in ask("fish", "map --category ", tmp_path, monkeypatch)
    monkeypatch.setattr(library_words, "LARGEST_BYTES", size_bytes - 1)
    assert ask("fish", "map --category ", tmp_path, monkeypatch) == []
    assert ask("fish", "map --license ", tmp_path, monkeypatch) == ["CC0", "BY", "BY-NC", "Sampling+"]
    assert len(ask("fish", "restore ", tmp_path, monkeypatch)) == 1


def test_a_small_library_with_a_large_backup_is_not_read(
    held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(held, tmp_path, dirs_exist_ok=True)
    with (tmp_path / "freesound_library" / backup_name(9, NOW_US)).open("wb") as large:
        large.truncate(library_words.LARGEST_BYTES + 1)
    assert ask("fish", "map --category ", tmp_path, monkeypatch) == []


@pytest.mark.parametrize(
    ("name", "harm"),
    [
        (f"freesound_library/{CHECKPOINT}", b"rubbish"),
        ("harvester.toml", b"[map]\nno = such\n"),
        ("harvester.toml", b"\xff"),
        (".env", b"\xff"),
    ],
)
@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_command_would_report_gives_no_message(
    name: str, harm: bytes, shell: str, held: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(held, tmp_path, dirs_exist_ok=True)
    for backup in (tmp_path / "freesound_library").glob("*_backup_*"):
        backup.unlink()
    (tmp_path / name).write_bytes(harm)
    ask(shell, "map --category ", tmp_path, monkeypatch)
    assert sorted(ask(shell, "harvest --order ", tmp_path, monkeypatch)) == ["breadth", "popular", "random"]


def test_a_corrupt_library_leaves_the_licenses_that_freesound_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "freesound_library").mkdir()
    (tmp_path / "freesound_library" / CHECKPOINT).write_bytes(b"rubbish")
    assert ask("fish", "map --license ", tmp_path, monkeypatch) == ["CC0", "BY", "BY-NC", "Sampling+"]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_bug_gives_no_words_and_no_traceback(shell: str, held: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("harvester.actions.library_words.find_library", explode)
    for name, value in _asked_by(shell, "harvester map --category ").items():
        monkeypatch.setenv(name, value)
    ended = call(cwd=held)
    assert (ended.code, ended.out, ended.err) == (1, "", "")


SCRIPTS = {
    "bash": """
        source ./script
        COMP_WORDS=(harvester map --category S); COMP_CWORD=3; _harvester_completion harvester
        printf "%s\\n" "${COMPREPLY[@]}"
        COMP_WORDS=(harvester export csv --tag ""); COMP_CWORD=4; _harvester_completion harvester
        printf "%s\\n" "${COMPREPLY[@]}"
    """,
    # Without a terminal there is no completion system: these stand in for it, which evaluates the words it gets.
    "zsh": """
        compdef() { }
        _arguments() { local given=${1#*: :}; eval "local words=( ${given[3,-3]} )"; print -rl -- $words }
        source ./script
        words=(harvester map --category S); CURRENT=4; _harvester_completion
        words=(harvester export csv --tag ""); CURRENT=5; _harvester_completion
    """,
    "fish": """
        source ./script
        complete -C "harvester map --category S"
        complete -C "harvester export csv --tag "
    """,
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_no_word_of_a_library_runs_in_a_shell(shell: str, held: Path, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    shutil.copytree(held, tmp_path, dirs_exist_ok=True)
    command = tmp_path / "harvester"
    command.write_text(f"#!{sys.executable}\nfrom harvester.cli import main\nmain()\n", encoding="utf-8")
    command.chmod(0o755)
    environ = environment(tmp_path / "state") | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path),
    }  # fmt: skip
    made = subprocess.run([command], env=environ | {"_HARVESTER_COMPLETE": f"source_{shell}"}, capture_output=True)
    (tmp_path / "script").write_bytes(made.stdout)
    plain = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    ended = subprocess.run(
        [shell, *plain, "-c", SCRIPTS[shell]], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=60
    )
    assert ended.stderr == ""
    words = ended.stdout.replace("\\", "").splitlines()
    assert (words[0], sorted(words[1:])) == ("Sound effects", sorted(HELD["export csv --tag "]))
    assert not (tmp_path / "hacked").exists()

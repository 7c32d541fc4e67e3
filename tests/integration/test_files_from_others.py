"""Files and settings that come from others, through the real command line: named in one line, nothing changed."""

from __future__ import annotations

import itertools
import os
import subprocess
from pathlib import Path

import pytest

from harvester.storage.paths import CHECKPOINT, JOURNAL, VECTORS
from tests.support.clones import needs_git
from tests.support.command import call
from tests.support.processes import Ended, run
from tests.support.samples import NOW_US, SOURCE, grow, make_events, open_store

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345678\n"
)

COMMANDS = (
    ("harvest", "--sandbox", "--samples", 1), ("refresh", "--sandbox"), ("link",), ("status",), ("show", 1),
    ("find", "rain"), ("export", "jsonl"), ("export", "credits"), ("map",), ("check",), ("check", "--repair"),
    ("restore",), ("forget", 1, "--yes"), ("plan",),
)  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def one_line(ended: Ended) -> str:
    """Return the error's line, which is the last one, after making sure that no traceback came."""
    assert "Traceback" not in ended.err, ended.err
    return ended.err.splitlines()[-1]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(map(str, command)))
@pytest.mark.parametrize("place", ["alone", "beside a journal and a backup"])
def test_a_pointer_of_git_lfs_is_named_by_every_command_and_stays(
    command: tuple[object, ...], place: str, tmp_path: Path
) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    if place != "alone":
        with open_store(folder) as store:
            store.set_source(SOURCE)
            grow(store, make_events(4))
            store.checkpoint(backup=True)
    (folder / CHECKPOINT).write_bytes(POINTER)
    before = contents(folder)
    ended = run(*command, "--library", "lib", cwd=tmp_path)
    assert f"lib/{CHECKPOINT}: it is a Git LFS pointer, not the library: run `git lfs pull`" in ended.err + ended.out
    assert ended.code == (1 if command == ("check",) else 27)
    one_line(ended)
    assert contents(folder) == before
    if command == ("check",):
        assert "--repair" not in ended.err


@pytest.mark.parametrize("name", [JOURNAL, VECTORS])
def test_a_pointer_in_place_of_another_file_of_the_library_is_named_too(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    _library(folder)
    (folder / name).write_bytes(POINTER)
    before = contents(folder)
    for command in (("status",), ("harvest", "--sandbox", "--samples", 1)):
        ended = run(*command, "--library", "lib", cwd=tmp_path)
        assert ended.code == 27
        assert f"lib/{name}: it is a Git LFS pointer" in one_line(ended)
    assert contents(folder) == before


def test_backups_that_are_pointers_are_listed_kept_and_never_repaired(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, make_events(4))
        store.checkpoint(backup=True)
    (backup,) = folder.glob("*_backup_*")
    pointer = folder / "freesound_library_backup_9nodes_20990101_000000.pkl"
    pointer.write_bytes(POINTER)
    assert "is a Git LFS pointer" in run("backups", "list", "--library", "lib", cwd=tmp_path).out
    repaired = run("check", "--repair", "--library", "lib", cwd=tmp_path)
    assert repaired.code == 1
    assert "is a Git LFS pointer" in repaired.out
    assert "(repaired)" not in repaired.out
    assert run("backups", "prune", "--keep-backups", 1, "--yes", "--library", "lib", cwd=tmp_path).code == 0
    assert pointer.read_bytes() == POINTER
    assert run("status", "--library", "lib", cwd=tmp_path).code == 0
    # The checkpoint is lost, and only a backup that can be fetched would stand in: nothing is begun in its place.
    for path in (folder / CHECKPOINT, folder / JOURNAL, backup, *folder.glob("*_backup_4*")):
        path.unlink(missing_ok=True)
    ended = run("harvest", "--sandbox", "--samples", 1, "--library", "lib", cwd=tmp_path)
    assert ended.code == 27
    assert "is a Git LFS pointer" in one_line(ended)
    assert not (folder / CHECKPOINT).exists()


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"/annex/objects/SHA256E-s1--0.pkl\n", "git annex get"),
        (b"\0GITCRYPT\0" + bytes(90), "git-crypt unlock"),
        (None, "git annex get"),
    ],
)
def test_placeholders_of_other_tools_are_named_too(content: bytes | None, hint: str, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    folder.mkdir()
    if content is None:
        (folder / CHECKPOINT).symlink_to("../.git/annex/objects/x")
    else:
        (folder / CHECKPOINT).write_bytes(content)
    for command in (("status",), ("check", "--repair"), ("harvest", "--sandbox", "--samples", 1)):
        ended = run(*command, "--library", "lib", cwd=tmp_path)
        assert ended.code == 27
        assert hint in one_line(ended)
    assert [path.name for path in folder.iterdir()] == [CHECKPOINT]


def test_a_pointer_given_to_merge_or_import_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(POINTER)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / CHECKPOINT).write_bytes(POINTER)
    commands: tuple[tuple[str, ...], ...] = (
        ("merge", "other.pkl", "--library", "new"),
        ("merge", "team", "-o", "joined.pkl"),
        ("import", "other.pkl", "--library", "new"),
        ("git-merge", "other.pkl", "other.pkl", "x"),
    )
    for command in commands:
        ended = run(*command, cwd=tmp_path)
        assert "is a Git LFS pointer" in one_line(ended)
        assert ended.code == (1 if command[0] == "git-merge" else 27)
    assert "is a Git LFS pointer" in run("git-textconv", "other.pkl", cwd=tmp_path).out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.pkl", "team"]
    assert (tmp_path / "other.pkl").read_bytes() == POINTER


@needs_git
def test_a_pointer_is_never_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harvester.gitsync.commit import commit_library

    for who, text in itertools.product(("AUTHOR", "COMMITTER"), (("NAME", "A"), ("EMAIL", "a@example.invalid"))):
        monkeypatch.setenv(f"GIT_{who}_{text[0]}", text[1])
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / CHECKPOINT).write_bytes(POINTER)
    assert "is a Git LFS pointer" in commit_library(tmp_path, "library", source=SOURCE).problem
    tracked = subprocess.run(["git", "-C", str(tmp_path), "ls-files"], capture_output=True, check=True)
    assert tracked.stdout == b""


def _library(folder: Path) -> None:
    with open_store(folder) as store:
        store.set_source(SOURCE)
        grow(store, make_events(4))
        store.checkpoint(backup=True)


FILES = (CHECKPOINT, JOURNAL, f"{JOURNAL}-wal", VECTORS, "freesound_library.lock", "status.json", "harvest.log")


@pytest.mark.parametrize("name", [*FILES, "harvester.toml", ".env"])
@pytest.mark.parametrize("kind", ["a FIFO", "a link to /dev/zero"])
def test_no_command_waits_for_what_is_no_file(name: str, kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    _library(folder)
    (tmp_path / "new").mkdir()
    for odd in {(place if name in FILES else tmp_path) / name for place in (folder, tmp_path / "new")}:
        odd.unlink(missing_ok=True)
        if kind == "a FIFO":
            os.mkfifo(odd)
        else:
            odd.symlink_to("/dev/zero")
    for command in (
        ("status", "--library", "lib"),
        ("check", "--library", "lib"),
        ("find", "rain", "--library", "lib"),
        ("harvest", "--samples", 1, "--library", "new", *(() if name == ".env" else ("--sandbox",))),
    ):
        key = None if name == ".env" else "sandbox"
        ended = run(*command, cwd=tmp_path, key=key, timeout_s=30)
        assert "Traceback" not in ended.err
        assert ended.code in (0, 1, 2, 21, 22)
        assert ended.code in (0, 2) or ended.err


@pytest.mark.parametrize("name", ["freesound_library.lock", "harvest.log", "status.json", JOURNAL])
def test_what_a_link_names_is_never_written(name: str, tmp_path: Path) -> None:
    folder, mine = tmp_path / "lib", tmp_path / "mine"
    mine.write_text("mine\n")
    folder.mkdir()
    (folder / name).symlink_to(mine)
    for pid in range(3):  # a temporary's name can be guessed
        (folder / f".status.json.{pid}.tmp").symlink_to(mine)
    ended = run("harvest", "--sandbox", "--samples", 1, "--library", "lib", cwd=tmp_path)
    assert "Traceback" not in ended.err
    assert mine.read_text() == "mine\n"
    assert ended.code == (21 if name in ("freesound_library.lock", JOURNAL) else 0), ended.err
    if name == "harvest.log":
        assert "cannot be written" in ended.err


def test_a_linked_checkpoint_is_read_and_the_link_is_what_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    _library(folder)
    elsewhere = tmp_path / "elsewhere.pkl"
    (folder / CHECKPOINT).rename(elsewhere)
    (folder / CHECKPOINT).symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert run("show", 1, "--library", "lib", cwd=tmp_path).code == 0
    assert run("forget", 1, "--yes", "--library", "lib", cwd=tmp_path).code == 0
    assert not (folder / CHECKPOINT).is_symlink()
    assert elsewhere.read_bytes() == before


def test_no_file_is_moved_through_a_linked_quarantine(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "lib", tmp_path / "elsewhere"
    _library(folder)
    elsewhere.mkdir()
    (folder / "quarantine").symlink_to(elsewhere)
    (folder / CHECKPOINT).write_bytes(b"damaged")
    ended = run("check", "--repair", "--library", "lib", cwd=tmp_path)
    assert ended.code == 21
    assert "symbolic link" in one_line(ended)
    assert list(elsewhere.iterdir()) == []
    assert (folder / CHECKPOINT).read_bytes() == b"damaged"


STATUS = {
    "source": "s", "server": "s", "key": "k", "samples": 1, "requests": 1, "durable_ledger": True,
    "waiting_for": "quota", "waiting_until": 1,
    "target": 5, "daily_limit": 2000, "quota_left": 5, "nodes": 1, "edges": 1, "processed": 1,
    "frontier": 1, "deferred": 0, "gone": 0, "last_checkpoint_at": 1, "updated_at": 1, "activity": {}, "oddities": {},
}  # fmt: skip


def test_a_status_of_any_types_never_ends_a_command(tmp_path: Path) -> None:
    import orjson

    from harvester.actions.status_facts import library_facts, run_facts
    from harvester.cli.status_screen import lines_for_stdout
    from harvester.library.reader import load_view
    from harvester.storage.lock import WriterLock

    folder = tmp_path / "lib"
    _library(folder)
    facts = library_facts(load_view(folder), 10**15)
    lock = WriterLock(folder)
    lock.acquire(NOW_US)
    odd = ["x", "", -1, 2**63, 1.5, True, None, [], {}, [1], {"a": 1}]
    for name in STATUS:
        for value in odd:
            (folder / "status.json").write_bytes(orjson.dumps(STATUS | {name: value}))
            assert lines_for_stdout(facts | run_facts(folder, 10**15), 10**15)
        (folder / "status.json").write_bytes(orjson.dumps({key: STATUS[key] for key in STATUS if key != name}))
        assert lines_for_stdout(facts | run_facts(folder, 10**15), 10**15)
    (folder / "status.json").write_bytes(orjson.dumps(STATUS))
    assert run_facts(folder, 10**15)["run"] == STATUS
    for name in ("durable_ledger", "waiting_for"):
        (folder / "status.json").write_bytes(orjson.dumps(STATUS | {name: [1]}))
        assert not run_facts(folder, 10**15)["run"]
    large = orjson.dumps(STATUS) + b" " * (2 << 20)
    for content in (b"", b"[]", b"{", b"\xff", b"[" * 2000, large):
        (folder / "status.json").write_bytes(content)
        assert not run_facts(folder, 10**15)["run"]
    for owner in (
        b"[]",
        b'{"host": 1, "pid": "x", "started": 1}',
        b'{"host": "h", "pid": ' + b"9" * 30 + b', "started": 1}',
    ):
        (folder / "freesound_library.lock").write_bytes(owner)
        assert run_facts(folder, 10**15)["running"] == 0
    lock.release()


@needs_git
def test_a_folder_called_like_an_option_is_joined_by_git(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    git("init", "-q", "-b", "main")
    assert run("git-setup", "--library", "-x", cwd=tmp_path).code == 0
    _library(tmp_path / "-x")
    git("add", "--all", "./-x")
    git("commit", "-qm", "base")
    git("checkout", "-qb", "theirs")
    for branch, first in (("theirs", 10), ("main", 20)):
        git("checkout", "-q", branch)
        with open_store(tmp_path / "-x") as store:
            grow(store, make_events(3, first=first))
            store.checkpoint()
        git("commit", "-qam", branch)
        (tmp_path / "-x" / JOURNAL).unlink()
    git("merge", "-q", "--no-edit", "theirs")
    shown = git("log", "-p", "-1", "theirs")
    assert '"sound 10"' in shown
    assert run("show", 10, "--library", "-x", cwd=tmp_path).code == 0
    with open_store(tmp_path / "-x") as store:
        grow(store, make_events(3, first=30))
        store.checkpoint()
    assert '+sound 30; "sound 30"' in git("diff")  # Git names the file in the work tree itself
    assert run("show", 20, "--library", "-x", cwd=tmp_path).code == 0


@pytest.mark.parametrize("name", [b"-x", b"--help", b"a\nb", b"\xff\xfe", b"n" * 300, b"file"])
def test_a_library_of_any_name_works_or_is_one_line(name: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    folder = os.fsdecode(name)
    for command in (
        ("harvest", "--sandbox", "--samples", 1), ("status", "--json"), ("check", "--json"),
        ("backups", "list", "--json"), ("map",), ("service", "--print", "systemd"), ("restore",),
        ("forget", 1, "--yes"),
    ):  # fmt: skip
        ended = run(*command, "--library", folder, cwd=tmp_path)
        assert "Traceback" not in ended.err
        assert ended.code in (0, 2, 21, 22, 28)


def test_the_key_is_not_sent_where_a_file_of_the_folder_says(tmp_path: Path) -> None:
    (tmp_path / "harvester.toml").write_text("[harvest]\napi_url = 'https://evil.invalid/apiv2/'\n")
    ended = run("harvest", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("harvester: harvester.toml:2: [harvest] api_url: your key is not sent to evil.invalid")
    assert ended.err.count("\n") == 1
    # Named on the command line it is asked, and the first line says so.
    named = run("harvest", "--api-url", "https://evil.invalid/apiv2/", "--time-limit", "1s", cwd=tmp_path)
    assert named.err.startswith("sending requests to evil.invalid\n")


@pytest.mark.parametrize("table", ["[export]\nout = 'here/keys.csv'", "[harvest]\nlibrary = 'here/lib'"])
def test_a_file_of_the_folder_writes_nothing_outside_through_a_link(table: str, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "clone", tmp_path / "elsewhere"
    _library(folder / "data/freesound_library")
    elsewhere.mkdir()
    (folder / "here").symlink_to(elsewhere)
    (folder / "harvester.toml").write_text(f"{table}\n")
    ended = call("export", "csv", cwd=folder) if "export" in table else call("harvest", "--sandbox", cwd=folder)
    assert ended.code == 2
    assert "must lie within the working folder" in one_line(ended)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("kind", ["a file", "a FIFO"])
def test_a_quarantine_that_is_no_folder_is_named_and_left(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "lib"
    _library(folder)
    odd = folder / "quarantine"
    odd.write_text("mine") if kind == "a file" else os.mkfifo(odd)
    for command in (("check",), ("check", "--repair")):
        ended = call(*command, "--library", "lib", cwd=tmp_path)
        assert ended.code == 1
        assert "lib/quarantine: it is not a folder, so no file can move there: move it away" in ended.out
    (folder / CHECKPOINT).write_bytes(b"damaged")
    for arguments in (("check", "--repair"), ("harvest", "--sandbox", "--samples", "1")):
        ended = call(*arguments, "--library", "lib", cwd=tmp_path)
        assert ended.code == 21
        assert "lib/quarantine: it is not a folder; move it away" in one_line(ended)
    assert (folder / CHECKPOINT).read_bytes() == b"damaged"


@pytest.mark.parametrize("kind", ["a FIFO", "a folder", "a link"])
def test_repair_sets_aside_what_lies_in_place_of_the_journal(kind: str, tmp_path: Path) -> None:
    folder, mine = tmp_path / "lib", tmp_path / "mine"
    _library(folder)
    mine.write_text("mine")
    journal = folder / JOURNAL
    journal.unlink()
    {"a FIFO": os.mkfifo, "a folder": os.mkdir, "a link": lambda path: path.symlink_to(mine)}[kind](journal)
    assert "`harvester check --repair`" in one_line(call("check", "--library", "lib", cwd=tmp_path))
    repaired = call("check", "--repair", "--library", "lib", cwd=tmp_path)
    assert repaired.code == 0, repaired.err
    assert "the files it replaced are in quarantine/" in repaired.err
    assert call("check", "--library", "lib", cwd=tmp_path).code == 0
    assert call("show", 1, "--library", "lib", cwd=tmp_path).code == 0
    assert mine.read_text() == "mine"


def test_a_wrong_name_of_a_backup_or_a_library_is_a_mistake_of_the_command_line(tmp_path: Path) -> None:
    _library(tmp_path / "lib")
    for backup in ("/dev/zero", "typo.pkl"):
        assert call("restore", backup, "--library", "lib", cwd=tmp_path).code == 2
    assert call("restore", "--library", "typo", cwd=tmp_path).code == 28


def test_the_unit_reads_no_variables_from_the_folder(tmp_path: Path) -> None:
    assert "Environment" not in call("service", "--print", "systemd", cwd=tmp_path).out

"""`harvester init`: a library in a repository of its own, with real git, by the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import joblib
import pytest

from harvester.errors import HarvesterError
from harvester.gitsync.init import begin_repository
from harvester.library_source import ANY_SANDBOX
from harvester.storage import CHECKPOINT, atomic
from tests.support.clones import environment, needs_git, needs_lfs
from tests.support.command import call
from tests.support.processes import Ended
from tests.support.samples import SOURCE, FixedClock, grow, make_events, open_store

pytestmark = needs_git
TRACKED = {
    ".github/share.sh", ".github/workflows/harvest.yml", ".github/workflows/publish.yml",
    ".github/workflows/refresh.yml", ".github/workflows/verify.yml", ".gitignore", "README.md", "harvester.toml",
    "{library}/.gitattributes", "{library}/.gitignore", "{library}/freesound_library.pkl",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _plain_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(tmp_path).items():
        monkeypatch.setenv(name, value)


def git(folder: Path, *arguments: str) -> str:
    ended = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def init(folder: Path, *options: str, code: int = 0) -> Ended:
    ended = call("init", folder.name, *options, cwd=folder.parent)
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    return ended


def tracked(folder: Path) -> set[str]:
    return set(git(folder, "ls-files").split())


def everything(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() and ".git" not in path.relative_to(folder).parts]
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in paths if path.suffix not in (".journal", ".lock")
    }


@pytest.mark.parametrize(
    ("options", "library", "source"),
    [([], "freesound_library", SOURCE), (["--sandbox"], "sandbox_library", ANY_SANDBOX)],
)
def test_a_new_repository_has_a_marked_library_and_a_first_commit(
    tmp_path: Path, options: list[str], library: str, source: str
) -> None:
    folder = tmp_path / "sounds"
    ended = init(folder, *options)
    assert tracked(folder) == {name.format(library=library) for name in TRACKED}
    assert git(folder, "log", "--format=%s").split("\n") == ["library: begin", ""]
    assert git(folder, "status", "--porcelain", "--ignored") == (
        f"!! {library}/freesound_library.journal\n!! {library}/freesound_library.lock\n"
    )
    held = joblib.load(folder / library / CHECKPOINT)
    assert (held["metadata"]["source"], held["metadata"]["nodes"]) == (source, 0)
    assert "next: cd sounds" in ended.err
    assert "commit it" not in ended.err  # git-setup says so, but init did
    for name in ("README.md", "harvester.toml", ".github/share.sh", ".github/workflows/harvest.yml"):
        assert not re.search(r"@[A-Z_]+@", (folder / name).read_text()), name
    assert git(folder, "check-ignore", ".env").strip() == ".env"
    # A second time it says that nothing is to do, and does nothing.
    before = everything(folder)
    again = init(folder, *options)
    assert again.err.endswith("everything was there already\n")
    assert everything(folder) == before
    assert git(folder, "rev-list", "--count", "HEAD").strip() == "1"


def test_commands_within_the_repository_find_its_library(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    init(folder, "--sandbox")
    for inside, found in (("", "sandbox_library"), ("sandbox_library", "../sandbox_library"), (".github", "../")):
        assert call("status", cwd=folder / inside).out.startswith(found)
    ended = call("harvest", "--samples", 1, cwd=folder)
    assert ended.code == 0, ended.err
    assert "\ncommitted " in ended.err
    assert git(folder, "log", "-1", "--format=%s").startswith("library: +1 processed (1)")


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ([], "freesound_library is for sounds of https://freesound.org/apiv2/, and these are made-up sounds"),
        (["--sandbox"], "sandbox_library is for made-up sounds, and these are sounds of https://freesound.org/apiv2/"),
    ],
)
def test_a_repository_refuses_the_other_kind_of_sounds(tmp_path: Path, mark: list[str], words: str) -> None:
    folder = tmp_path / "sounds"
    init(folder, *mark)
    if mark:
        with open_store(tmp_path / "real") as store:
            store.set_source(SOURCE)
            grow(store, make_events(2))
            store.checkpoint()
        ended = call("merge", "../real", cwd=folder)
        words = "was harvested from"
    else:
        ended = call("harvest", "--sandbox", "--samples", 1, cwd=folder)
        assert call("harvest", "--samples", 1, cwd=folder).code == 2  # for lack of a key, before anything begins
    assert ended.code == 23, ended.err
    assert words in ended.err
    assert git(folder, "status", "--porcelain") == ""


def test_what_is_there_already_stays_and_what_is_missing_is_added(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    with open_store(folder / "freesound_library") as store:
        store.set_source(SOURCE)
        grow(store, make_events(3))
    (folder / "README.md").write_text("ours\n")
    (folder / ".gitignore").write_text("*.wav\n.env")
    (folder / "notes.txt").write_text("mine\n")
    ended = init(folder)
    assert "sounds/README.md: kept as it is\n" in ended.err
    assert "a library with 3 sounds, for sounds of https://freesound.org/apiv2/\n" in ended.err
    assert (folder / "README.md").read_text() == "ours\n"
    assert (folder / ".gitignore").read_text() == "*.wav\n.env\n/sandbox_library/\n"
    assert "notes.txt" not in tracked(folder)
    assert len(joblib.load(folder / "freesound_library" / CHECKPOINT)["graph"]) == 3
    # A file that was removed comes back, what its owner changed stays, and what they staged stays staged.
    git(folder, "rm", "--quiet", ".github/workflows/verify.yml")
    git(folder, "commit", "--quiet", "-m", "not monthly")
    (folder / ".github/workflows/harvest.yml").write_text("name: mine\n")
    git(folder, "add", "notes.txt")
    ended = init(folder)
    assert "sounds/.github/workflows/harvest.yml: kept as it is\n" in ended.err
    assert "sounds/.github/workflows/verify.yml: written\n" in ended.err
    assert git(folder, "show", "--format=", "--name-only", "HEAD").split() == [".github/workflows/verify.yml"]
    assert git(folder, "status", "--porcelain").splitlines() == [" M .github/workflows/harvest.yml", "A  notes.txt"]


def test_an_unborn_branch_gets_its_first_commit(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=trunk")
    init(folder)
    assert git(folder, "symbolic-ref", "--short", "HEAD").strip() == "trunk"
    assert git(folder, "rev-list", "--count", "HEAD").strip() == "1"


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    ended = init(folder, "--dry-run")
    assert ended.err.startswith("would make sounds a Git repository\n")
    assert len(re.findall(r"^would write sounds/", ended.err, re.MULTILINE)) == len(TRACKED) - 2
    assert "would add .env, /sandbox_library/ to sounds/.gitignore\n" in ended.err
    assert not folder.exists()


@needs_lfs
def test_with_lfs_the_first_commit_has_a_pointer(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    init(folder, "--lfs")
    pointer = git(folder, "cat-file", "blob", "HEAD:freesound_library/freesound_library.pkl")
    assert pointer.startswith("version https://git-lfs.github.com/spec/v1")
    assert "git-lfs" in (folder / "README.md").read_text()


def _a_file(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    folder.write_text("")


def _a_library(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    with open_store(folder) as store:
        grow(store, make_events(1))


def _inside_another(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    git(folder.parent, "init", "--quiet")


def _bare(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    git(folder.parent, "init", "--quiet", "--bare", folder.name)


def _without_git(_folder: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("PATH", "")


def _nameless(_folder: Path, patch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        patch.delenv(name, raising=False)
    patch.setenv("GIT_CONFIG_COUNT", "1")
    patch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    patch.setenv("GIT_CONFIG_VALUE_0", "true")


def _merging(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    git(folder, "init", "--quiet")
    (folder / ".git/MERGE_HEAD").write_text("0" * 40)


def _without_lfs(_folder: Path, patch: pytest.MonkeyPatch) -> None:
    only = _folder.parent / "only-git"
    only.mkdir()
    (only / "git").symlink_to(shutil.which("git") or "")
    patch.setenv("GIT_EXEC_PATH", git(_folder.parent, "--exec-path").strip())
    patch.setenv("PATH", str(only))


def _of_a_sandbox(folder: Path, _patch: pytest.MonkeyPatch) -> None:
    with open_store(folder / "freesound_library") as store:
        # An earlier version let a sandbox fill it.
        store._journal.update(source="sandbox:12ab")


Prepare = Callable[[Path, pytest.MonkeyPatch], None]
REFUSED: list[tuple[Prepare, list[str], int, str]] = [
    (_a_file, [], 2, "sounds is not a folder; nothing was changed"),
    (_a_library, [], 2, "sounds is itself the folder of a library; nothing was changed"),
    (_inside_another, [], 2, "sounds is inside the Git repository "),
    (_bare, [], 2, "sounds is in a bare repository, which has no files; nothing was changed"),
    (_without_git, [], 2, "git is not installed"),
    (_nameless, [], 2, "Git does not know who you are: "),
    (_merging, [], 2, "a merge is not finished; finish it or abort it; nothing was changed"),
    (_without_lfs, ["--lfs"], 2, "git-lfs is not installed: "),
    (_of_a_sandbox, [], 23, "sounds/freesound_library holds sounds of sandbox:12ab; nothing was changed"),
]


@pytest.mark.parametrize(
    ("prepare", "options", "code", "words"), REFUSED, ids=[one[0].__name__.strip("_") for one in REFUSED]
)
def test_what_cannot_work_is_one_line_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Prepare, options: list[str], code: int, words: str
) -> None:
    folder = tmp_path / "sounds"
    prepare(folder, monkeypatch)
    before = everything(tmp_path)
    ended = init(folder, *options, code=code)
    assert ended.err.startswith(f"harvester: {words}")
    assert ended.err.count("\n") == 1
    assert everything(tmp_path) == before


def test_a_refused_commit_is_told_and_a_second_run_completes_it(tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho 'not on a Sunday' >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    folder.mkdir()
    git(folder, "init", "--quiet")
    git(folder, "config", "core.hooksPath", str(hooks))
    ended = init(folder, code=2)
    assert ended.err.endswith(
        "nothing was committed: git commit says: not on a Sunday; the library is safe; "
        "the files are there: run `harvester init` again\n"
    )
    git(folder, "config", "--unset", "core.hooksPath")
    init(folder)
    assert tracked(folder) == {name.format(library="freesound_library") for name in TRACKED}


def test_a_crash_anywhere_is_completed_by_a_second_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = fatal = 0
    real = atomic.write_atomically

    class Crash(HarvesterError):
        pass

    def crashing(path: Path, *more: object, **named: object) -> object:
        nonlocal writes
        writes += 1
        if writes == fatal:
            raise Crash
        return real(path, *more, **named)  # type: ignore[arg-type]  # as it was called

    for module in ("init", "setup"):
        monkeypatch.setattr(f"harvester.gitsync.{module}.write_atomically", crashing)
    for fatal in (1, 2, 3, 7, 10, 11):
        writes, folder = 0, tmp_path / f"sounds{fatal}"
        try:
            begin_repository(folder, source=SOURCE, clock=FixedClock())
        except Crash:
            assert begin_repository(folder, source=SOURCE, clock=FixedClock()).commit
        assert tracked(folder) == {name.format(library="freesound_library") for name in TRACKED}
        assert git(folder, "status", "--porcelain") == ""
    assert writes == 10  # the last one had no crash

"""Set up a clone so that `git pull` merges versions of a library.

Writes attributes, ignore file and drivers. Owns the block between two marks in those files (the rest of a file belongs
to the user), and two sections of the clone's own configuration, which Git never shares. Running it again changes
nothing; `undo_git` removes all of it.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from harvester.errors import LibraryNotFetched, SettingsError
from harvester.gitsync.commit import ATTRIBUTES, IGNORED
from harvester.gitsync.repository import DRIVER, NO_LFS, attribute_of, outside, run_git, said
from harvester.storage import (
    ANALYSIS,
    CHECKPOINT,
    HISTORY,
    JOURNAL,
    LOCK,
    LOG,
    MISSING,
    PREVIEWS,
    QUARANTINE,
    REAL_FILES,
    STATUS,
    VECTORS,
    disk_errors,
    read_bounded,
    refuse_link,
    refuse_placeholder,
    write_atomically,
)

_BEGIN = "# harvester: begin (written by `harvester git-setup`, taken back by its --undo)"
_END = "# harvester: end"
_BLOCK = re.compile(re.escape(_BEGIN) + r"\n.*?" + re.escape(_END) + r"\n", re.DOTALL)
_BACKUPS = "freesound_library_backup_*.pkl"
_LARGEST_BYTES = 1 << 20
_WE_CHOSE = f"merge.{DRIVER}.chosePullRebase"
"""Records in the clone's configuration that harvester set `pull.rebase`, so that `undo_git` removes it."""

_IGNORED_LINES = (
    f"/{JOURNAL}*", f"/{LOCK}", f"/{VECTORS}", f"/{STATUS}", f"/{ANALYSIS}", f"/{LOG}*", f"/{MISSING}",
    f"/{PREVIEWS}/", f"/{QUARANTINE}/", f"/{_BACKUPS}", "/.*.tmp",
)  # fmt: skip


def set_up_git(folder: Path, *, lfs: bool = False) -> list[str]:
    """Set up the clone around `folder`; return what was done, as lines.

    Creates the folder if it is missing. With `lfs`, Git LFS stores the checkpoint and the backups from the next commit
    on. Raises `SettingsError` outside a work tree or when git or git-lfs is missing, or `LibraryUnwritable`.
    """
    _must_be_in_work_tree(folder)
    with disk_errors(folder, "nothing was set up"):
        folder.mkdir(parents=True, exist_ok=True)
    # A library in LFS stays there: `git-setup` without --lfs in another clone must not remove it.
    lfs_before = attribute_of(folder, "filter") == "lfs"
    done = _set_up_lfs(folder) if lfs or lfs_before else []
    tracked = "filter=lfs " if lfs or lfs_before else ""
    attributes = (
        f"{CHECKPOINT} {tracked}merge={DRIVER} diff={DRIVER} -text",
        f"{_BACKUPS} {tracked}diff={DRIVER} -text",
        f"{HISTORY} merge=union",  # its reader drops repeated lines
    )
    for name, lines in ((ATTRIBUTES, attributes), (IGNORED, _IGNORED_LINES)):
        changed = _write_block(folder / name, lines)
        done.append(f"{folder / name}: {'written; commit it' if changed else 'unchanged'}")
    for key, value in _settings().items():
        if _value(folder, key) != value:
            _configure(folder, key, value)
    done += _choose_merging(folder)
    done += _not_fetched(folder)
    done.append(f"this clone's configuration: Git merges and shows {CHECKPOINT} with {_program()}")
    done.append("run `harvester git-setup` once in every clone; from then on `git pull` merges two grown libraries")
    return done


def undo_git(folder: Path) -> list[str]:
    """Undo `set_up_git` and return what was done; LFS objects stay."""
    _must_be_in_work_tree(folder)
    done = []
    if attribute_of(folder, "filter") == "lfs":
        done.append("files in Git LFS stay there: `git lfs migrate export --include='*.pkl'` moves them out")
    done += [
        f"{folder / name}: harvester's lines removed"
        for name in (ATTRIBUTES, IGNORED)
        if _write_block(folder / name, ())
    ]
    if _value(folder, _WE_CHOSE) == "true" and _value(folder, "pull.rebase") == "false":
        run_git(folder, "config", "--local", "--unset-all", "pull.rebase")
        done.append("this clone's configuration: pull.rebase removed")
    done += [
        f"this clone's configuration: {section} removed"
        for section in (f"merge.{DRIVER}", f"diff.{DRIVER}")
        if run_git(folder, "config", "--local", "--remove-section", section).returncode == 0
    ]
    return done or ["there was nothing to undo"]


def _must_be_in_work_tree(folder: Path) -> None:
    if reason := outside(folder):
        raise SettingsError(f"{reason}: `harvester init DIR` makes a repository with a library")


def _program() -> str:
    # -P: Python must not import a folder called `harvester` from the work tree, which Git may have brought.
    return f"{shlex.quote(sys.executable)} -P -m harvester"


def _settings() -> dict[str, str]:
    return {
        f"merge.{DRIVER}.name": "merge of two Freesound libraries",
        f"merge.{DRIVER}.driver": f"{_program()} git-merge -- %A %B %P",
        f"diff.{DRIVER}.textconv": f"{_program()} git-textconv --",
    }


def _choose_merging(folder: Path) -> list[str]:
    """Set `git pull` to merge unless the user chose a way.

    Without a choice Git refuses to pull diverged branches.
    """
    if any(run_git(folder, "config", key).returncode == 0 for key in ("pull.rebase", "pull.ff")):
        return []
    _configure(folder, "pull.rebase", "false")
    _configure(folder, _WE_CHOSE, "true")
    return ["this clone's configuration: `git pull` merges (pull.rebase false; nothing was chosen before)"]


def _value(folder: Path, key: str) -> str:
    return run_git(folder, "config", "--local", key).stdout.decode(errors="replace").rstrip("\n")


def _configure(folder: Path, key: str, value: str) -> None:
    ended = run_git(folder, "config", "--local", "--replace-all", key, value)
    if ended.returncode:
        raise SettingsError(f"git config says: {said(ended)}")


def _set_up_lfs(folder: Path) -> list[str]:
    if run_git(folder, "lfs", "version").returncode:
        raise SettingsError(NO_LFS)
    ended = run_git(folder, "lfs", "install", "--local")
    if ended.returncode:
        raise SettingsError(f"git lfs install says: {said(ended)}")
    return ["Git LFS: its filters and hooks are in this clone"]


def _not_fetched(folder: Path) -> list[str]:
    """Return what to do if Git LFS has not put the library here yet."""
    try:
        refuse_placeholder(folder / CHECKPOINT)
    except LibraryNotFetched as error:
        return [str(error).removesuffix("; nothing was changed")]
    return []


def _write_block(path: Path, lines: tuple[str, ...]) -> bool:
    """Replace harvester's block of a file; tell if the file changed.

    Without `lines` the block is removed.
    """
    with disk_errors(path, "nothing was changed"):
        refuse_link(path)  # Git does not follow one either
        before = read_bounded(path, _LARGEST_BYTES).decode(errors="surrogateescape") if path.exists() else ""
    block = "".join(f"{line}\n" for line in (_BEGIN, *lines, _END)) if lines else ""
    if _BLOCK.search(before):
        after = _BLOCK.sub(lambda _: block, before, count=1)
    else:
        after = before + ("\n" if block and before and not before.endswith("\n") else "") + block
    if after == before:
        return False
    with disk_errors(path, "nothing else was changed"):
        if after:
            write_atomically(path, [after.encode(errors="surrogateescape")])
        else:
            REAL_FILES.unlink(path)
    return True

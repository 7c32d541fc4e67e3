"""Make a folder a Git repository with a library, or complete one.

Owns the files that such a repository has from the beginning; their texts are in `template`. A file that is there
already stays as it is. An empty checkpoint carries the library's source, so that no merge and no harvest mixes real
sounds with made-up ones. Running it again completes what is missing, also after a crash.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from harvester.clock import Clock
from harvester.counts import counted
from harvester.default_folders import REAL_NAME, SANDBOX_NAME
from harvester.errors import SettingsError, WrongSource
from harvester.gitsync.commit import ATTRIBUTES, IGNORED, commit_files
from harvester.gitsync.repository import (
    NO_LFS,
    attribute_of,
    identity_problem,
    outside,
    run_git,
    said,
    top_of,
    why_no_commit,
)
from harvester.gitsync.setup import set_up_git
from harvester.library import Store, load_view
from harvester.library_source import check_source, described, is_sandbox
from harvester.storage import CHECKPOINT, JOURNAL, disk_errors, read_bounded, refuse_link, write_atomically
from harvester.version import __version__

_WORKFLOWS = ("harvest", "refresh", "verify", "publish")
_TARGETS = {
    "README.md": "README.md",
    "harvester.toml": "harvester.toml",
    "share.sh": ".github/share.sh",
    **{f"{name}.yml": f".github/workflows/{name}.yml" for name in _WORKFLOWS},
}
"""Where each template goes in the repository."""
_CONDITION = re.compile(r" @(REAL|SANDBOX|LFS|NO_LFS)@$")
_LARGEST_BYTES = 1 << 20
_FIRST_MESSAGE = "library: begin"


@dataclass(frozen=True, slots=True)
class InitReport:
    """Result of `init`.

    `repository` is its folder, `library` the folder of the library in it. `done` says what was done, or would be, one
    line each. `commit` is the short hash of the commit; empty without one.
    """

    repository: Path
    library: Path
    done: tuple[str, ...]
    commit: str = ""


def begin_repository(
    folder: Path, *, source: str, clock: Clock, lfs: bool = False, dry_run: bool = False
) -> InitReport:
    """Make `folder` a repository with a library of `source`.

    With `lfs`, Git LFS stores the library. `dry_run` changes nothing. What cannot work is found before anything is
    written: raises `SettingsError` where no repository can be, without git, an author or a needed git-lfs, and during
    a merge or the like; `WrongSource` when the library holds other sounds. Later `LibraryLocked`, `DiskFull` or
    `LibraryUnwritable`, or `SettingsError` when Git refuses the commit; then a second call completes the rest.
    """
    name = SANDBOX_NAME if is_sandbox(source) else REAL_NAME
    old_place = folder / "data" / name  # where earlier versions harvested
    library = old_place if old_place.is_dir() else folder / name
    is_new = _check_place(folder)
    source = _source_of(library, source)
    _check_git(folder, library, is_new=is_new, lfs=lfs)
    texts = dict(_texts(library.relative_to(folder), sandbox=is_sandbox(source), lfs=lfs))
    ignored = (".env", f"/{REAL_NAME if is_sandbox(source) else SANDBOX_NAME}/")
    if dry_run:
        return InitReport(folder, library, tuple(_planned(folder, library, texts, ignored, is_new=is_new)))
    done = []
    with disk_errors(folder, "nothing else was changed"):
        folder.mkdir(parents=True, exist_ok=True)
    if is_new:
        _make_repository(folder)
        done.append(f"{folder}: a new Git repository")
    # The last line says what to do in other clones, which the README does. What is written is committed below.
    done += [line.removesuffix("; commit it") for line in set_up_git(library, lfs=lfs)[:-1]]
    done.append(_mark(library, source, clock))
    written = [name for name, text in texts.items() if _write_missing(folder / name, text)]
    written += [IGNORED] if _append_missing(folder / IGNORED, ignored) else []
    done += [f"{folder / name}: written" for name in written]
    done += [f"{folder / name}: kept as it is" for name, text in texts.items() if _differs(folder / name, text)]
    inside = library.relative_to(folder)
    ours = [str(inside / name) for name in (CHECKPOINT, ATTRIBUTES, IGNORED)]
    made = commit_files(folder, [*written, *_untracked(folder, [*ours, *texts, IGNORED])], _FIRST_MESSAGE)
    if made.problem:
        raise SettingsError(f"{made.problem}; the files are there: run `harvester init` again")
    done.append(f"committed {made.name}: {made.message}" if made.name else "everything was there already")
    return InitReport(folder, library, tuple(done), made.name)


def _check_place(folder: Path) -> bool:
    """Tell whether `folder` needs a new repository; raise if none can be."""
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder} is not a folder; nothing was changed: choose another one")
    if any((folder / name).exists() for name in (CHECKPOINT, JOURNAL)):
        raise SettingsError(
            f"{folder} is itself the folder of a library; nothing was changed: "
            f"name the folder that its repository shall be in, around it"
        )
    reason = outside(folder)
    if not reason:
        nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
        top = top_of(nearest)
        if top.resolve() != folder.resolve():
            raise SettingsError(
                f"{folder} is inside the Git repository {top}; nothing was changed: choose a folder outside it, "
                f"or keep the library there with `harvester git-setup`"
            )
    elif not reason.endswith("is not in a Git repository"):
        raise SettingsError(f"{reason}; nothing was changed: choose another folder")
    return bool(reason)


def _check_git(folder: Path, library: Path, *, is_new: bool, lfs: bool) -> None:
    """Raise `SettingsError` if the first commit could not be made."""
    nearest = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
    problem = identity_problem(nearest) if is_new else why_no_commit(folder)
    needs_lfs = lfs or (not is_new and library.is_dir() and attribute_of(library, "filter") == "lfs")
    if not problem and needs_lfs and run_git(nearest, "lfs", "version").returncode:
        problem = NO_LFS
    if problem:
        raise SettingsError(f"{problem}; nothing was changed")


def _make_repository(folder: Path) -> None:
    ended = run_git(folder, "init", "--quiet", "--initial-branch=main")
    if ended.returncode:
        raise SettingsError(f"git init says: {said(ended)}")


def _source_of(library: Path, source: str) -> str:
    """Return the source that the library has or gets.

    Raises `WrongSource` when it holds real sounds and `source` is a sandbox, or the other way round.
    """
    known = load_view(library).state.source if library.is_dir() else ""
    if known and is_sandbox(known) != is_sandbox(source):
        how = "without --sandbox" if is_sandbox(source) else "with --sandbox"
        raise WrongSource(f"{library} holds sounds of {known}; nothing was changed: run `harvester init` {how}")
    return known or check_source(library, "", source)


def _mark(library: Path, source: str, clock: Clock) -> str:
    """Write the source into the library, with a checkpoint if it has none."""
    with Store.open(library, clock=clock, source=source) as store:
        there = (library / CHECKPOINT).exists()
        if not there:
            store.checkpoint()
        count = counted(len(store.state), "sound") if len(store.state) else "no sound yet"
        return f"{library}: a library with {count}, for {described(source)}{', unchanged' if there else ''}"


def _texts(library: Path, *, sandbox: bool, lfs: bool) -> Iterator[tuple[str, str]]:
    """Yield the path in the repository and the text of each file."""
    holds = {"REAL": not sandbox, "SANDBOX": sandbox, "LFS": lfs, "NO_LFS": not lfs}
    for template, target in _TARGETS.items():
        text = (files("harvester.gitsync") / "template" / template).read_text(encoding="utf-8")
        lines = []
        for line in text.splitlines():
            kept = True
            while found := _CONDITION.search(line):
                kept, line = kept and holds[found[1]], line[: found.start()]
            lines += [line] if kept else []
        filled = "\n".join(lines).replace("@LIBRARY@", library.as_posix()).replace("@VERSION@", __version__)
        yield target, f"{filled}\n"


def _planned(
    folder: Path, library: Path, texts: dict[str, str], ignored: Sequence[str], *, is_new: bool
) -> Iterator[str]:
    if is_new:
        yield f"would make {folder} a Git repository"
    for path in (library / ATTRIBUTES, library / IGNORED):
        if not path.exists():
            yield f"would write {path}"
    if not (library / CHECKPOINT).exists():
        yield f"would write an empty library, {library / CHECKPOINT}"
    for name in texts:
        if not (folder / name).exists():
            yield f"would write {folder / name}"
    if set(ignored) - set(_lines_of(folder / IGNORED)):
        yield f"would add {', '.join(ignored)} to {folder / IGNORED}"
    yield "would set up this clone to merge libraries, and commit what is new"


def _write_missing(path: Path, text: str) -> bool:
    """Write a file unless something is there; tell whether it was written."""
    with disk_errors(path, "nothing else was changed"):
        if os.path.lexists(path):
            return False
        if path.parent.is_symlink() or path.parent.parent.is_symlink():
            raise SettingsError(f"{path.parent} is a symbolic link, which may lead out of the repository; remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, [text.encode()])
    return True


def _append_missing(path: Path, lines: Sequence[str]) -> bool:
    """Add the lines that a file lacks; tell whether there were any."""
    known = _lines_of(path)
    missing = [line for line in lines if line not in known]
    if missing:
        with disk_errors(path, "nothing else was changed"):
            refuse_link(path)
            text = "".join(f"{line}\n" for line in (*known, *missing))
            write_atomically(path, [text.encode(errors="surrogateescape")])
    return bool(missing)


def _lines_of(path: Path) -> list[str]:
    if not path.is_file():
        return []
    return read_bounded(path, _LARGEST_BYTES).decode(errors="surrogateescape").splitlines()


def _differs(path: Path, text: str) -> bool:
    return _lines_of(path) != text.splitlines()


def _untracked(folder: Path, names: Sequence[str]) -> list[str]:
    """Return the files that are there and that Git does not track yet."""
    there = [name for name in dict.fromkeys(names) if (folder / name).is_file()]
    known = set(run_git(folder, "ls-files", "-z", "--", *there).stdout.decode(errors="surrogateescape").split("\0"))
    return [name for name in there if name not in known]

"""A stand-in for git-lfs where it is not installed: `python git_lfs.py COMMAND …`, called by Git as `git-lfs`.

Owns what Git LFS documents and our code relies on: the pointer (docs/spec.md), `clean` and `smudge` as Git's filters,
objects below `lfs/objects` of a repository, and the hook that uploads them before a push. It has one known oddity of
the real one: `clean` cuts what it is given to the size of the file at the path, but to no less than 1,024 bytes. Where
git-lfs is installed the tests use it; what only the real program does is tested there alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")
_LEAST_BYTES = 1024
_HOOK = '#!/bin/sh\nexec git lfs pre-push "$@"\n'


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _objects() -> Path:
    return Path(_git("rev-parse", "--git-common-dir")) / "lfs" / "objects"


def _remote_objects() -> Path:
    return Path(_git("config", "remote.origin.url")) / "lfs" / "objects"


def _place(objects: Path, digest: str) -> Path:
    return objects / digest[:2] / digest[2:4] / digest


def _install() -> None:
    for name in ("clean", "smudge"):
        _git("config", "--local", f"filter.lfs.{name}", f"git-lfs {name} -- %f")
    _git("config", "--local", "filter.lfs.required", "true")
    hook = Path(_git("rev-parse", "--git-path", "hooks/pre-push"))
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(_HOOK)
    hook.chmod(0o755)


def _clean(path: Path, content: bytes) -> bytes:
    if not content or _POINTER.fullmatch(content):
        return content
    size = path.stat().st_size if path.exists() else 0
    content = content[: max(size, _LEAST_BYTES)]
    digest = hashlib.sha256(content).hexdigest()
    place = _place(_objects(), digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()


def _smudge(pointer: bytes) -> bytes:
    found = _POINTER.fullmatch(pointer)
    if found is None or os.environ.get("GIT_LFS_SKIP_SMUDGE") == "1":
        return pointer
    digest = found[1].decode()
    for objects in (_objects(), _remote_objects()):
        if _place(objects, digest).exists():
            return _place(objects, digest).read_bytes()
    sys.exit(f"Error downloading object: {digest}: it is not on the server")


def _pull() -> None:
    top = Path(_git("rev-parse", "--show-toplevel"))
    for name in _git("ls-files").splitlines():
        path = top / name
        if _git("check-attr", "filter", "--", name).endswith(" lfs") and _POINTER.fullmatch(path.read_bytes()):
            path.write_bytes(_smudge(path.read_bytes()))
            _git("add", "--", name)  # the index learns the new size and time; the content is the same


def _pre_push() -> None:
    ours, theirs = _objects(), _remote_objects()
    for one in ours.rglob("*"):
        target = theirs / one.relative_to(ours)
        if one.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(one, target)


def main(command: str, *arguments: str) -> None:
    """Do what `git-lfs COMMAND ARGUMENTS` does."""
    match command:
        case "version":
            print("git-lfs, a stand-in of the tests")
        case "install":
            _install()
        case "clean":
            sys.stdout.buffer.write(_clean(Path(arguments[-1]), sys.stdin.buffer.read()))
        case "smudge":
            sys.stdout.buffer.write(_smudge(sys.stdin.buffer.read()))
        case "pull":
            _pull()
        case "pre-push":
            _pre_push()
        case _:
            sys.exit(f"the stand-in for git-lfs does not know {command!a}")


if __name__ == "__main__":
    main(*sys.argv[1:])

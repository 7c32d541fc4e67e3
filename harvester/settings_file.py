"""Read `harvester.toml` as untrusted input, with each value's line.

Owns the paths of the two files and whether each is trusted: the one in the working folder may come with a clone or an
archive, so it must not decide where the key goes or what is written outside that folder; the user's own is trusted.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvester.errors import SettingsError
from harvester.storage import read_bounded

NAME = "harvester.toml"
_LARGEST_BYTES = 64 << 10
_LONGEST_LINE = 300
_MOST_DOTS = 8
"""The most dots in a name: `tomllib` needs time and memory with their square, 3 GB for a file of 60 kB."""
_WHERE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*\"""")
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The tables of one file; `trusted`: it is the user's own."""

    path: Path
    trusted: bool
    tables: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def place(self, table: str, key: str) -> str:
        """Return `FILE:LINE: [TABLE] KEY`, with which a message begins."""
        return f"{self.line(table, key)}: [{table}] {key}"

    def line(self, table: str, key: str = "") -> str:
        """Return `FILE:LINE` of a value, else of its table, else `FILE`."""
        number = _find_line(self.text, table, key)
        return f"{self.path}:{number}" if number else str(self.path)


def load_settings_files(folder: Path, environment: Mapping[str, str]) -> list[SettingsFile]:
    """Return the existing files: the user's, then the folder's, which wins.

    Raises `SettingsError` for a file that cannot be read or is not TOML.
    """
    mine = user_file(environment)
    files = [_load(mine, trusted=True)] if mine is not None else []
    here = folder / NAME
    if mine is None or not (here.exists() and mine.exists() and here.samefile(mine)):
        files.append(_load(here, trusted=False))
    return [file for file in files if file.text]


def user_file(environment: Mapping[str, str]) -> Path | None:
    """Return the path of the user's file, or None without a home folder.

    It is below `XDG_CONFIG_HOME` if that is an absolute path, else below `~/.config`.
    """
    named = Path(environment.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named / "harvester" / NAME
    try:
        return Path.home() / ".config" / "harvester" / NAME
    except RuntimeError:  # the user has no home folder
        return None


def kind_of(value: object) -> str:
    """Return the type of a TOML value in words."""
    return _KINDS.get(type(value), "a date or a time")


def is_inside(folder: Path, path: str) -> bool:
    """Tell whether a path stays in `folder`, also through symbolic links."""
    root = folder.absolute()
    as_written = Path(os.path.normpath(root / path)).is_relative_to(os.path.normpath(root))
    return as_written and Path(os.path.realpath(root / path)).is_relative_to(os.path.realpath(root))


def _load(path: Path, *, trusted: bool) -> SettingsFile:
    try:
        text = read_bounded(path, _LARGEST_BYTES).decode("utf-8-sig")
        _refuse_long_names(path, text)
        return SettingsFile(path, trusted, tomllib.loads(text), text)
    except (FileNotFoundError, NotADirectoryError):
        return SettingsFile(path, trusted)
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: it is not UTF-8 text") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: it is nested too deep") from error
    except ValueError as error:  # also for an integer of thousands of digits
        said = _WHERE.fullmatch(str(error))
        if said is None:
            raise SettingsError(f"{path}: {error}") from error
        line = int(said[2]) if said[2] else text.rstrip().count("\n") + 1
        raise SettingsError(f"{path}:{line}: {said[1]}") from error


def _refuse_long_names(path: Path, text: str) -> None:
    """Raise `SettingsError` for a key or table name of too many parts."""
    for number, whole in enumerate(text.splitlines(), 1):
        line = _QUOTED.sub("''", whole).split("#")[0]
        before = [*line.split("=")[:-1], line if line.lstrip().startswith("[") else ""]
        # In an inline table, names follow a brace or a comma.
        if any(re.split("[{,]", one)[-1].count(".") > _MOST_DOTS for one in before):
            raise SettingsError(f"{path}:{number}: a name has more than {_MOST_DOTS + 1} parts")


def _find_line(text: str, table: str, key: str) -> int | None:
    """Return the line that sets `key` in `table`, else the table's first."""
    quoted = [rf"[\"']?{re.escape(name)}[\"']?" for name in (table, key)]
    header = re.compile(rf"\s*\[\s*{quoted[0]}\s*[\].]")
    inside, begin = False, None
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole[:_LONGEST_LINE]
        if re.match(r"\s*\[{1,2}[^\[\]=,]*\]{1,2}\s*(?:#|$)", line):
            inside = header.match(line) is not None
            begin = begin or (number if inside else None)
        elif key and re.match(rf"\s*{quoted[1]}\s*=" if inside else rf"\s*{quoted[0]}\s*\.\s*{quoted[1]}\s*=", line):
            return number
        elif begin is None and re.match(rf"\s*{quoted[0]}\s*[.=]", line):
            begin = number
    return begin

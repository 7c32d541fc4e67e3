"""`harvester.toml`: read as what others may have written, with the line of every value.

Owns where the two files are and what each may say: the one in the working folder may come with a clone or an archive,
so it decides neither where the key goes nor what is written outside that folder; the user's own may say everything.
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
"""In one name: the parser takes time and memory with the square of the dots, 3 GB for a file of 60 kB."""
_WHERE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*\"""")
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """What one file says, table by table. `trusted`: it is the user's own."""

    path: Path
    trusted: bool
    tables: dict[str, Any] = field(default_factory=dict)
    text: str = ""

    def place(self, table: str, key: str) -> str:
        """Return `FILE:LINE: [TABLE] KEY` of a value, for the beginning of a message."""
        return f"{self.line(table, key)}: [{table}] {key}"

    def line(self, table: str, key: str = "") -> str:
        """Return `FILE:LINE` of a value, or of its table; `FILE` alone where the line cannot be told."""
        number = _find_line(self.text, table, key)
        return f"{self.path}:{number}" if number else str(self.path)


def load_settings_files(folder: Path, environment: Mapping[str, str]) -> list[SettingsFile]:
    """Return the files that there are, the one of the working folder last: it takes precedence over the user's own.

    Raises `SettingsError` for a file that cannot be read or is not TOML.
    """
    mine = user_file(environment)
    files = [_load(mine, trusted=True)] if mine is not None else []
    here = folder / NAME
    if mine is None or not (here.exists() and mine.exists() and here.samefile(mine)):
        files.append(_load(here, trusted=False))
    return [file for file in files if file.text]


def user_file(environment: Mapping[str, str]) -> Path | None:
    """Return where the user's own file lies: below `XDG_CONFIG_HOME` where that is an absolute path, or `~/.config`."""
    named = Path(environment.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named / "harvester" / NAME
    try:
        return Path.home() / ".config" / "harvester" / NAME
    except RuntimeError:  # nobody's home is known
        return None


def kind_of(value: object) -> str:
    """Return what a value of TOML is, in words."""
    return _KINDS.get(type(value), "a date or a time")


def is_inside(folder: Path, path: str) -> bool:
    """Tell whether a path leads nowhere out of `folder`, neither as it is written nor through a symbolic link."""
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
    except ValueError as error:  # also an integer of thousands of digits
        said = _WHERE.fullmatch(str(error))
        if said is None:
            raise SettingsError(f"{path}: {error}") from error
        line = int(said[2]) if said[2] else text.rstrip().count("\n") + 1
        raise SettingsError(f"{path}:{line}: {said[1]}") from error


def _refuse_long_names(path: Path, text: str) -> None:
    """Raise `SettingsError` for a name of very many parts: what stands before a `=`, or the header of a table."""
    for number, whole in enumerate(text.splitlines(), 1):
        line = _QUOTED.sub("''", whole).split("#")[0]
        before = [*line.split("=")[:-1], line if line.lstrip().startswith("[") else ""]
        # Names in a table within a line come after a brace or a comma.
        if any(re.split("[{,]", one)[-1].count(".") > _MOST_DOTS for one in before):
            raise SettingsError(f"{path}:{number}: a name has more than {_MOST_DOTS + 1} parts")


def _find_line(text: str, table: str, key: str) -> int | None:
    """Return the number of the line that sets `key` in `table`, else of the one that begins the table."""
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

"""Read settings files as untrusted input, with each value's line.

Owns the paths of the files and whether each is trusted: `harvester.toml` in the working folder may come with a clone or
an archive, so it must not decide where the key goes or what is written outside that folder. The user's own file is
trusted, and so is a file that the user names.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harvester.errors import SettingsError, words_of
from harvester.storage import home_folder, read_bounded, read_path

NAME = "harvester.toml"
OWN_NAME = "config.toml"
_OLD_OWN_NAME = "harvester.toml"
"""The name of the user's own file until it became `config.toml`; it is still read."""

_LARGEST_BYTES = 64 << 10
_LONGEST_LINE = 300
_MOST_DOTS = 8
"""The most dots in a name: `tomllib` needs time and memory with their square, 3 GB for a file of 60 kB."""
_WHERE = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*\"""")
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list", dict: "a table"}


class SettingsFileError(SettingsError):
    """A settings file cannot be used; the message begins with `FILE:LINE`."""


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The tables of one file; `trusted`: it is the user's own or named."""

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


def load_settings_files(folder: Path, environment: Mapping[str, str], named: Path | None = None) -> list[SettingsFile]:
    """Return the existing files: the user's, then the folder's, which wins.

    With `named`, return only that file. Raises `SettingsFileError` for a file that cannot be read or is not TOML, and
    if `named` does not exist.
    """
    if named is not None:
        return [_load(named, trusted=True, required=True)]
    mine = user_file(environment)
    files = [_load(mine, trusted=True)] if mine is not None else []
    here = folder / NAME
    if mine is None or not (here.exists() and mine.exists() and here.samefile(mine)):
        files.append(_load(here, trusted=False))
    return [file for file in files if file.text]


def user_file(environment: Mapping[str, str]) -> Path | None:
    """Return the path of the user's file, or None without a home folder.

    It is `config.toml` in `harvester` below `XDG_CONFIG_HOME` if that is an absolute path, else below the folder that
    the system has for configuration. Where only the earlier `harvester.toml` exists, it is that file. Raises
    `SettingsFileError` if both exist.
    """
    folder, earlier = _user_folders(environment)
    own, old = folder and folder / OWN_NAME, earlier and earlier / _OLD_OWN_NAME
    if old is None or not os.path.exists(old):  # noqa: PTH110 - `Path.exists` raises where a folder cannot be entered
        return own
    if own is not None and os.path.exists(own):  # noqa: PTH110
        raise SettingsFileError(f"{old}: it is not read beside {own}; move its settings there and delete it")
    return old


def _user_folders(environment: Mapping[str, str]) -> tuple[Path | None, Path | None]:
    """Return the folder of the user's file, and that of earlier versions."""
    named = Path(environment.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named / "harvester", named / "harvester"
    home = home_folder()
    if home is None:
        return None, None
    # Imported here: a process that knows XDG_CONFIG_HOME does not need it.
    from platformdirs import user_config_path

    earlier = home / ".config" / "harvester"
    folder = user_config_path("harvester", appauthor=False)
    # Earlier versions of platformdirs return a relative XDG_CONFIG_HOME, which its specification says to ignore.
    return (folder if folder.is_absolute() else earlier), earlier


def kind_of(value: object) -> str:
    """Return the type of a TOML value in words."""
    return _KINDS.get(type(value), "a date or a time")


def is_inside(folder: Path, path: str) -> bool:
    """Tell whether a path stays in `folder`, also through symbolic links."""
    root, named = folder.absolute(), read_path(path)
    as_written = Path(os.path.normpath(root / named)).is_relative_to(os.path.normpath(root))
    return as_written and Path(os.path.realpath(root / named)).is_relative_to(os.path.realpath(root))


def _load(path: Path, *, trusted: bool, required: bool = False) -> SettingsFile:
    try:
        text = read_bounded(path, _LARGEST_BYTES).decode("utf-8-sig")
        _refuse_long_names(path, text)
        return SettingsFile(path, trusted, tomllib.loads(text), text)
    except (FileNotFoundError, NotADirectoryError) as error:
        if required:
            raise SettingsFileError(f"{path}: there is no such file") from error
        return SettingsFile(path, trusted)
    except OSError as error:
        raise SettingsFileError(f"{path}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsFileError(f"{path}:{line}: it is not UTF-8 text") from error
    except RecursionError as error:
        raise SettingsFileError(f"{path}: it is nested too deep") from error
    except ValueError as error:  # also for an integer of thousands of digits
        said = _WHERE.fullmatch(str(error))
        if said is None:
            raise SettingsFileError(f"{path}: {words_of(error)}") from error
        line = int(said[2]) if said[2] else text.rstrip().count("\n") + 1
        raise SettingsFileError(f"{path}:{line}: {said[1]}") from error


def _refuse_long_names(path: Path, text: str) -> None:
    """Raise `SettingsFileError` for a key or table name of too many parts."""
    for number, whole in enumerate(text.splitlines(), 1):
        line = _QUOTED.sub("''", whole).split("#")[0]
        before = [*line.split("=")[:-1], line if line.lstrip().startswith("[") else ""]
        # In an inline table, names follow a brace or a comma.
        if any(re.split("[{,]", one)[-1].count(".") > _MOST_DOTS for one in before):
            raise SettingsFileError(f"{path}:{number}: a name has more than {_MOST_DOTS + 1} parts")


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

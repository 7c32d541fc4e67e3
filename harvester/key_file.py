"""Read the API key from `.env`, and find misspelled keys in it.

Reads only one name, so that the file cannot set anything except the key. Never shows a value.
"""

from __future__ import annotations

import re
from pathlib import Path

from harvester.errors import SettingsError
from harvester.storage import read_bounded

NAME = ".env"
KEY_VARIABLE = "FREESOUND_API_KEY"
_LARGEST_BYTES = 64 << 10
_LONGEST_LINE = 300
_LINE = re.compile(r"\s*(?:export\s+)?(\w+)\s*=(.*)")
_ALMOST = re.compile(r"freesound.*(key|token|secret)", re.IGNORECASE)
_BARE_KEY = re.compile(r"\s*[A-Za-z0-9]{40}\s*")


def find_key(folder: Path) -> tuple[str, str]:
    """Return the key in `.env` and its place (`.env:3`), or empty texts.

    Raises `SettingsError` for a file that cannot be read.
    """
    found = ("", "")
    for number, line in enumerate(_lines(folder / NAME), 1):
        match = _LINE.fullmatch(line)
        if match and match[1] == KEY_VARIABLE:
            text = match[2].strip()
            quoted = re.fullmatch(r"""(["'])(.*)\1(?:\s+#.*)?""", text)
            value = quoted[2] if quoted else re.split(r"(?:^|\s)#", text, maxsplit=1)[0]
            found = (value.strip(), f"{folder / NAME}:{number}") if value.strip() else found
    return found


def find_almost_keys(folder: Path) -> list[str]:
    """Return a notice for each line like a key, unless a key is read."""
    if find_key(folder)[0]:
        return []
    return [
        f"{folder / NAME}:{number}: not read as {KEY_VARIABLE}; write {KEY_VARIABLE}=…"
        for number, line in enumerate(_lines(folder / NAME), 1)
        if not line.lstrip().startswith("#") and (_ALMOST.search(line[:_LONGEST_LINE]) or _BARE_KEY.fullmatch(line))
    ]


def _lines(path: Path) -> list[str]:
    try:
        return read_bounded(path, _LARGEST_BYTES).decode("utf-8-sig").splitlines()
    except (FileNotFoundError, IsADirectoryError):  # a virtual environment may be a folder named .env
        return []
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: it is not UTF-8 text") from None
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None

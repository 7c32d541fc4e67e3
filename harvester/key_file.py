"""Read the API key from `.env`, and find what was meant as a key.

python-dotenv decides what a line says. Only one name is read, so that the file cannot set anything except the key, and
no variable in a value is replaced. Never shows a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from harvester.errors import SettingsError
from harvester.storage import read_bounded

if TYPE_CHECKING:
    from dotenv.parser import Binding

NAME = ".env"
KEY_VARIABLE = "FREESOUND_API_KEY"
_LARGEST_BYTES = 64 << 10
_LONGEST_LINE = 300
_LIKE = 0.8
"""How much a name must be like the right one, from 0 to 1, to be a misspelled one."""
_OURS = re.compile(rf"\s*(?:export\s+)?{KEY_VARIABLE}\s*=")
_ALMOST = re.compile(r"freesound.*(key|token|secret)", re.IGNORECASE)
_NAME = re.compile(r"(?:export\s+)?([\w-]+)\s*=\s*\S")
_OF_NO_SERVICE = re.compile(r"(api|client)?[_-]?(key|token|secret)", re.IGNORECASE)
_BARE_KEY = re.compile(r"\s*[A-Za-z0-9]{40}\s*")


class _Line(NamedTuple):
    place: str
    text: str
    binding: Binding


def find_key(folder: Path) -> tuple[str, str]:
    """Return the key in `.env` and its place (`.env:3`), or empty texts.

    Raises `SettingsError` for a file or a line of the key that cannot be read.
    """
    found = ("", "")
    for place, text, binding in _lines(folder / NAME):
        if binding.error and _OURS.match(text):
            raise SettingsError(f"{place}: {KEY_VARIABLE} cannot be read; check the quotes of this line")
        value = (binding.value or "").strip()
        if binding.key == KEY_VARIABLE and value:
            found = value, place
    return found


def find_almost_keys(folder: Path) -> list[str]:
    """Return a notice for each line like a key, unless a key is read."""
    if find_key(folder)[0]:
        return []
    return [f"{line.place}: {problem}" for line in _lines(folder / NAME) if (problem := _problem_of(line))]


def _problem_of(line: _Line) -> str:
    """Return why a line that was meant as a key is none, or no text."""
    if line.binding.key == KEY_VARIABLE and line.binding.value is not None:
        return f"{KEY_VARIABLE} is empty; write the key after the ="
    name = _NAME.match(line.text)
    if _ALMOST.search(line.text) or _BARE_KEY.fullmatch(line.text) or (name is not None and _is_like_ours(name[1])):
        return f"not read as {KEY_VARIABLE}; write {KEY_VARIABLE}=…"
    return ""


def _is_like_ours(name: str) -> bool:
    # Imported only without a key, so that a run starts faster.
    from difflib import get_close_matches

    return bool(_OF_NO_SERVICE.fullmatch(name) or get_close_matches(name.upper(), [KEY_VARIABLE], 1, _LIKE))


def _lines(path: Path) -> Iterator[_Line]:
    """Yield what a file sets or fails to set; blank lines and comments not."""
    text = _text_of(path)
    if not text:
        return
    # Imported only for a file that has text, so that a run without one starts faster.
    from dotenv.parser import parse_stream

    for binding in parse_stream(StringIO(text)):
        said = binding.original.string
        if binding.key is not None or binding.error:
            # What python-dotenv read begins with the blank lines before it.
            blank = said[: len(said) - len(said.lstrip())]
            number = binding.original.line + len(re.findall(r"\r\n|\n|\r", blank))
            first = said.lstrip().splitlines()[0]
            yield _Line(f"{path}:{number}", first[:_LONGEST_LINE], binding)


def _text_of(path: Path) -> str:
    try:
        return read_bounded(path, _LARGEST_BYTES).decode("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):  # a virtual environment may be a folder named .env
        return ""
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise SettingsError(f"{path}:{line}: it is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None

"""Settings of the user: the key, durations, and the bounds of numbers.

Reads only the environment and `.env` in the working folder; `settings_file` reads `harvester.toml`. A mistake raises
`SettingsError` with one line that names the place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from numbers import Real
from pathlib import Path
from typing import NamedTuple

from harvester.errors import SettingsError
from harvester.key_file import KEY_VARIABLE, find_key
from harvester.model import API_PAGE
from harvester.told import MOST_VERBOSE


class Bounds(NamedTuple):
    """The least and largest value of a number, in options and in code."""

    least: int
    most: int

    def check(self, what: str, value: float) -> None:
        """Raise `ValueError` unless `value` is a number within these bounds."""
        # NaN is within no bounds: every comparison with it is false.
        if not is_number(value) or not self.least <= value <= self.most:
            raise ValueError(f"{what} must be from {self.least} to {self.most}, not {ascii(value)[:40]}")


def is_number(value: object) -> bool:
    """Tell whether a value is a number, of Python or of NumPy, and no bool."""
    return isinstance(value, Real) and not isinstance(value, bool)


COUNT = Bounds(1, 1_000_000_000)
COUNT_FROM_ZERO = Bounds(0, 1_000_000_000)
NEIGHBOURS = Bounds(1, API_PAGE)
CONCURRENCY = Bounds(1, 64)
PREVIEW_CONCURRENCY = Bounds(1, 8)
PREVIEWS_PER_MINUTE = Bounds(1, 60_000)
DEPTH = Bounds(1, 10)
DPI = Bounds(50, 1_200)
LENGTH_MM = Bounds(40, 1_200)
VERBOSITY = Bounds(0, MOST_VERBOSE)
RELATED = Bounds(1, 1_000)
JOBS = Bounds(-1, 64)
SCORE = Bounds(0, 1)
RANDOM_SEED = Bounds(0, 2**32 - 1)
PORT = Bounds(0, 65_535)
GENERATED_SOUNDS = Bounds(1, 1_000_000)
LATENCY_MS = Bounds(0, 3_600_000)
DURATION_S = Bounds(0, 100 * 365 * 86_400)
"""At most a hundred years: no sound or run is longer, and no record is older."""

SAMPLES_PER_COMMIT = 16
"""Only processed sounds that already wait share a commit, so a crash loses no more than with one commit for each."""

_SCHEDULER = re.compile(r"(?:tcp|tls)://(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_UNITS_BYTES = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def check_scheduler(address: str) -> str:
    """Return the address of a Dask scheduler; raise `SettingsError` else."""
    found = _SCHEDULER.fullmatch(address) if isinstance(address, str) else None
    if found is None or not 1 <= int(found[1]) <= PORT.most:
        raise SettingsError(f"{ascii(address)[:60]} is no scheduler of Dask; write tcp://HOST:PORT, or tls://HOST:PORT")
    return address


def read_key(environment: Mapping[str, str], folder: Path) -> str | None:
    """Return the key from the environment, else from `.env`, else None.

    Raises `SettingsError` for a text that cannot be a key; the message never shows it.
    """
    found = locate_key(environment, folder)
    return found and found[0]


def locate_key(environment: Mapping[str, str], folder: Path) -> tuple[str, str] | None:
    """Return the key of `read_key` and its place, such as `.env:3`."""
    key = environment.get(KEY_VARIABLE, "").strip()
    where = "the environment"
    if not key:
        key, where = find_key(folder)
    if not key:
        return None
    if not re.fullmatch(r"[!-~]+", key) or set(key) & set("\"'`;,<>"):
        raise SettingsError(f"{KEY_VARIABLE} in {where} holds characters that no key has; copy the key again")
    return key, where


def read_contact(environment: Mapping[str, str]) -> str:
    """Return `HARVESTER_CONTACT` for the User-Agent, or an empty text.

    Raises `SettingsError` for characters that a header must not have.
    """
    contact = environment.get("HARVESTER_CONTACT", "").strip()
    if not re.fullmatch(r"[ -'*-~]*", contact):
        raise SettingsError("HARVESTER_CONTACT must be a plain URL or address, without brackets or unusual characters")
    return contact


def parse_size_bytes(text: str) -> int:
    """Return the bytes of `500MB`, `1.5 GB` or `90000`, in decimal units.

    Raises `SettingsError` for any other text, for less than a byte and for a thousand terabytes and more.
    """
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-zA-Z]*)", text.strip())
    if found is None or (found[2] or "b").lower() not in _UNITS_BYTES:
        raise SettingsError(f"'{text[:40]}' is not a size; write 500MB, 2GB or a number of bytes")
    size_bytes = int(float(found[1]) * _UNITS_BYTES[(found[2] or "b").lower()])
    if not 1 <= size_bytes < 10**15:
        raise SettingsError(f"'{text[:40]}' must be at least a byte, and less than 1000TB")
    return size_bytes


def parse_duration_s(text: str) -> float:
    """Return the seconds of `90`, `10s`, `5m`, `2h`, `1.5d` or `1h30m`.

    Raises `SettingsError` for any other text and for more than a hundred years.
    """
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    spelled = "".join(number + unit for number, unit in parts)
    if not parts or spelled != re.sub(r"\s", "", text.lower()):
        raise SettingsError(f"'{text[:40]}' is not a duration; write 90, 10s, 5m, 2h or 30d")
    if any((unit or "s") not in _UNITS_S for _, unit in parts):
        raise SettingsError(f"'{text[:40]}' is not a duration; the units are s, m, h, d and w")
    seconds = sum(float(number) * _UNITS_S[unit or "s"] for number, unit in parts)
    if seconds > DURATION_S.most:
        raise SettingsError(f"'{text[:40]}' is too long; a duration is at most 36500d")
    return seconds

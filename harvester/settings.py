"""What a person may set: the key, `harvester.toml`, durations and limits.

Reads the environment, `.env` and `harvester.toml` in the working folder, nothing else. Every mistake is a
`SettingsError` of one line that names the place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harvester.errors import SettingsError

KEY_VARIABLE = "FREESOUND_API_KEY"
REAL_LIBRARY = Path("data/freesound_library")
SANDBOX_LIBRARY = Path("data/sandbox_library")

SAMPLES_PER_COMMIT = 16
"""Only those share a commit that wait for one anyway, so a crash costs what is in flight, as with a commit for each."""

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def read_key(environment: Mapping[str, str], folder: Path) -> str | None:
    """Return the API key from the environment, else from `.env` in `folder`, else None.

    Raises `SettingsError`, which never shows the key, when it cannot be one.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    where = "the environment"
    if not key:
        path = folder / ".env"
        key, where = _read_dotenv(path).get(KEY_VARIABLE, "").strip(), str(path)
    if not key:
        return None
    if not re.fullmatch(r"[!-~]+", key):
        raise SettingsError(f"{KEY_VARIABLE} in {where} holds spaces or unusual characters; copy the key again")
    return key


def read_contact(environment: Mapping[str, str]) -> str:
    """Return what `HARVESTER_CONTACT` says about who runs this, for the User-Agent; empty when it says nothing."""
    contact = environment.get("HARVESTER_CONTACT", "").strip()
    if not re.fullmatch(r"[ -'*-~]*", contact):
        raise SettingsError("HARVESTER_CONTACT must be a plain URL or address, without brackets or unusual characters")
    return contact


def _read_dotenv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(?:export\s+)?(\w+)\s*=\s*(.*?)\s*", line)
        if match:
            name, value = match.groups()
            quoted = re.fullmatch(r"""(["'])(.*)\1(?:\s+#.*)?""", value)
            found[name] = quoted[2] if quoted else re.sub(r"\s+#.*", "", value)
    return found


def read_settings_file(folder: Path) -> dict[str, Any]:
    """Return what `harvester.toml` in `folder` says, table by table; empty when there is none."""
    path = folder / "harvester.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path} cannot be read: {error}") from None


def parse_duration_s(text: str) -> float:
    """Return seconds from `90`, `10s`, `5m`, `2h`, `1.5d` or `1h30m`."""
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    spelled = "".join(number + unit for number, unit in parts)
    if not parts or spelled != re.sub(r"\s", "", text.lower()):
        raise SettingsError(f"'{text}' is not a duration; write 90, 10s, 5m, 2h or 30d")
    if any((unit or "s") not in _UNITS_S for _, unit in parts):
        raise SettingsError(f"'{text}' is not a duration; the units are s, m, h, d and w")
    return sum(float(number) * _UNITS_S[unit or "s"] for number, unit in parts)

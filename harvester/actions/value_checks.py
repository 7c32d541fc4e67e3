"""Check the texts of options; each function raises `SettingsError`."""

from __future__ import annotations

from collections.abc import Iterable

from harvester.errors import SettingsError
from harvester.freesound import ApiKey, read_api_url, read_extra_fields, read_limits
from harvester.json_text import without_lone_surrogates
from harvester.library_source import is_sandbox
from harvester.sandbox import Fault

_LONGEST_KIND = 100


def check_api_url(address: str) -> None:
    """Check the address of an API."""
    read_api_url(address)


def read_source(source: str) -> str:
    """Return a library's source: an API's normalised address or a sandbox."""
    return source if is_sandbox(source) else read_api_url(source)


def read_relation(kind: str) -> str:
    """Return the kind of a relation, without spaces around it."""
    stripped = kind.strip()
    if not stripped or len(stripped) > _LONGEST_KIND or without_lone_surrogates(stripped) != stripped:
        raise SettingsError(f"--relation must be a text of 1 to {_LONGEST_KIND} characters, such as 'same pack'")
    return stripped


def check_limits(text: str) -> None:
    """Check limits: `BURST/DAY`."""
    read_limits(text)


def check_extra_fields(text: str) -> None:
    """Check names of extra fields: `bpm,loudness`."""
    read_extra_fields((text,))


def check_faults(rules: Iterable[str]) -> None:
    """Check the rules of faults that the sandbox makes."""
    for rule in rules:
        Fault.parse(rule)


def key_fingerprint(key: str) -> str:
    """Return the fingerprint of a key, which may be shown."""
    return ApiKey(key).fingerprint

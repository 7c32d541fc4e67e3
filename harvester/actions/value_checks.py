"""Check the texts of options; each function raises `SettingsError`."""

from __future__ import annotations

from collections.abc import Iterable

from harvester.freesound import ApiKey, read_api_url, read_extra_fields, read_limits
from harvester.library_source import is_sandbox
from harvester.sandbox import Fault


def check_api_url(address: str) -> None:
    """Check the address of an API."""
    read_api_url(address)


def read_source(source: str) -> str:
    """Return a library's source: an API's normalised address or a sandbox."""
    return source if is_sandbox(source) else read_api_url(source)


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

"""Decide which catalogues may share a library.

A library's source names its catalogue: the address of an API, or `sandbox:` with a digest of the sandbox's catalogue.
`sandbox:` alone marks a rehearsal that has no sound yet: any sandbox may fill it. No text: the source is not known yet.
Checkpoint, journal and vector file hold the source, so Git and every merge carry it along.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harvester.default_folders import REAL_NAME, SANDBOX_NAME
from harvester.errors import WrongSource

ANY_SANDBOX = "sandbox:"
MADE_UP_SITE = "https://sandbox.invalid"
"""Where the addresses in the records of made-up sounds point to."""


def is_sandbox(source: str) -> bool:
    """Tell whether a source is a sandbox, whose sounds are made up."""
    return source.startswith(ANY_SANDBOX)


def is_made_up(record: Mapping[str, Any]) -> bool:
    """Tell whether a record is of a made-up sound, whatever file has it."""
    url = record.get("url")
    return isinstance(url, str) and url.startswith(f"{MADE_UP_SITE}/")


def join_sources(ours: str, theirs: str) -> str | None:
    """Return the source of a library with the sounds of both, or None.

    None means that the two must never mix. The order does not matter, and the more exact of the two is returned.
    """
    if not ours or (ours == ANY_SANDBOX and is_sandbox(theirs)):
        return theirs
    if not theirs or theirs == ours or (theirs == ANY_SANDBOX and is_sandbox(ours)):
        return ours
    return None


def check_source(folder: Path, ours: str, theirs: str) -> str:
    """Return the joined source of the library in `folder` and `theirs`.

    Raises `WrongSource` when the library holds another catalogue, or holds none yet and its folder has the name of a
    default folder for the other kind of sounds. A public API has an https address.
    """
    joined = join_sources(ours, theirs)
    if joined is None:
        advice = _KEY_ADVICE if is_sandbox(theirs) and not is_sandbox(ours) else _ADVICE
        raise WrongSource(f"{folder} is for {described(ours)}, and these are {described(theirs)}; {advice}")
    if not ours:
        _check_name(folder, theirs)
    return joined


_ADVICE = "nothing was changed: choose another --library"
_KEY_ADVICE = "nothing was changed: set FREESOUND_API_KEY for real sounds, or choose another --library"


def described(source: str) -> str:
    """Return a phrase for a source, such as `made-up sounds (sandbox:…)`."""
    if source == ANY_SANDBOX:
        return "made-up sounds"
    return f"made-up sounds ({source})" if is_sandbox(source) else f"sounds of {source}"


def _check_name(folder: Path, source: str) -> None:
    """Raise `WrongSource` if an empty default folder is for other sounds."""
    name = folder.absolute().name
    if name == REAL_NAME and is_sandbox(source):
        raise WrongSource(f"{folder} is for Freesound's sounds, and these are {described(source)}; {_KEY_ADVICE}")
    if name == SANDBOX_NAME and source.startswith("https:"):
        raise WrongSource(f"{folder} is for made-up sounds, and these are {described(source)}; {_ADVICE}")

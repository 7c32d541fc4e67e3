"""Freesound's licences: deed addresses, index names, short names."""

from __future__ import annotations

from typing import NamedTuple


class Licence(NamedTuple):
    """A licence: part of its deed address, index name, short name.

    `versioned`: a version follows the short name (`BY 4.0`).
    """

    address: str
    index_name: str
    short_name: str
    versioned: bool


CC0 = Licence("publicdomain/zero/", "Creative Commons 0", "CC0", False)
BY = Licence("/licenses/by/", "Attribution", "BY", True)
BY_NC = Licence("/licenses/by-nc/", "Attribution NonCommercial", "BY-NC", True)
SAMPLING = Licence("/licenses/sampling+/", "Sampling+", "Sampling+", False)
LICENCES = (CC0, BY, BY_NC, SAMPLING)


def find_licence(deed: str) -> Licence | None:
    """Return the licence whose deed has this address, or None."""
    return next((one for one in LICENCES if one.address in deed), None)


def licence_name(deed: str | None) -> str:
    """Return a deed address's short name.

    Examples: `CC0`, `BY 4.0`, `BY-NC 3.0`, `Sampling+`.
    """
    text = deed or ""
    licence = find_licence(text)
    if licence is None:
        return text or "none"
    return f"{licence.short_name} {text.rstrip('/').rsplit('/', 1)[-1]}" if licence.versioned else licence.short_name

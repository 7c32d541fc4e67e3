"""Freesound's licenses: deed addresses, index names, short names."""

from __future__ import annotations

import re
from typing import NamedTuple


class License(NamedTuple):
    """A license: part of its deed address, index name, short name.

    `versioned`: a version follows the short name (`BY 4.0`).
    """

    address: str
    index_name: str
    short_name: str
    versioned: bool


CC0 = License("publicdomain/zero/", "Creative Commons 0", "CC0", False)
BY = License("/licenses/by/", "Attribution", "BY", True)
BY_NC = License("/licenses/by-nc/", "Attribution NonCommercial", "BY-NC", True)
SAMPLING = License("/licenses/sampling+/", "Sampling+", "Sampling+", False)
LICENSES = (CC0, BY, BY_NC, SAMPLING)
_TYPED = re.compile(r"cc0|by(-nc)?( \d\.\d)?|sampling\+")


def find_license(deed: str) -> License | None:
    """Return the license whose deed has this address, or None."""
    return next((one for one in LICENSES if one.address in deed), None)


def is_possible_license(typed: str) -> bool:
    """Tell whether Freesound has a license of this short name.

    It is in folded case, with a version or without: `by 4.0`, `cc0`.
    """
    return _TYPED.fullmatch(typed) is not None


def license_name(deed: str | None) -> str:
    """Return a deed address's short name.

    Examples: `CC0`, `BY 4.0`, `BY-NC 3.0`, `Sampling+`.
    """
    text = deed or ""
    license = find_license(text)
    if license is None:
        return text or "none"
    return f"{license.short_name} {text.rstrip('/').rsplit('/', 1)[-1]}" if license.versioned else license.short_name

"""Freesound's licenses: deed addresses, index names, short names, SPDX."""

from __future__ import annotations

import re
from typing import NamedTuple


class License(NamedTuple):
    """A license: part of its deed address, index name, short name.

    `versioned`: a version follows the short name (`BY 4.0`). `spdx` is its SPDX identifier without the version; SPDX
    has none for Sampling+, so that one refers to a license outside of its list. `asks`: what it asks for, in words.
    `mark`: the mark of its sounds in credits, empty for none.
    """

    address: str
    index_name: str
    short_name: str
    versioned: bool
    spdx: str
    asks: str
    mark: str = ""


CC0 = License("publicdomain/zero/", "Creative Commons 0", "CC0", False, "CC0", "nothing; credit is welcome")
BY = License(
    "/licenses/by/", "Attribution", "BY", True, "CC-BY", "credit the author, link the license, say what you changed"
)
BY_NC = License(
    "/licenses/by-nc/", "Attribution NonCommercial", "BY-NC", True, "CC-BY-NC", "as BY, and no commercial use",
    "NON-COMMERCIAL",
)  # fmt: skip
SAMPLING = License(
    "/licenses/sampling+/", "Sampling+", "Sampling+", False, "LicenseRef-CC-Sampling-Plus",
    "credit the author; parts may be used commercially in new works, the whole only non-commercially; "
    "not in advertising", "SAMPLING+",
)  # fmt: skip
LICENSES = (CC0, BY, BY_NC, SAMPLING)
LICENSE_DUTIES = {one.short_name: one.asks for one in LICENSES}
"""What each license asks for, by its name without a version."""
LICENSE_MARKS = {one.short_name: one.mark for one in LICENSES if one.mark}
"""The marks of sounds in credits, by the license's name without a version."""
_VERSION = re.compile(r"/(\d\.\d)/?$")
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


def spdx_id(deed: str | None) -> str | None:
    """Return a deed address's SPDX identifier; None for an unknown license.

    Examples: `CC0-1.0`, `CC-BY-4.0`, `LicenseRef-CC-Sampling-Plus-1.0`.
    """
    license, version = find_license(deed or ""), _VERSION.search(deed or "")
    return f"{license.spdx}-{version[1]}" if license and version else None

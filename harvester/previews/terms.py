"""What a person is told once, before the first preview of a library."""

from __future__ import annotations

TERMS = (
    "previews come under the terms of Freesound's API: for non-commercial use, as copies that you delete when you no "
    "longer need them (https://freesound.org/help/tos_api/)",
    "each sound keeps its license: CREDITS.md in the folder names author and license; credit them, and do not publish "
    "the folder as a collection",
)
"""The lines, as they are told and as TERMS.txt keeps them."""

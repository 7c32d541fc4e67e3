"""Read the vectors of sounds from an answer, normalised to length 1."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from typing import Any

from harvester.model import DIMENSIONS, Vector


def vector_field(space: str) -> str:
    """Return the field that holds a sound's vector in a space."""
    return f"sim_{space}"


def read_vectors(values: dict[int, Any], space: str, oddities: Counter[str]) -> dict[int, Vector]:
    """Return the vectors by sound id; a new sound may have none."""
    found = {}
    for sound_id, value in values.items():
        vector = read_vector(value, DIMENSIONS[space])
        if vector is not None:
            found[sound_id] = vector
        elif value is not None:
            oddities["unusable vector"] += 1
    return found


def read_vector(value: object, dimension: int) -> Vector | None:
    """Return a JSON value as a vector of length 1; None if it is not one."""
    if not isinstance(value, list) or len(value) != dimension:
        return None
    if not all(type(number) in (float, int) for number in value):
        return None
    length = math.hypot(*value)
    if not 0 < length < math.inf:
        return None
    return array("f", (number / length for number in value))

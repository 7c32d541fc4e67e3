"""Write the conditions of a selection as plain data, for the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from harvester.graph import Selection
from harvester.json_text import json_text

_MOST_LISTED = 100


def conditions_of(selection: Selection) -> dict[str, Any]:
    """Return the conditions that are set, by their names in `Selection`.

    A list of more than 100 values, such as ids, is given by its length and the SHA-256 of its JSON.
    """
    usual = asdict(Selection())
    given = {name: value for name, value in asdict(selection).items() if value != usual[name] and name != "notices"}
    return {name: _plain(value) for name, value in given.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, frozenset | set):
        return _plain(sorted(value))
    if not isinstance(value, list | tuple):
        return value
    values = list(value)
    if len(values) <= _MOST_LISTED:
        return values
    return {"count": len(values), "sha256": hashlib.sha256(json_text(values).encode()).hexdigest()}

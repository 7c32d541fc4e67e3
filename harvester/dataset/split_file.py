"""Read and write the assignment of a dataset, `splits.json`.

It names groups by the number of the account or pack where the library knows it, and lists the ids of the sounds, so
that the next dataset keeps them where they are, also when an author is renamed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harvester.dataset.grouping import GROUPINGS
from harvester.dataset.splits import METHODS, WHOLE, Assignment
from harvester.errors import SettingsError
from harvester.json_text import json_text
from harvester.model import is_sound_id
from harvester.storage import read_bounded

SPLITS = "splits.json"
_FORMAT = "harvester-splits 1"
_LARGEST_BYTES = 1 << 30


def encode_splits(assignment: Assignment) -> bytes:
    """Return the bytes of the file: JSON with a line for each sound."""
    document = {
        "format": _FORMAT,
        "group_by": assignment.group_by,
        "method": assignment.method,
        "shares": dict(assignment.shares),
        "groups": {part: assignment.group_keys(part) for part in assignment.shares},
        "sounds": {part: assignment.sound_ids(part) for part in assignment.shares},
    }
    return (json_text(document, indented=True) + "\n").encode()


def load_splits(folder: Path) -> Assignment:
    """Return the assignment of the dataset in `folder`.

    Raises `SettingsError` that says what is wrong with it.
    """
    path = folder / SPLITS
    try:
        found = _read(json.loads(read_bounded(path, _LARGEST_BYTES)))
    except FileNotFoundError:
        raise SettingsError(
            f"--splits {folder}: there is no {SPLITS}; name the folder of a dataset that harvester wrote"
        ) from None
    except (OSError, ValueError, RecursionError):
        found = None
    if found is None:
        raise SettingsError(f"{path}: it is not an assignment that harvester wrote; name another folder with --splits")
    return found


def _read(document: Any) -> Assignment | None:
    """Return the assignment in a document; None if it has another form."""
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        return None
    group_by, method, shares = (document.get(name) for name in ("group_by", "method", "shares"))
    groups, sounds = document.get("groups"), document.get("sounds")
    if group_by not in GROUPINGS or method not in METHODS or not isinstance(shares, dict) or not shares:
        return None
    if not all(type(share) is int and share > 0 for share in shares.values()) or sum(shares.values()) != WHOLE:
        return None
    if (
        not isinstance(groups, dict)
        or not isinstance(sounds, dict)
        or not groups.keys() == sounds.keys() == shares.keys()
    ):
        return None
    if not all(isinstance(keys, list) and all(type(key) is str for key in keys) for keys in groups.values()):
        return None
    if not all(isinstance(ids, list) and all(map(is_sound_id, ids)) for ids in sounds.values()):
        return None
    return Assignment(
        group_by,
        method,
        shares,
        {key: part for part, keys in groups.items() for key in keys},
        {sound_id: part for part, ids in sounds.items() for sound_id in ids},
    )

"""Read the ids that a caller gives: several, or a file that lists them."""

from __future__ import annotations

import os
from typing import Any

from harvester.actions.options import check_sounds
from harvester.errors import SettingsError
from harvester.importing import IdList, read_id_list
from harvester.storage import read_path


def names_file(ids: Any) -> bool:
    """Tell whether `ids` is a file, or `-` for standard input."""
    return isinstance(ids, str | os.PathLike)


def read_given_ids(ids: Any, column: str) -> IdList | None:
    """Return the sounds of a file, of `-`, or those given; None for None.

    Raises `SettingsError` for a list that cannot be used, for one without a sound, and for a `column` without a file.
    """
    if column and not names_file(ids):
        raise SettingsError("--column is a column of the file that --ids names; give --ids that file")
    if ids is None:
        return None
    if names_file(ids):
        return read_id_list("-" if str(ids) == "-" else read_path(ids), column)
    sound_ids = tuple(sorted(check_sounds("--ids", ids)))
    if not sound_ids:
        raise SettingsError("--ids names no sound; give a file or at least one id")
    return IdList(sound_ids, len(sound_ids), "ids")

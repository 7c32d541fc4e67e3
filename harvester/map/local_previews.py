"""Previews in files, for a page that plays offline.

The page names the folder once, relative to its own file, and for each sound the ending of its file. No address that the
page reads can lead elsewhere: id and ending are put together by the page.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

ENDINGS = ("", "mp3", "ogg")
"""By their number in the page; empty: the sound has no local preview."""


@dataclass(frozen=True, slots=True)
class LocalPreviews:
    """The previews in `folder`: the endings of the files by sound id."""

    folder: Path
    endings: Mapping[int, str]

    def address(self, page: Path) -> str:
        """Return the folder's address, relative to the file of the page."""
        way = os.path.relpath(self.folder.resolve(), page.resolve().parent)
        # With the dot, no name of a folder is read as a scheme.
        return f"./{quote(Path(way).as_posix())}/"

    def columns(self, sound_ids: Sequence[int]) -> dict[str, Any]:
        """Return the column of the page for sounds in the page's order."""
        return {"local": [ENDINGS.index(self.endings.get(sound_id, "")) for sound_id in sound_ids]}

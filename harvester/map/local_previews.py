"""Previews in files, for a page that plays offline.

The page names the folder once, relative to its own file, and for each sound the ending of its file. No address that the
page reads can lead elsewhere: id and ending are put together by the page.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

ENDINGS = ("", "mp3", "ogg")
"""By their number in the page; empty: the sound has no local preview."""


@dataclass(frozen=True, slots=True)
class LocalPreviews:
    """The previews beside a page: the endings of the files by sound id.

    `address` is that of their folder, relative to the page.
    """

    address: str
    endings: Mapping[int, str]

    @classmethod
    def beside(cls, page: Path, folder: Path, endings: Mapping[int, str]) -> LocalPreviews:
        """Return the previews in `folder`, for the file `page`."""
        way = os.path.relpath(folder.resolve(), page.resolve().parent)
        # With the dot, no name of a folder is read as a scheme.
        return cls(f"./{quote(Path(way).as_posix())}/", endings)

    def column(self, sound_ids: Sequence[int]) -> list[int]:
        """Return the number of each sound's ending, in the page's order."""
        return [ENDINGS.index(self.endings.get(sound_id, "")) for sound_id in sound_ids]

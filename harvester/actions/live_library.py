"""Follow a library while a harvest writes it, for a page that shows it.

Owns when the library is read again: it looks at the files' sizes and times twice a second, and reads only when one has
changed and a page has asked within the last half minute. It then rests as long as that took: following a library takes
half a core at most. A library that vanishes or breaks is a line for the page, which keeps what was read before. Opens
nothing for writing and takes no lock.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path
from time import monotonic as monotonic_s

from harvester.actions.drawing import heading, pick, preview_endings
from harvester.actions.likeness import nearest_for_cards
from harvester.errors import HarvesterError, words_of
from harvester.graph import Selection
from harvester.json_text import json_text
from harvester.library import load_view, require_library
from harvester.map import LiveContent, LiveMap, LocalPreviews, live_policy
from harvester.previews import ROW_FILES
from harvester.storage import ANALYSIS, CHECKPOINT, JOURNAL_PARTS, PREVIEWS, VECTORS, path_text, read_inside

LOOK_S = 0.5
"""How often it looks at the files."""
FORGOTTEN_S = 30.0
"""Without a question for so long, no page is open."""

_FILES = (CHECKPOINT, *JOURNAL_PARTS[:2], ANALYSIS, VECTORS, *(f"{PREVIEWS}/{name}" for name in ROW_FILES))
_LARGEST_PREVIEW_BYTES = 1 << 26
_NICE = 10
_KEPT = "the page shows what was read before"

OnNotice = Callable[[str], None]


class LiveLibrary:
    """A library's map as it is now; it is read at once, then by `follow`.

    Raises what reading and selecting raise.
    """

    def __init__(
        self,
        folder: Path,
        chosen: Selection,
        *,
        middle: int | None,
        steps: int,
        context: bool,
        title: str | None,
        tell: OnNotice,
    ) -> None:
        self.policy = live_policy()
        self._folder, self._chosen = folder, chosen
        self._middle, self._steps, self._context = middle, steps, context
        name = path_text(folder.resolve().name)
        self._live = LiveMap(heading(name, title, middle), name)
        self._tell = tell
        self._notices: tuple[str, ...] = ()
        self._problem = ""
        self._previews: Container[str] = ()
        self._asked_at = monotonic_s()
        self._signature = self._sign()
        self._version = self._live.lay_out(self._read())

    def page(self) -> bytes:
        """Return the page as it is now."""
        self._asked_at = monotonic_s()
        return self._version.page()

    def changes(self, after: int) -> bytes:
        """Return what is new after a version, as JSON.

        `version` is the number of the newest, `problem` a line or empty, `data` null if the client has that version.
        """
        self._asked_at = monotonic_s()
        version = self._version
        data = b"null" if version.number == after else version.content()
        head = f'{{"version":{version.number},"problem":{json_text(self._problem)},"data":'
        return head.encode() + data + b"}"

    def preview(self, name: str) -> bytes | None:
        """Return the file of a preview, or None where there is none.

        Only the files that `harvester previews` has fetched, of sounds that the page shows. No link is followed.
        """
        if name not in self._previews:
            return None
        try:
            return read_inside(self._folder / PREVIEWS, name, _LARGEST_PREVIEW_BYTES)
        except OSError:
            return None

    def follow(self, ended: threading.Event) -> None:
        """Keep the map up to date until `ended`; for a thread of its own.

        An error that is no `HarvesterError` is a bug: the page says that it is no longer up to date, and it is raised.
        """
        _work_quietly()
        rest_s = LOOK_S
        while not ended.wait(rest_s):
            began = monotonic_s()
            try:
                if began - self._asked_at < FORGOTTEN_S:
                    self._look()
            except BaseException as error:
                self._meet(f"the page no longer follows the library: {words_of(error)}")
                raise
            rest_s = max(LOOK_S, monotonic_s() - began)

    def _look(self) -> None:
        signature = self._sign()
        if signature == self._signature:
            return
        self._signature = signature
        try:
            now = self._read()
            self._version = self._live.show(now)
            if self._live.is_due:
                self._version = self._live.lay_out(now)
        except HarvesterError as error:
            # Also a file that a writer was about to replace: the signature then changes again.
            self._meet(str(error))
        else:
            self._meet("")

    def _meet(self, problem: str) -> None:
        """Tell a problem once, and its end."""
        if problem != self._problem:
            self._tell(f"{problem}; {_KEPT}" if problem else f"{self._folder}: the library can be read again")
        self._problem = problem

    def _read(self) -> LiveContent:
        require_library(self._folder)
        view = load_view(self._folder, on_disk=False)
        picked = pick(view, self._chosen, self._middle, self._steps, context=self._context)
        nearest, told = nearest_for_cards(self._folder, picked.selected)
        notices = (*picked.notices, *told)
        for line in notices:
            if line not in self._notices:
                self._tell(line)
        self._notices = notices
        _, endings = preview_endings(self._folder)
        self._previews = frozenset(f"{one}.{ending}" for one, ending in endings.items() if one in picked.selected)
        local = LocalPreviews(f"./{PREVIEWS}/", endings) if endings else None
        return LiveContent(picked.selected, self._middle, picked.around, local, nearest)

    def _sign(self) -> tuple[tuple[int, ...] | None, ...]:
        return tuple(_signature(self._folder / name) for name in _FILES)


def _signature(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        # What is wrong with it is said by the reading that follows.
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _work_quietly() -> None:
    """Give way to other processes; only Linux can do so for one thread."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)

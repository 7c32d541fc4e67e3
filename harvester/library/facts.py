"""Tell what a library holds as a whole, if possible without a load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harvester.checkpoint import Verified, latest_stamp
from harvester.clock import DAY_US
from harvester.graph import SoundGraph
from harvester.journal import Head, JournalContents
from harvester.library.load import load_state
from harvester.library_source import join_sources
from harvester.storage import CHECKPOINT


@dataclass(frozen=True, slots=True)
class HeldFacts:
    """What a check must know of the library as a whole."""

    source: str
    space: str
    has_lists: bool
    has_sounds: bool
    latest_us: int
    is_foreign: bool


def loaded_facts(folder: Path, contents: JournalContents | None) -> HeldFacts:
    """Return the facts of the loaded library.

    Raises as `load_state` does.
    """
    loaded = load_state(folder, contents)
    state = loaded.state
    return HeldFacts(
        state.source, state.space, state.list_count > 0, len(state) > 0, latest_stamp(state), loaded.foreign
    )  # fmt: skip


def known_facts(
    folder: Path, contents: JournalContents | None, now_us: int, checked: Mapping[Path, Verified | None]
) -> HeldFacts | None:
    """Return the facts without loading the library, if its files agree.

    None if the checkpoint or the journal is not whole, or another file may take part: then `load_state` decides.
    """
    verified = checked.get(folder / CHECKPOINT)
    head = contents.head if contents is not None else Head()
    if verified is None or head.needs_backup or (contents is not None and contents.damage):
        return None
    # Without a journal a backup may hold more.
    if not head.knows_checkpoint and {one and one.digest for one in checked.values()} != {verified.digest}:
        return None
    source = join_sources(verified.source, head.source)
    added = SoundGraph(source or "", verified.space)
    for event in contents.events if contents is not None else ():
        added.apply(event)
    latest_us = max(verified.latest_us, latest_stamp(added))
    # The merge with the checkpoint may drop a stamp, and settles the space of a library without lists.
    if source is None or latest_us > now_us + DAY_US or (added.list_count and not verified.lists):
        return None
    is_foreign = contents is not None and verified.digest not in (head.digest, head.next_digest)
    has_sounds = verified.nodes > 0 or len(added) > 0
    return HeldFacts(source, verified.space, verified.lists > 0, has_sounds, latest_us, is_foreign)

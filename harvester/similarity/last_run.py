"""What the last link left behind: which vectors its lists were made from, so that the next one need not begin again.

A note beside the journal, local to this machine like the vectors themselves. Keeps: whatever else touched a computed
list since (a merge, a pull, a restore) makes it void, and everything is linked again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b

import msgspec

from harvester.graph import SoundGraph
from harvester.model import COMPUTED, Note, Notes

TOPIC = "link"
_KEY = 0


@dataclass(frozen=True, slots=True)
class Trail:
    """The last link: how long its lists are and from which score on, over the first `rows` rows of the vector file
    that was made at `made_at`, `left_out` apart (sounds that were gone, or not known).

    `lists` is the digest of all computed lists as it left them; `done_to` the last sound it came to, None when all.
    `rotten` of the rows were damaged then.
    """

    neighbours: int
    min_score: float
    made_at: int
    rows: int
    left_out: tuple[int, ...]
    lists: str
    done_to: int | None = None
    rotten: int = 0

    def note(self) -> Note:
        """Return the trail as a note."""
        return Note(TOPIC, _KEY, json.dumps(asdict(self), separators=(",", ":")))


def read_trail(notes: Notes) -> Trail | None:
    """Return what the last link left behind; None when there was none, or its note cannot be read."""
    try:
        return msgspec.json.decode(notes.get(TOPIC, {}).get(_KEY, ""), type=Trail)
    except (ValueError, RecursionError):
        return None


def computed_lists(state: SoundGraph) -> Iterator[tuple[int, int, int]]:
    """Give every list that was computed here: the sound, when, and its length."""
    for sound_id, attributes in state.graph.nodes.items():
        if attributes.get("link_origin") == COMPUTED:
            yield sound_id, attributes["linked_at"], attributes["link_limit"]


def digest_of_lists(state: SoundGraph) -> str:
    """Return a digest of which sounds have computed lists, of when and how long."""
    digest = blake2b(digest_size=16)
    for row in sorted(computed_lists(state)):
        digest.update(b"%d %d %d\n" % row)
    return digest.hexdigest()

"""Note which vectors the last link used: the next compares newer ones.

The note is in the journal, local to this machine like the vectors. Any other change of a computed list (a merge, a
pull, a restore) makes it invalid, and the next link compares all sounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import msgspec

from harvester.graph import SoundGraph
from harvester.model import COMPUTED, Note, Notes

TOPIC = "link"
_KEY = 0


class LastRun(msgspec.Struct, frozen=True, rename={"corrupt": "rotten"}):
    """The last link: its options and its rows of the vector file.

    It used the first `rows` rows of the file made at `made_at`, of which `corrupt` were corrupt, without the sounds
    `left_out` (deleted or unknown). `lists`: digest of all computed lists after it. `done_to`: the last sound that was
    linked; None: all. In the journal `corrupt` is called `rotten`.
    """

    neighbours: int
    min_score: float
    made_at: int
    rows: int
    left_out: tuple[int, ...]
    lists: str
    done_to: int | None
    corrupt: int

    def note(self) -> Note:
        """Return the note that `read_last_run` reads."""
        return Note(TOPIC, _KEY, msgspec.json.encode(self).decode())


def read_last_run(notes: Notes) -> LastRun | None:
    """Return the last link; None if there was none, or its note is invalid."""
    try:
        return msgspec.json.decode(notes.get(TOPIC, {}).get(_KEY, ""), type=LastRun)
    except (ValueError, RecursionError):
        return None


def computed_lists(state: SoundGraph) -> Iterator[tuple[int, int, int]]:
    """Yield sound id, time and length of each computed list."""
    for sound_id, attributes in state.graph.nodes.items():
        if attributes.get("link_origin") == COMPUTED:
            yield sound_id, attributes["linked_at"], attributes["link_limit"]


def digest_of_lists(state: SoundGraph) -> str:
    """Return a digest of sound id, time and length of all computed lists."""
    digest = blake2b(digest_size=16)
    for row in sorted(computed_lists(state)):
        digest.update(b"%d %d %d\n" % row)
    return digest.hexdigest()

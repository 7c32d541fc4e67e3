"""Load a checkpoint block by block, straight into the packed form.

Owns what a walk over a file becomes in memory. The file's whole content is never beside the state that is made of it.
"""

from __future__ import annotations

from typing import Any

from harvester.checkpoint.container import Packed
from harvester.checkpoint.format import Decoded, garbage_collection_off
from harvester.checkpoint.segments import Segments
from harvester.checkpoint.validate import version_for
from harvester.checkpoint.walk import walk_checkpoint
from harvester.graph import LINK_FIELDS, SoundGraph


def load_by_blocks(packed: Packed) -> Decoded | None:
    """Return the state in a checkpoint, if the file is proven valid.

    None if it is not, as in `walk_checkpoint`. Memory is that of the state and of a block.
    """
    keeper, table = _PackingKeeper(), Segments()
    with garbage_collection_off():
        verified = walk_checkpoint(packed, keeper=keeper, table=table)
    if verified is None:
        return None
    metadata = {**keeper.metadata, "digest": verified.digest}
    return Decoded(keeper.state, metadata, verified.digest, table if table.layout is not None else None)


class _PackingKeeper:
    """Packs what a walk over a checkpoint finds into a new state."""

    def __init__(self) -> None:
        self.state = SoundGraph()
        self.metadata: dict[str, Any] = {}
        self._order: list[int] = []

    def keep_record(self, sound_id: int, attributes: dict[str, Any]) -> None:
        self._order.append(sound_id)
        self.state.take_record(sound_id, attributes)

    def keep_list(self, place: int, link: dict[str, Any], neighbours: dict[int, dict[str, Any]]) -> None:
        own = {name: link[name] for name in LINK_FIELDS} if link else {}
        self.state.take_list(self._order[place], own, neighbours)

    def keep_facts(self, metadata: dict[str, Any], places: dict[int, int], processed: list[int]) -> None:
        assert len(places) == len(self._order)
        state, self.metadata = self.state, metadata
        state.source, state.space = metadata["source"], metadata["similarity_space"]
        state.has_weights = metadata["format_version"] == version_for(has_weights=True)
        state.seeds.update(metadata["seeds"])
        state.processed.update(processed)

"""Parts of Parquet: the rows of the whole export, cut at the right places; from a worker nothing else is taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harvester.errors import ClusterFailed
from harvester.exports.arrow import EDGE_SCHEMA, SoundRows, edge_rows
from harvester.exports.parquet import encode_parquet
from harvester.exports.parts import encode_parts
from harvester.graph import Selected, Selection, SoundGraph, select
from harvester.graph.edges import EdgeRule
from harvester.graph.measures import Measures
from harvester.jobs import Threads
from harvester.model import Gone, Related, Seeded, Withdrawn
from tests.support.elsewhere import Elsewhere
from tests.support.view_samples import NOW_US, load_edge_cases, make_library

SELECTIONS = {
    "all": Selection(),
    "some": Selection(ids=frozenset({1, 2, 3, 5, 7, 8})),
    "best": Selection(min_score=0.8),
    "relations": Selection(edges=EdgeRule(similar=False)),
    "none": Selection(ids=frozenset()),
}


def make_full_library() -> SoundGraph:
    """Return a library with relations, sounds that are gone, seeds and measures."""
    state = make_library()
    for event in (
        Related(1, 2, "user", NOW_US), Related(1, 7, "tags", NOW_US, 0.5), Related(9, 8, "user", NOW_US),
        Seeded((1, 3)), Gone(6, NOW_US + 9), Withdrawn(10, NOW_US + 9),
    ):  # fmt: skip
        state.apply(event)
    state.measures = {one: Measures(1, 1, 2, 0.1, None, 0.5, one, 2) for one in (1, 2, 8)}
    return state


def expected_parts(selected: Selected, part_rows: int) -> dict[str, bytes]:
    sounds = SoundRows(selected, whole=True)
    tables = {"sounds": (sounds.schema, list(sounds.rows())), "edges": (EDGE_SCHEMA, list(edge_rows(selected)))}
    return {
        f"{table}/part-{number:05}.parquet": b"".join(encode_parquet(schema, rows[start : start + part_rows]))
        for table, (schema, rows) in tables.items()
        for number, start in enumerate(range(0, max(len(rows), 1), part_rows))
    }


@pytest.mark.parametrize("part_rows", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("name", SELECTIONS)
@pytest.mark.parametrize("team", [Threads(), Elsewhere()], ids=["here", "elsewhere"])
def test_the_parts_are_the_whole_cut_in_pieces(name: str, part_rows: int, team: Threads) -> None:
    selected = select(make_full_library(), SELECTIONS[name])
    found = {path: b"".join(pieces) for path, pieces in encode_parts(selected, part_rows, team)}
    assert found == expected_parts(selected, part_rows)


def test_real_records_are_the_same_elsewhere(real_records: Path) -> None:
    selected = select(load_edge_cases(real_records))
    found = {path: b"".join(pieces) for path, pieces in encode_parts(selected, 4, Elsewhere())}
    assert found == expected_parts(selected, 4)


@pytest.mark.parametrize(
    "falsify",
    [
        lambda name, pieces: (name, [b"".join(pieces)[:-9]]),
        lambda name, pieces: (name, []),
        lambda name, pieces: (name, "text"),
        lambda name, pieces: ("../../elsewhere", pieces),
        lambda name, pieces: (name, list(encode_parquet(EDGE_SCHEMA, []))),
        lambda name, pieces: (name, list(encode_parquet(pa.schema([("id", pa.int64())]), [{"id": 1}, {"id": 2}]))),
    ],
)
def test_what_is_no_such_part_is_refused(falsify: Callable[[str, list[bytes]], Any]) -> None:
    with pytest.raises(ClusterFailed, match=r"something else than sounds/part-00000\.parquet; nothing was changed"):
        list(encode_parts(select(make_full_library()), 2, Elsewhere(falsify)))

"""`analysis.json`: what comes back, what is refused, and when it no longer fits the library."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harvester.errors import DiskFull, LibraryUnwritable
from harvester.graph import Measures, SoundGraph, graph_digest
from harvester.library import Analysis, load_analysis, save_analysis
from harvester.model import Gone, Linked, Related, Seen, SimilarList, Withdrawn
from harvester.storage import ANALYSIS
from tests.support.faulty_files import FaultyFiles, Killed
from tests.support.view_samples import NOW_US, make_library, make_record


def analysis_of(state: SoundGraph, seed: int = 0, **changes: Any) -> Analysis:
    sound_ids = sorted(sound_id for sound_id in state.graph if not state.sound(sound_id).is_gone)
    measures = {
        sound_id: Measures(1 + sound_id % 2, 1, 2, sound_id / 100, None if sound_id % 3 else 0.25, 0.5, 3, sound_id)
        for sound_id in sound_ids
    }
    made = Analysis(
        source=state.source, graph_digest=graph_digest(state.graph, state.source), random_seed=seed,
        betweenness_sources=4, selection={}, versions={"harvester": "1"}, figures={"sounds": 9}, measures=measures,
    )  # fmt: skip
    return replace(made, **changes)


def notice_of(folder: Path, state: SoundGraph) -> str:
    return "\n".join(load_analysis(folder, state).notices)


def test_measures_come_back_as_they_were_saved(tmp_path: Path) -> None:
    state = make_library()
    assert load_analysis(tmp_path, state).measures == {}
    for selection in ({}, {"tag": ["rain"]}):
        path = save_analysis(tmp_path, analysis_of(state, selection=selection))
        loaded = load_analysis(tmp_path, state)
        assert (loaded.measures, loaded.usable, loaded.notices) == (analysis_of(state).measures, True, ())
    before = path.read_bytes()
    save_analysis(tmp_path, analysis_of(state, selection=selection))
    assert path.read_bytes() == before
    assert before.endswith(b"}\n")
    assert make_record(1)["name"].encode() not in before


def test_it_is_stale_once_the_graph_has_changed_and_only_then(tmp_path: Path) -> None:
    state = make_library()
    save_analysis(tmp_path, analysis_of(state))
    state.apply(Seen(1, make_record(1, num_downloads=77, name="renamed"), NOW_US + 5))
    assert notice_of(tmp_path, state) == ""
    digests = {graph_digest(state.graph, state.source)}
    for event in (
        Linked(2, SimilarList(((3, 0.8),), NOW_US + 9, 25)),
        Linked(2, SimilarList(((3, 0.81),), NOW_US + 10, 25)),
        Related(2, 3, "same-user", NOW_US, None),
        Related(2, 3, "same-user", NOW_US, 2.5),
        Gone(5, NOW_US + 9),
        Withdrawn(6, NOW_US + 9),
    ):
        state.apply(event)
        digests.add(graph_digest(state.graph, state.source))
        assert "the library has changed since it was analysed; `harvester analyse`" in notice_of(tmp_path, state)
    assert len(digests) == 7
    state.apply(Seen(500, make_record(500), NOW_US))
    assert ", 1 sound has no measures; `harvester analyse`" in notice_of(tmp_path, state)
    assert load_analysis(tmp_path, state).measures.keys() >= {1, 2, 3}


def test_the_analysis_of_another_library_is_not_used(tmp_path: Path) -> None:
    state = make_library()
    save_analysis(tmp_path, analysis_of(state, source="sandbox:abc"))
    assert load_analysis(tmp_path, state).measures == {}
    assert "it is of another library; it is not used" in notice_of(tmp_path, state)


def _columns(**changes: Any) -> dict[str, Any]:
    return {"sounds": changes}


REFUSED: dict[str, tuple[Any, str]] = {
    "no object": ([1], "it is not an analysis"),
    "another object": ({"format": "1"}, "it is not an analysis"),
    "a flag as its format": ({"format": True}, "it is not an analysis"),
    "a newer one": ({"format": 2}, "please update harvester"),
    "no source": ({"source": None}, "its source"),
    "no columns": ({"sounds": []}, "its sounds"),
    "ids twice": (_columns(id=[1, 1, 2]), "ascending ids"),
    "an id of no sound": (_columns(id=[0, 1, 2]), "ascending ids"),
    "ids as texts": (_columns(id=["1", "2", "3"]), "ascending ids"),
    "too few values": (_columns(core=[1, 2]), "its core"),
    "a text": (_columns(community=["1", 1, 1]), "its community"),
    "a fraction": (_columns(component=[1.5, 1, 1]), "its component"),
    "a negative count": (_columns(in_degree=[-1, 0, 0]), "its in_degree"),
    "a flag": (_columns(out_degree=[True, 0, 0]), "its out_degree"),
    "a share above 1": (_columns(pagerank=[1.5, 0, 0]), "its pagerank"),
    "an infinite share": (_columns(clustering=[1e400, 0, 0]), "JSON|its clustering"),
    "null where none may be": (_columns(clustering=[None, 0, 0]), "its clustering"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_analysis_is_named_and_not_used(case: str, tmp_path: Path) -> None:
    state = make_library()
    changes, why = REFUSED[case]
    path = save_analysis(
        tmp_path, analysis_of(state, measures={i: Measures(1, 1, 1, 0.1, 0.1, 0.1, 1, 1) for i in (1, 2, 3)})
    )
    found = json.loads(path.read_text())
    if isinstance(changes, dict) and isinstance(changes.get("sounds"), dict):
        changes = {"sounds": found["sounds"] | changes["sounds"]}
    path.write_text(json.dumps(found | changes if isinstance(changes, dict) else changes))
    loaded = load_analysis(tmp_path, state)
    assert (loaded.measures, loaded.usable) == ({}, False)
    [notice] = loaded.notices
    assert any(one in notice for one in why.split("|")), notice
    assert notice.endswith("it is not used, and `harvester analyse` makes a new one")


@pytest.mark.parametrize("content", [b"", b"<<<<<<< HEAD\n", b"\xff", b"[" * 100_000, b'{"format": NaN}'])
def test_a_file_that_is_not_json_is_named_and_not_used(content: bytes, tmp_path: Path) -> None:
    (tmp_path / ANALYSIS).write_bytes(content)
    assert notice_of(tmp_path, make_library()).startswith(f"{tmp_path / ANALYSIS}: it is not JSON; it is not used")


def test_what_is_no_file_is_named_and_no_link_is_written_through(tmp_path: Path) -> None:
    state = make_library()
    (tmp_path / ANALYSIS).mkdir()
    assert "it is not used" in notice_of(tmp_path, state)
    (tmp_path / ANALYSIS).rmdir()
    (tmp_path / "target").write_text("kept")
    (tmp_path / ANALYSIS).symlink_to(tmp_path / "target")
    with pytest.raises(LibraryUnwritable, match="the earlier analysis is unchanged"):
        save_analysis(tmp_path, analysis_of(state))
    assert (tmp_path / "target").read_text() == "kept"


@pytest.mark.parametrize("error", [None, 28])
def test_a_crash_or_a_full_disk_leaves_the_old_or_the_new_analysis(error: int | None, tmp_path: Path) -> None:
    state, left = make_library(), set()
    for step in range(1, 40):
        save_analysis(tmp_path, analysis_of(state, 1))
        old = (tmp_path / ANALYSIS).read_bytes()
        files = FaultyFiles(step, error)
        try:
            save_analysis(tmp_path, analysis_of(state, 2), files)
        except (Killed, DiskFull):
            pass
        else:
            break
        assert load_analysis(tmp_path, state).measures == analysis_of(state).measures
        left.add((tmp_path / ANALYSIS).read_bytes() == old)
    assert left == {True, False}  # before the rename, and after it

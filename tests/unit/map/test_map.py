"""The map's layout, its data, and a page that nothing in a record can break."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import html

from harvester.graph import SoundGraph
from harvester.graph.selection import Selected, Selection, around, select
from harvester.graph.surroundings import find_surroundings
from harvester.map.communities import find_communities
from harvester.map.data import MapData
from harvester.map.edges import DrawnEdges
from harvester.map.layout import lay_out
from harvester.map.page import encode_map
from harvester.sandbox.generated import GeneratedCatalogue
from tests.support.view_samples import HOSTILE, load_edge_cases, make_library, make_record, make_state


def islands(size: int = 60, number: int = 4) -> tuple[int, Any, Any]:
    """Return (sounds, sources, targets) of a few dense groups with one edge between neighbouring groups."""
    chance = np.random.Generator(np.random.PCG64(1))
    source, target = [], []
    for group in range(number):
        for one in range(size):
            for other in chance.choice(size, 6, replace=False):
                source.append(group * size + one)
                target.append(group * size + int(other))
        source.append(group * size)
        target.append((group + 1) % number * size)
    return size * number, np.array(source), np.array(target)


def page_of(selected: Selected, **more: Any) -> str:
    return b"".join(encode_map(selected, "a library", **more)).decode()


def test_the_same_graph_gives_the_same_places_whatever_machine_draws_it() -> None:
    places = lay_out(*islands()).places
    # Equal on every processor by design; a change of the layout changes this on purpose.
    assert hashlib.sha256(places.tobytes()).hexdigest()[:16] == "0ccc10f2736ac80d"


def test_the_same_graph_has_the_same_communities_whatever_machine_finds_them() -> None:
    chance = np.random.Generator(np.random.PCG64(2))
    source, target = (chance.integers(0, 400, 2_400) for _ in range(2))
    # No clear groups: every draw and every tie counts.
    communities = find_communities(400, source, target)
    assert hashlib.sha256(communities.astype("<i8").tobytes()).hexdigest()[:16] == "a8d7b033c0f31a4e"


def test_groups_become_islands_and_communities() -> None:
    count, source, target = islands()
    places = lay_out(count, source, target).places.astype(float).reshape(4, -1, 2)
    middles = places.mean(axis=1)
    radius = max(
        float(np.linalg.norm(group - middle, axis=1).mean()) for group, middle in zip(places, middles, strict=True)
    )
    apart = min(float(np.linalg.norm(middles[one] - middles[two])) for one in range(4) for two in range(one))
    assert apart > 2 * radius
    communities = find_communities(count, source, target)
    assert [len(set(communities[start : start + 60])) for start in range(0, count, 60)] == [1, 1, 1, 1]
    assert sorted(set(communities)) == [0, 1, 2, 3]


def test_sounds_lie_apart() -> None:
    count, source, target = islands()
    places = lay_out(count, source, target).places.astype(float)
    distances = np.linalg.norm(places[:, None] - places[None, :], axis=2) + np.eye(count) * 1e9
    assert float(np.quantile(distances.min(axis=1), 0.02)) > 65_535 / np.sqrt(count) * 0.3


@pytest.mark.parametrize(("count", "edges"), [(0, []), (1, []), (1, [(0, 0)]), (2, []), (2, [(0, 1)]), (7, [(0, 1)])])
def test_small_and_empty_graphs_have_places(count: int, edges: list[tuple[int, int]]) -> None:
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    places = lay_out(count, ends[:, 0], ends[:, 1]).places
    assert places.shape == (count, 2)
    assert len({tuple(place) for place in places.tolist()}) == count


def test_addresses_come_back_from_their_patterns_as_they_were(real_records: Path) -> None:
    selected = select(load_edge_cases(real_records))
    words = MapData(selected, "").sounds
    assert len(words["patterns"]) < 12
    for at, sound_id in enumerate(selected.sound_ids):
        record = selected.state.attributes(sound_id)
        parts = {"id": sound_id, "dir": sound_id // 1000, "uid": words["uid"][at]}
        for kind, address in (
            ("page", record["url"]),
            ("image", record["images"]["waveform_m"]),
            ("preview", record["previews"]["preview-lq-mp3"]),
        ):
            pattern = words["patterns"][words[kind][at]].replace("{user}", record["username"].replace(" ", "%20"))
            assert pattern.format(**parts) == address


@pytest.mark.parametrize(
    "address",
    ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://sandbox.invalid/1.mp3", "", None],
)
def test_an_address_that_leads_nowhere_is_left_out(address: str | None) -> None:
    record = make_record(1, url=address, previews={"preview-hq-mp3": address}, images={"waveform_m": address})
    words = MapData(select(make_state([record])), "").sounds
    assert [words[kind] for kind in ("page", "image", "preview")] == [[-1], [-1], [-1]]
    assert words["patterns"] == []


def test_a_hostile_name_cannot_leave_its_element() -> None:
    page = page_of(select(make_library()))
    tree = html.fromstring(page)
    assert len(tree.xpath("//script")) == 4
    assert page.count("<script") == page.count("</script") == 4
    sounds = json.loads(tree.xpath("string(//script[@id='sounds'])"))
    assert HOSTILE in sounds["names"]


def test_only_our_script_and_style_may_run_and_nothing_is_referred_to() -> None:
    tree = html.fromstring(page_of(select(make_library())))
    policy = tree.xpath("string(//meta[@http-equiv='Content-Security-Policy']/@content)")
    [script] = tree.xpath("//script[not(@type)]/text()")
    [style] = tree.xpath("//style/text()")
    for kind, text in (("script", script), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert set(tree.xpath("//@src | //@href")) == {"data:,"}


def test_equal_libraries_give_equal_pages() -> None:
    assert page_of(select(make_library())) == page_of(select(make_library()))


def test_the_neighbourhood_of_one_sound_marks_it() -> None:
    selected = around(select(make_library()), 8, 2)
    assert MapData(selected, "", ego=8).head["ego"] == selected.sound_ids.index(8)


def test_sounds_around_a_selection_move_none_of_it_and_lie_near_what_they_belong_to() -> None:
    count, source, target = islands()
    lists: dict[int, list[tuple[int, float]]] = {}
    for one, other in zip(source.tolist(), target.tolist(), strict=True):
        lists.setdefault(one + 1, []).append((other + 1, 0.9))
    state = make_state([make_record(place + 1) for place in range(count)], lists)
    selected = select(state, Selection(ids=frozenset(range(1, 121))))
    around = find_surroundings(selected)
    # Two islands are selected: each of the others has one bridge.
    assert around.near == {121: (61,), 181: (1,)}
    alone, both = MapData(selected, ""), MapData(selected, "", around=around)
    assert both.arrays["places"] == alone.arrays["places"]
    assert "context" not in alone.head
    assert both.head["context"] == 2
    assert both.sounds["context"] == [[f"sound {one}", f"user{one % 3}"] for one in around.near]
    places, dots = (
        np.frombuffer(base64.b64decode(both.arrays[name]), "<u2").reshape(-1, 2).astype(float)
        for name in ("places", "contextPlaces")
    )
    for dot, near in zip(dots, around.near.values(), strict=True):
        assert np.linalg.norm(dot - places[near[0] - 1]) < 65_535 / np.sqrt(120)


def test_many_sounds_around_one_lie_apart() -> None:
    state = make_state([make_record(one) for one in range(1, 80)], {1: [(other, 0.5) for other in range(2, 80)]})
    selected = select(state, Selection(ids=frozenset({1})))
    data = MapData(selected, "", around=find_surroundings(selected))
    dots = np.frombuffer(base64.b64decode(data.arrays["contextPlaces"]), "<u2").reshape(-1, 2).astype(float)
    apart = np.linalg.norm(dots[:, None] - dots[None, :], axis=2) + np.eye(78) * 1e9
    assert apart.min() > 65_535 * 0.6 / np.sqrt(79) * 0.25


def test_maps_of_a_library_share_a_shortlist_and_the_key_tells_neither_source_nor_name() -> None:
    def key(state: SoundGraph, name: str, selection: Selection | None = None) -> Any:
        return MapData(select(state, selection), "any title", library=name).head["library"]

    shelf = key(make_library(), "shelf")
    assert shelf == key(make_library(), "shelf", Selection(ids=frozenset({1})))
    assert shelf not in (key(make_library(), "other"), key(SoundGraph("sandbox:abc"), "shelf"))
    assert re.fullmatch("[0-9a-f]{16}", shelf)


def test_five_thousand_sounds_with_forty_thousand_edges_fit_into_a_page_of_its_size() -> None:
    catalogue = GeneratedCatalogue(5_000)
    ids = list(catalogue.ordered("downloads_desc"))[:150]
    lists = {one: [(other, 0.9) for other in ids[place - 8 : place]] for place, one in enumerate(ids) if place >= 8}
    records = [record for one in ids if (record := catalogue.record(one)) is not None]
    size, base = (len(page_of(select(state))) for state in (make_state(records, lists), SoundGraph()))
    assert base + (size - base) / len(ids) * 5_000 < 1_500_000


def test_a_map_of_nothing_is_a_page() -> None:
    assert re.search("0 sounds", page_of(select(SoundGraph())))


def test_islands_bear_names_that_tell_and_that_no_other_has() -> None:
    count, source, target = islands()
    neighbours: dict[int, list[tuple[int, float]]] = {}
    for one, other in zip(source.tolist(), target.tolist(), strict=True):
        neighbours.setdefault(one + 1, []).append((other + 1, 0.9))
    # Every sound is "noise"; a few of each group have its own words, and two groups have the same ones.
    words = [["rain", "tent"], ["snare", "hi-hat"], ["hi-hat", "snare"], ["flute"]]
    tags = [["noise", *(words[place // 60] if place % 60 < 6 else [f"only{place}"])] for place in range(count)]
    state = make_state([make_record(place + 1, tags=tags[place]) for place in range(count)], neighbours)
    named = {island["sound"] // 60: island["name"] for island in MapData(select(state), "").head["islands"]}
    assert named[0] == "rain, tent"
    assert named[3] == "flute"
    assert {frozenset(name.split(", ")) for name in named.values()} >= {frozenset(("hi-hat", "snare"))}
    assert len({frozenset(name.split(", ")) for name in named.values()}) == 4
    assert not any("noise" in name or "only" in name for name in named.values())


def test_of_many_edges_the_strongest_of_each_sound_are_drawn_and_all_are_on_the_page() -> None:
    few, lists = 200, {}
    for one in range(1, few + 1):
        # Each of the lists has one sound of its own, which has none, and 29 that many name.
        lists[one] = [
            (few + one, 0.1),
            *((other % few + 1, 1 - step / 100) for step, other in enumerate(range(one, one + 29))),
        ]
    state = make_state([make_record(one) for one in range(1, 2 * few + 1)], lists)
    edges = DrawnEdges(select(state))
    assert len(edges.source) == 6_000
    strong = edges.strong()
    # Its three strongest, and the one to the sound that has no other edge.
    assert np.bincount(edges.source[strong], minlength=few)[:few].tolist() == [4] * few
    assert edges.score[strong & (edges.target < few)].min() >= 0.98
    data = MapData(select(state), "")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(data.arrays["strong"]), "u1"), bitorder="little")
    assert bits[:6_000].astype(bool).tolist() == strong.tolist()
    assert len(base64.b64decode(data.arrays["targets"])) == 2 * 6_000
    assert "strong" not in MapData(select(make_library()), "").arrays

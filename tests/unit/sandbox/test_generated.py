"""Generated catalogues: repeatable, connected, exact, small."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from operator import mul
from typing import Any

import pytest

from harvester.errors import SettingsError
from harvester.sandbox.catalogue import DIMENSIONS
from harvester.sandbox.fields import BASE_FIELDS, DESCRIPTORS
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.sound_recipe import recipe_of
from tests.support.processes import said_by_hash_seeds


def _reached(catalogue: GeneratedCatalogue, space: str, length: int) -> set[int]:
    start = catalogue.ordered("downloads_desc")[0]
    seen, waiting = {start}, [start]
    while waiting:
        for sound_id, _ in catalogue.neighbours(waiting.pop(), space)[:length]:
            if sound_id not in seen:
                seen.add(sound_id)
                waiting.append(sound_id)
    return seen


def _with_vector(catalogue: GeneratedCatalogue) -> set[int]:
    return {one for one in catalogue.ordered("created_asc") if catalogue.neighbours(one, "laion_clap")}


@pytest.mark.parametrize("sounds", [2, 9, 60, 500, 5_000])
def test_every_sound_with_a_vector_is_reached_by_lists_of_25(sounds: int) -> None:
    # 5,000 sounds are 5,000 lists: a second well spent on the property that harvests rest on.
    catalogue = GeneratedCatalogue(sounds, 7)
    reached = _reached(catalogue, "laion_clap", 25)
    assert len(reached) == sounds - sounds // 100
    assert reached == _with_vector(catalogue)


@pytest.mark.parametrize("random_seed", [0, 1, 99])
def test_other_seeds_and_the_other_space_are_connected_too(random_seed: int) -> None:
    catalogue = GeneratedCatalogue(700, random_seed)
    for space in DIMENSIONS:
        assert len(_reached(catalogue, space, 25)) == 693


def test_a_single_sound_is_a_catalogue() -> None:
    catalogue = GeneratedCatalogue(1)
    (sound_id,) = catalogue.ordered("downloads_desc")
    assert catalogue.record(sound_id)
    assert catalogue.neighbours(sound_id, "laion_clap") == []
    assert catalogue.vector(sound_id, "laion_clap")


@pytest.mark.parametrize("sounds", [0, -1, 1_000_001])
def test_a_size_out_of_range_is_refused(sounds: int) -> None:
    with pytest.raises(SettingsError, match="1 to 1,000,000"):
        GeneratedCatalogue(sounds)


@pytest.mark.parametrize("space", DIMENSIONS)
def test_lists_are_what_brute_force_over_the_vectors_gives(space: str) -> None:
    catalogue = GeneratedCatalogue(2_000, 3)
    vectors = {one: catalogue.vector(one, space) for one in catalogue.ordered("created_asc")}
    known = {one: vector for one, vector in vectors.items() if vector is not None}
    assert len(known) == 1_980
    assert all(abs(sum(map(mul, vector, vector)) - 1) < 1e-4 for vector in known.values())
    for target in list(known)[::330]:
        brute = {one: (1 + sum(map(mul, known[target], vector))) / 2 for one, vector in known.items() if one != target}
        listed = catalogue.neighbours(target, space)
        assert {one for one, _ in listed} == {one for one, score in brute.items() if score >= 0.7}
        assert all(abs(score - brute[one]) < 1e-4 for one, score in listed)
        assert listed == sorted(listed, key=lambda hit: (-hit[1], hit[0]))
        assert all(one != target for one, _ in listed)
        # The same through a vector, as `similar_to=[…]` asks: the sound itself comes first.
        nearest = catalogue.nearest([3 * value for value in known[target]], space)
        assert nearest[0][0] == target
        assert {one for one, _ in nearest} == {target} | {one for one, _ in listed}


def test_sounds_form_eight_islands_with_bridges_and_a_timbre_each(five_thousand: GeneratedCatalogue) -> None:
    def timbre(sound_id: int) -> int:
        return recipe_of(five_thousand.record(sound_id) or {}).timbre

    some = five_thousand.ordered("created_asc")[:4_900:70]
    assert {timbre(one) for one in some} == set(range(8))
    lists = {sound_id: five_thousand.neighbours(sound_id, "laion_clap")[:25] for sound_id in some}
    near = [timbre(one) == timbre(sound_id) for sound_id, listed in lists.items() for one, _ in listed]
    # With three equal weights it was 0.1, and no community could be found.
    assert 0.93 < sum(near) / len(near) < 0.99


def test_sounds_without_a_vector_are_the_youngest_and_in_no_list(five_thousand: GeneratedCatalogue) -> None:
    newest = five_thousand.ordered("created_desc")
    assert five_thousand.vector(newest[0], "laion_clap") is None
    assert five_thousand.vector(newest[49], "freesound_classic") is None
    assert five_thousand.vector(newest[50], "laion_clap")
    assert five_thousand.neighbours(newest[0], "laion_clap") == []
    created = [str((five_thousand.record(one) or {})["created"]) for one in (newest[0], newest[49], newest[50])]
    assert created[0] > created[1] > "2026-08-22T12" > created[2]


def test_all_sounds_have_vectors_when_none_is_to_lack_one() -> None:
    catalogue = GeneratedCatalogue(300, without_vector=0)
    assert len(_reached(catalogue, "laion_clap", 25)) == 300
    assert catalogue.digest != GeneratedCatalogue(300).digest


_DESCRIBE = """
import hashlib, json
from harvester.sandbox.generated import GeneratedCatalogue
from tests.support.processes import said_by_hash_seeds
c = GeneratedCatalogue(400, 11)
ids = list(c.ordered("score"))
seen = [[c.record(i), c.descriptors(i), c.vector(i, "laion_clap")] for i in ids[::13]]
seen += [c.neighbours(i, "freesound_classic") for i in ids[::13]]
orders = [list(c.ordered(s)) for s in ("downloads_desc", "rating_asc", "duration_desc")]
print(c.digest, hashlib.sha256(json.dumps([seen, orders]).encode()).hexdigest())
"""


def test_a_catalogue_is_the_same_in_every_process() -> None:
    # Two interpreters have to start, with different hash seeds.
    assert len(said_by_hash_seeds(_DESCRIBE)) == 1


def test_digests_tell_catalogues_apart() -> None:
    digests = {GeneratedCatalogue(n, seed).digest for n in (10, 11) for seed in (1, 2)}
    assert len(digests) == 4
    assert GeneratedCatalogue(10, 1).digest in digests


def test_the_index_takes_less_than_200_bytes_a_sound() -> None:
    tracemalloc.start()
    try:
        catalogue = GeneratedCatalogue(100_000)
        catalogue.neighbours(catalogue.ordered("score")[5_000], "freesound_classic")
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 100_000 <= 200


def test_ids_have_gaps_and_lead_back_to_their_sounds(five_thousand: GeneratedCatalogue) -> None:
    ids = five_thousand.ordered("created_asc")
    assert len(set(ids)) == len(ids) == len(five_thousand)
    assert list(ids) == sorted(ids)
    assert list(ids) != list(range(ids[0], ids[0] + len(ids)))
    for sound_id in ids[::97]:
        record = five_thousand.record(sound_id)
        assert record
        assert record["id"] == sound_id
    for missing in set(range(ids[0], ids[0] + 50)) - set(ids[:60]):
        assert five_thousand.record(missing) is None
    assert five_thousand.record(10**20) is None


def test_records_have_every_field_of_the_sound_resource_and_lead_nowhere(five_thousand: GeneratedCatalogue) -> None:
    for sound_id in five_thousand.ordered("score")[::250]:
        record = five_thousand.record(sound_id)
        assert record
        assert list(record) == [name for name in BASE_FIELDS if name != "score"]
        assert list(five_thousand.descriptors(sound_id)) == list(DESCRIPTORS)
        text = json.dumps(record)
        assert "freesound.org" not in text
        assert "127.0.0.1" not in text
        assert 0 <= record["avg_rating"] <= 5


def test_a_catalogue_is_as_varied_as_a_real_one(five_thousand: GeneratedCatalogue) -> None:
    records = [five_thousand.record(one) or {} for one in five_thousand.ordered("downloads_desc")]
    downloads = [record["num_downloads"] for record in records]
    assert downloads == sorted(downloads, reverse=True)
    assert sum(downloads[:500]) > sum(downloads) / 2
    assert len({record["license"] for record in records}) == 6
    assert len({record["category"] for record in records}) == 6  # five, and null
    assert len({record["type"] for record in records}) >= 6
    assert any(record["geotag"] for record in records)
    assert any(record["pack"] is None for record in records)
    assert all((record["pack"] is None) == (record["pack_name"] is None) for record in records)
    packs: dict[Any, Any] = {}
    for record in records:
        assert packs.setdefault(record["pack"], record["pack_name"]) == record["pack_name"]
    assert any(not str(record["name"]).isascii() for record in records)
    assert any("<script>" in str(record["description"]) for record in records)


def test_neighbours_share_words(five_thousand: GeneratedCatalogue) -> None:
    target = five_thousand.ordered("downloads_desc")[10]
    tags = set((five_thousand.record(target) or {})["tags"])
    for sound_id, _ in five_thousand.neighbours(target, "laion_clap")[:7]:
        assert len(tags & set((five_thousand.record(sound_id) or {})["tags"])) >= 2


def test_a_catalogue_of_any_size_is_ready_at_once(new_asker: Callable[..., Any]) -> None:
    # Not a measurement: what is asked of a million sounds would take minutes if an index had to be built.
    asker = new_asker(GeneratedCatalogue(1_000_000))
    first = asker.get("/apiv2/search/?sort=downloads_desc&page_size=150&fields=id,num_downloads")
    assert first["count"] == 1_000_000
    similar = asker.get(f"/apiv2/sounds/{first['results'][0]['id']}/similar/?fields=id,score&page_size=150")
    assert len(similar["results"]) == 150

"""Sounds are ranked by their likeness exactly as brute force in double precision ranks them."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import SettingsError
from harvester.graph import SoundGraph
from harvester.model import COMPUTED, Gone, Known, Linked, Seen, SimilarList
from harvester.similarity import nearest
from harvester.similarity.link import link_library
from harvester.similarity.nearest import find_like, nearest_within
from harvester.storage.paths import VECTORS
from harvester.vectors.store import VectorContents, Vectors, load_vectors
from tests.support.samples import SOURCE, FixedClock, grow, open_store
from tests.support.view_samples import make_record

SPACE, DIMENSION = "freesound_classic", 100


def keep(folder: Path, vectors: Mapping[int, Collection[float]], source: str = SOURCE) -> Vectors:
    stored = Vectors(folder, FixedClock())
    stored.keep({one: array("f", numbers) for one, numbers in vectors.items()}, space=SPACE, source=source)
    return stored


def state_of(*sound_ids: int, gone: int | None = None) -> SoundGraph:
    state = SoundGraph()
    state.source = SOURCE
    for one in sound_ids:
        state.apply(Known(one, 1))
    if gone is not None:
        state.apply(Gone(gone, 2))
    return state


def axis(number: int, length: float = 1.0) -> list[float]:
    return [length if place == number else 0.0 for place in range(DIMENSION)]


def brute_force(vectors: dict[int, list[float]], like: list[int], among: set[int]) -> list[tuple[int, float]]:
    wide = {one: np.array(numbers, dtype=np.float32).astype(np.float16) for one, numbers in vectors.items()}
    units = {one: v.astype(np.float64) / np.linalg.norm(v.astype(np.float64)) for one, v in wide.items()}
    mean = sum(units[one] for one in like) / len(like)
    scored = []
    for one in among - set(like):
        cosine = float(units[one] @ mean / np.linalg.norm(mean))
        scored.append((one, round(min(1.0, max(0.0, (1 + cosine) / 2)), 6)))
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40), st.integers(1, 4), st.sampled_from([0, 3]), st.booleans())
def test_what_is_ranked_is_the_brute_force_s_answer(
    seed: int, size: int, given_sounds: int, repeated: int, all_sounds: bool
) -> None:
    dice = np.random.default_rng(seed)
    kinds = dice.standard_normal((size, DIMENSION))
    # Of few different vectors many are equal: ties are everywhere.
    numbers = dice.integers(0, min(size, repeated or size), size)
    ids = sorted(dice.choice(np.arange(1, 500), size, replace=False).tolist())
    vectors = {one: kinds[number].tolist() for one, number in zip(ids, numbers.tolist(), strict=True)}
    like = dice.choice(ids, min(given_sounds, size), replace=False).tolist()
    among = set(ids) if all_sounds else set(dice.choice(ids, (size + 1) // 2, replace=False).tolist())
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("harvester.similarity.vector_table._ROWS_AT_ONCE", 7)
        shuffled = dice.permutation(ids).tolist()
        keep(Path(folder), {one: vectors[one] for one in shuffled})
        found = find_like(Path(folder), state_of(*ids, 501), like, None if all_sounds else among | {501})
    expected = brute_force(vectors, like, among)
    assert [score for _, score in found.ranked] == pytest.approx([score for _, score in expected], abs=1.01e-6)
    assert dict(found.ranked) == pytest.approx(dict(expected), abs=1.01e-6)
    assert list(found.ranked) == sorted(found.ranked, key=lambda pair: (-pair[1], pair[0]))
    assert found.without_vector == 1


def test_one_sound_has_the_scores_that_a_link_gives_it(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    vectors = {one: dice.standard_normal(DIMENSION).tolist() for one in range(1, 30)}
    with open_store(tmp_path) as store:
        store.set_source(SOURCE)
        grow(store, [Seen(one, make_record(one), 1) for one in vectors])
        store.checkpoint(backup=True)
    keep(tmp_path, vectors)
    link_library(tmp_path, clock=FixedClock(), neighbours=28, min_score=0.0)
    with open_store(tmp_path) as store:
        for one in vectors:
            linked = store.state.similar(one)
            assert linked is not None
            assert find_like(tmp_path, store.state, [one]).ranked == linked.neighbours


def test_a_vector_without_a_direction_is_neither_ranked_nor_compared(tmp_path: Path) -> None:
    odd = {3: math.nan, 4: math.inf, 5: -math.inf, 6: 0.0, 7: -0.0}
    vectors = {1: axis(0), 2: axis(1)} | {one: [number] + [0.0] * (DIMENSION - 1) for one, number in odd.items()}
    vectors[8] = axis(0, 6e4)
    vectors[9] = axis(0, 2**-24)  # the smallest number of half precision
    keep(tmp_path, vectors)
    state = state_of(*vectors)
    found = find_like(tmp_path, state, [1])
    assert found.ranked == ((8, 1.0), (9, 1.0), (2, 0.5))
    assert found.without_vector == len(odd)
    for one in odd:
        with pytest.raises(SettingsError, match=f"has no vector of sound {one}; .*--vectors freesound_classic"):
            find_like(tmp_path, state, [1, one])


def test_vectors_with_no_mean_are_refused_and_nearly_opposite_ones_are_not(tmp_path: Path) -> None:
    keep(tmp_path, {1: axis(0), 2: axis(0, -3.0), 3: [-1.0, 0.01] + [0.0] * (DIMENSION - 2), 4: axis(1)})
    state = state_of(1, 2, 3, 4)
    with pytest.raises(SettingsError, match="the vectors of sounds 1, 2 are opposite"):
        find_like(tmp_path, state, [2, 1])
    # The longer vector does not weigh more: the mean of 1 and 3 points along the second axis.
    (best, score), *_ = find_like(tmp_path, state, [1, 3]).ranked
    assert (best, score > 0.9999) == (4, True)


def test_a_sound_that_is_gone_or_not_here_is_not_ranked(tmp_path: Path) -> None:
    keep(tmp_path, {one: axis(0) for one in (1, 2, 3, 4)})
    assert find_like(tmp_path, state_of(1, 2, 3, gone=2), [1]).ranked == ((3, 1.0),)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = keep(tmp_path, {1: axis(5), 2: axis(0), 3: axis(0), 4: axis(1)})
    load, waiting = load_vectors, [True]

    def then_replaced(folder: Path) -> VectorContents:
        contents = load(folder)
        if waiting:
            waiting.clear()
            stored.drop([1])  # each row has another number now
        return contents

    monkeypatch.setattr(nearest, "load_vectors", then_replaced)
    assert find_like(tmp_path, state_of(1, 2, 3, 4), [2]).ranked == ((3, 1.0), (4, 0.5))
    assert not waiting


def test_a_file_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    state = state_of(1, 2)
    with pytest.raises(SettingsError, match="holds no vectors: fetch them with `harvester harvest --sweep"):
        find_like(tmp_path, state, [1])
    keep(tmp_path, {1: axis(0), 2: axis(1)}, source="https://elsewhere.example/")
    with pytest.raises(SettingsError, match=r"holds vectors from https://elsewhere\.example/, not of this library's"):
        find_like(tmp_path, state, [1])
    (tmp_path / VECTORS).write_bytes(b"rubbish" * 100)
    with pytest.raises(SettingsError, match=r"cannot be used \(it is not a vector file\); `harvester check --repair`"):
        find_like(tmp_path, state, [1])


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(1, 4))
def test_the_nearest_that_a_list_lacks_are_the_brute_force_s(seed: int, size: int, count: int) -> None:
    dice = np.random.default_rng(seed)
    kinds = dice.standard_normal((3, DIMENSION))
    ids = sorted(dice.choice(np.arange(1, 100), size, replace=False).tolist())
    vectors = {one: (kinds[dice.integers(3)] + dice.standard_normal(DIMENSION) / 2).tolist() for one in ids}
    bad, unknown = ids[0], 101
    vectors[bad] = [math.nan] * DIMENSION
    state = state_of(*ids, unknown)
    lists: dict[int, set[int]] = {one: set() for one in ids}
    for one in dice.choice(ids, size // 2, replace=False).tolist():
        near = [other for other in dice.choice(ids, 2, replace=False).tolist() if other != one]
        origin = COMPUTED if dice.integers(3) == 0 else "server"
        state.apply(Linked(one, SimilarList(tuple((other, 0.8) for other in near), 5, 25, SPACE, origin=origin)))
        lists[one] = set(near) if origin == "server" else set(ids)
    among = [*dice.choice(ids, (size + 1) // 2, replace=False).tolist(), unknown]
    with TemporaryDirectory() as folder:
        keep(Path(folder), vectors)
        found = nearest_within(Path(folder), state, among, count)
    usable = {one: vectors[one] for one in among if one not in (bad, unknown)}
    for one in usable:
        ranked = [pair for pair in brute_force(usable, [one], set(usable)) if pair[1] >= 0.7]
        expected = [(other, score) for other, score in ranked if other not in lists[one]][:count]
        got = found.pop(one, ())
        assert [other for other, _ in got] == [other for other, _ in expected]
        assert [score for _, score in got] == pytest.approx([score for _, score in expected], abs=1.01e-6)
    assert not found


def test_a_library_without_vectors_has_no_nearest_sounds(tmp_path: Path) -> None:
    assert nearest_within(tmp_path, state_of(1, 2), [1, 2], 5) == {}
    stored = keep(tmp_path, {1: axis(0), 2: axis(0)})
    assert nearest_within(tmp_path, state_of(1, 2), [1, 2], 5) == {1: ((2, 1.0),), 2: ((1, 1.0),)}
    stored.drop([1, 2])
    assert nearest_within(tmp_path, state_of(1, 2), [1, 2], 5) == {}
    (tmp_path / VECTORS).write_bytes(b"rubbish" * 100)
    with pytest.raises(SettingsError, match="cannot be used"):
        nearest_within(tmp_path, state_of(1, 2), [1, 2], 5)

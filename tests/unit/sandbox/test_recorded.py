"""Catalogues read from files: served as they are, every sound reachable, broken lines named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harvester.errors import SettingsError
from harvester.sandbox.catalogue import DIMENSIONS
from harvester.sandbox.recorded import RecordedCatalogue


def _write(path: Path, *lines: Any) -> Path:
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def _sound(sound_id: int, **more: Any) -> dict[str, Any]:
    return {"id": sound_id, "name": f"sound {sound_id}", "tags": ["rain", f"t{sound_id % 7}"], **more}


def _reached(catalogue: RecordedCatalogue, space: str) -> set[int]:
    start = catalogue.ordered("downloads_desc")[0]
    seen, waiting = {start}, [start]
    while waiting:
        for sound_id, _ in catalogue.neighbours(waiting.pop(), space)[:25]:
            if sound_id not in seen:
                seen.add(sound_id)
                waiting.append(sound_id)
    return seen


@pytest.fixture(scope="module")
def real(real_records: Path) -> RecordedCatalogue:
    return RecordedCatalogue.load([real_records / "real_sounds_300.jsonl", real_records / "edge_cases.jsonl"])


def test_all_real_records_are_reached_by_lists_of_25(real: RecordedCatalogue) -> None:
    # All lists of 342 real records: a third of a second.
    assert len(real) == 342
    for space in DIMENSIONS:
        assert len(_reached(real, space)) == 342


def test_crowds_of_equal_words_do_not_shut_the_others_out() -> None:
    crowds = [_sound(100 * crowd + n, tags=[f"crowd{crowd}"], name="take") for crowd in range(1, 4) for n in range(40)]
    crowds[0]["num_downloads"] = 9  # the walk starts among forty that are as alike as can be
    loners = [_sound(9_000 + n, tags=[f"only{n}"], name=f"word{n}") for n in range(40)]
    assert len(_reached(RecordedCatalogue(crowds + loners), "laion_clap")) == 160


def test_lists_agree_with_vectors(real: RecordedCatalogue) -> None:
    for space in DIMENSIONS:
        vectors = {one: real.vector(one, space) or [] for one in real.ordered("score")}
        for target in list(vectors)[::60]:
            brute = {
                one: (1 + sum(a * b for a, b in zip(vectors[target], vector, strict=True))) / 2
                for one, vector in vectors.items()
                if one != target
            }
            listed = dict(real.neighbours(target, space))
            assert all(abs(score - brute[one]) < 1e-4 for one, score in listed.items())
            assert not [one for one, score in brute.items() if score > 0.7001 and one not in listed]
            assert real.nearest(vectors[target], space)[0][0] == target


def test_real_records_arrive_value_for_value(
    real: RecordedCatalogue, real_records: Path, new_asker: Callable[..., Any]
) -> None:
    asker = new_asker(real)
    for line in (real_records / "edge_cases.jsonl").read_text(encoding="utf-8").splitlines():
        sound = json.loads(line)["sound"]
        if real.record(sound["id"]) != sound:
            continue  # another file had this id first
        assert asker.get(f"/apiv2/sounds/{sound['id']}/") == sound
        fields = ",".join(sound)
        (listed,) = asker.get(f"/apiv2/search/?filter=id:({sound['id']})&fields={fields}")["results"]
        assert listed == sound


def test_equal_words_make_near_neighbours() -> None:
    sounds = [_sound(n, tags=["wind"] if n % 2 else ["piano"], name="x", description="") for n in range(1, 60)]
    catalogue = RecordedCatalogue(sounds)
    best = [one for one, _ in catalogue.neighbours(31, "laion_clap")[:20]]
    assert sum(one % 2 for one in best) >= 18


def test_the_first_of_two_equal_ids_wins(tmp_path: Path) -> None:
    first = _write(tmp_path / "a.jsonl", _sound(5, name="first"), {"why": ["x"], "sound": _sound(6)})
    second = _write(tmp_path / "b.jsonl", _sound(5, name="second"), _sound(7))
    catalogue = RecordedCatalogue.load([first, second])
    assert sorted(catalogue.ordered("score")) == [5, 6, 7]
    assert (catalogue.record(5) or {})["name"] == "first"


def test_an_absent_field_stays_absent(new_asker: Callable[..., Any]) -> None:
    asker = new_asker(RecordedCatalogue([{"id": 9, "custom": [1, {"a": None}], "name": "x"}]))
    assert asker.get("/apiv2/sounds/9/") == {"id": 9, "name": "x", "custom": [1, {"a": None}]}
    assert asker.get("/apiv2/sounds/9/?fields=id,license,bpm") == {"id": 9}
    assert asker.get("/apiv2/sounds/9/?fields=custom") == {"custom": [1, {"a": None}]}
    assert asker.get("/apiv2/search/?query=x")["results"] == [{"id": 9, "name": "x"}]


def test_the_digest_is_of_the_content_alone(tmp_path: Path) -> None:
    one = RecordedCatalogue.load([_write(tmp_path / "a.jsonl", _sound(1), "", _sound(2))])
    same = RecordedCatalogue.load([_write(tmp_path / "b.jsonl", {"sound": _sound(2)}), tmp_path / "a.jsonl"])
    other = RecordedCatalogue.load([_write(tmp_path / "c.jsonl", _sound(1), _sound(2, name="else"))])
    assert one.digest == same.digest != other.digest


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1, 2]",
        '"text"',
        '{"name": "no id"}',
        '{"id": "12"}',
        '{"id": true}',
        '{"id": -4}',
        '{"id": 4, "duration": NaN}',
        '{"id": 4, "duration": "long"}',
        '{"id": 4, "tags": "rain"}',
        '{"why": [], "sound": 3}',
        "[" * 100_000,
    ],
)
def test_a_broken_line_is_named_with_its_file(tmp_path: Path, line: str) -> None:
    path = _write(tmp_path / "broken.jsonl", _sound(1), line)
    with pytest.raises(SettingsError, match=r"broken\.jsonl, line 2: ") as caught:
        RecordedCatalogue.load([path])
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_an_empty_one_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        RecordedCatalogue.load([tmp_path / "missing.jsonl"])
    with pytest.raises(SettingsError, match="no sound"):
        RecordedCatalogue.load([_write(tmp_path / "empty.jsonl", "")])


def test_odd_but_valid_content_is_served(new_asker: Callable[..., Any]) -> None:
    odd = {"id": 3, "name": "lone \ud800 surrogate", "filesize": 2**80, "tags": [1, None], "description": None}
    asker = new_asker(RecordedCatalogue([odd, {"id": 4}]))
    assert asker.get("/apiv2/sounds/3/") == odd
    assert asker.get("/apiv2/search/?query=surrogate&filter=filesize:[1%20TO%20*]&fields=*")["count"] == 1
    assert asker.get("/apiv2/sounds/4/similar/?fields=id")["count"] == 1

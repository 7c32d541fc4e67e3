"""The folder of a dataset: what its files say, that they are the same twice, and which folder is never replaced."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from harvester.dataset import DatasetOptions, check_replaceable, load_splits, read_shares, save_dataset
from harvester.dataset.facts import DatasetFacts
from harvester.errors import SettingsError
from harvester.graph import Selection, SoundGraph, select
from harvester.model import Gone, Linked, Related, Seen, SimilarList, Withdrawn
from tests.support.samples import files_of
from tests.support.view_samples import BY, HOSTILE, NOW_US, make_record, make_state

SPLIT = read_shares("80/10/10")
EVERYTHING = Selection(licenses=("CC0", "BY", "BY-NC", "Sampling+"))


def record(sound_id: int, **changes: Any) -> dict[str, Any]:
    """Return a record of one of 20 accounts."""
    account = sound_id % 20
    address = f"https://cdn.example/previews/0/{sound_id}_{account}-hq.mp3"
    return make_record(sound_id, **{"username": f"user{account}", "previews": {"preview-hq-mp3": address}, **changes})


def library(*changed: dict[str, Any], most: int = 60) -> SoundGraph:
    """Return a state with `most` sounds and similar lists, with some records changed."""
    records = {sound_id: record(sound_id) for sound_id in range(1, most + 1)} | {one["id"]: one for one in changed}
    lists: dict[int, list[tuple[int, float]]] = {one: [(one % most + 1, 0.9)] for one in range(1, most + 1)}
    return make_state(list(records.values()), lists)


def save(out: Path, state: SoundGraph, selection: Selection = EVERYTHING, **options: Any) -> DatasetFacts:
    """Write a dataset to `out`."""
    options = {"shares": SPLIT, **options}
    selected = select(state, selection)
    return save_dataset(selected, out, DatasetOptions(**options), library_digest="0" * 64, selection=selection)[0]


def sounds_in(out: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of all parts by id."""
    rows = [row for path in sorted((out / "data").iterdir()) for row in pq.read_table(path).to_pylist()]
    assert len(rows) == len({row["id"] for row in rows})
    return {row["id"]: row for row in rows}


def manifest_of(out: Path) -> dict[str, Any]:
    """Return the manifest of a dataset."""
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return manifest


def front_matter(out: Path) -> dict[str, Any]:
    """Return the front matter of the card, as an independent reader sees it."""
    matter: dict[str, Any] = yaml.safe_load((out / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return matter


def test_the_same_library_gives_the_same_bytes_in_whatever_order_it_came(tmp_path: Path) -> None:
    state, backwards = library(), SoundGraph("https://freesound.org/apiv2/")
    for sound_id in reversed(range(1, 61)):
        backwards.apply(Linked(sound_id, SimilarList(((sound_id % 60 + 1, 0.9),), NOW_US + 1, 25)))
        backwards.apply(Seen(sound_id, record(sound_id), NOW_US))
    save(tmp_path / "one", state)
    save(tmp_path / "two", backwards)
    one, two = ({name: data for name, (data, _) in files_of(tmp_path / name).items()} for name in ("one", "two"))
    assert one == two
    assert one.keys() == {
        "CREDITS.md", "README.md", "croissant.json", "manifest.json", "splits.json",
        "data/train-00000-of-00001.parquet", "data/validation-00000-of-00001.parquet",
        "data/test-00000-of-00001.parquet", "edges/edges-00000-of-00001.parquet",
    }  # fmt: skip


def test_the_manifest_names_every_other_file_and_the_rows_whatever_the_tables_are(tmp_path: Path) -> None:
    facts, in_csv = (save(tmp_path / table, library(), table=table) for table in ("parquet", "csv"))
    for out in (tmp_path / "parquet", tmp_path / "csv"):
        files = {name: data for name, (data, _) in files_of(out).items() if name != "manifest.json"}
        listed = manifest_of(out)["files"]
        assert {name: (one["bytes"], one["sha256"]) for name, one in listed.items()} == {
            name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in files.items()
        }
    assert facts.rows_sha256 == in_csv.rows_sha256 == manifest_of(tmp_path / "csv")["rows_sha256"]
    other = save(tmp_path / "other", library(record(5, name="another")))
    assert other.rows_sha256["sounds"] != facts.rows_sha256["sounds"]
    assert other.rows_sha256["edges"] == facts.rows_sha256["edges"]
    manifest = manifest_of(tmp_path / "parquet")
    assert manifest["counts"]["sounds"] == 60
    assert manifest["counts"]["authors"] == 20
    assert manifest["selection"] == {"licenses": ["CC0", "BY", "BY-NC", "Sampling+"]}
    assert manifest["versions"].keys() == {"harvester", "pyarrow"}
    assert manifest_of(tmp_path / "csv")["versions"].keys() == {"harvester"}


def test_sounds_that_are_gone_are_nowhere_and_an_unknown_wish_is_null(tmp_path: Path) -> None:
    state = library(
        record(1, name="deleted one"),
        record(2, name="withdrawn one"),
        record(3, gen_ai_preference=None),
        record(4, gen_ai_preference="yes, please"),
    )
    state.apply(Gone(1, NOW_US + 9))
    state.apply(Withdrawn(2, NOW_US + 9))
    facts = save(tmp_path / "out", state)
    rows = sounds_in(tmp_path / "out")
    assert rows.keys() == set(range(3, 61))
    assert (rows[3]["gen_ai_preference"], rows[4]["gen_ai_preference"]) == (None, None)
    assert facts.wishes == {"no-additional-preferences": 28, "no-gen-ai": 28, "unknown": 2}
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| unknown | 2 |" in card
    assert "It is not a yes" in card
    assert not any(
        b"withdrawn one" in data or b"deleted one" in data for data, _ in files_of(tmp_path / "out").values()
    )
    assert not {1, 2} & load_splits(tmp_path / "out").sounds.keys()


def test_the_columns_are_the_same_for_every_library_but_for_extra_fields(tmp_path: Path) -> None:
    sparse = dict.fromkeys(record(1), None) | {"id": 1, "license": BY}
    save(tmp_path / "sparse", make_state([sparse]))
    save(tmp_path / "full", library())
    save(tmp_path / "extra", library(record(1, bpm=120.5, comments="https://freesound.org/apiv2/c/")))
    schemas = {
        name: pq.read_schema(tmp_path / name / "data" / "train-00000-of-00001.parquet")
        for name in ("sparse", "full", "extra")
    }
    assert schemas["sparse"] == schemas["full"]
    assert [*schemas["full"].names, "bpm"] == schemas["extra"].names
    assert front_matter(tmp_path / "sparse")["configs"] == [
        {
            "config_name": "sounds",
            "default": True,
            "data_files": [{"split": "train", "path": "data/train-00000-of-00001.parquet"}],
        }
    ]


def test_fields_name_columns_or_fields_and_the_license_is_always_there(tmp_path: Path) -> None:
    save(tmp_path / "out", library(), fields=("tags", "previews", "linked_at", "name"))
    names = pq.read_schema(tmp_path / "out" / "data" / "train-00000-of-00001.parquet").names
    assert names == [
        "id", "name", "license", "license_spdx", "tags", "preview_hq_mp3", "preview_hq_ogg", "preview_lq_mp3",
        "preview_lq_ogg", "linked_at",
    ]  # fmt: skip
    for wrong, says in (("nmae", "did you mean 'name'"), ("bpm", "--extra-fields bpm"), ("", "there are added_at")):
        with pytest.raises(SettingsError, match=f"^--fields: no sound has a .*'{wrong}'.*{says}"):
            save(tmp_path / "out", library(), fields=(wrong,))


def test_versions_of_a_license_are_told_apart_and_http_is_https(tmp_path: Path) -> None:
    addresses = [
        "http://creativecommons.org/licenses/by/3.0/",
        "https://creativecommons.org/licenses/by/3.0/",
        "https://creativecommons.org/licenses/by/4.0/",
        "http://creativecommons.org/licenses/sampling+/1.0/",
    ]
    state = make_state([record(place, license=address) for place, address in enumerate(addresses, 1)])
    facts = save(tmp_path / "out", state)
    assert {license.spdx: license.sounds for license in facts.licenses} == {
        "CC-BY-3.0": 2, "CC-BY-4.0": 1, "LicenseRef-CC-Sampling-Plus-1.0": 1,
    }  # fmt: skip
    matter = front_matter(tmp_path / "out")
    assert matter["license"] == ["cc-by-3.0", "cc-by-4.0", "other"]
    assert (matter["license_name"], matter["license_link"]) == (
        "sampling+", "https://creativecommons.org/licenses/sampling+/1.0/",
    )  # fmt: skip
    only = save(tmp_path / "only", state, Selection(licenses=("CC-BY-3.0",)))
    assert only.sounds == 2


def test_each_kind_of_an_edge_is_a_row_with_its_weight(tmp_path: Path) -> None:
    state = library(most=4)
    state.apply(Related(1, 2, "same_user", NOW_US))
    state.apply(Related(1, 2, "tags", NOW_US, 0.25))
    state.apply(Related(3, 1, "tags", NOW_US, 7.0))
    facts = save(tmp_path / "out", state)
    rows = pq.read_table(tmp_path / "out" / "edges" / "edges-00000-of-00001.parquet").to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        (1, 2, "similar", 0.9), (1, 2, "relation:same_user", None), (1, 2, "relation:tags", 0.25),
        (2, 3, "similar", 0.9),
        (3, 4, "similar", 0.9), (3, 1, "relation:tags", 7.0),
        (4, 1, "similar", 0.9),
    ]  # fmt: skip
    assert facts.edges == 5
    assert facts.kinds == {"relation:same_user": 1, "relation:tags": 2, "similar": 4}


def test_no_text_of_a_user_breaks_the_card_or_the_descriptions(tmp_path: Path) -> None:
    hostile = record(1, category=HOSTILE, tags=["| a |", "`x`", "<b>", "---"], username=HOSTILE, name=HOSTILE)
    hostile |= {"license": f"javascript:alert(1)){BY}", "extra|field\n": 1}
    save(tmp_path / "out", library(hostile), title=f"# {HOSTILE}: '\"")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert front_matter(tmp_path / "out")["pretty_name"].startswith("# </script>")
    body = text.split("---\n", 2)[2].split("## Citation")[0]
    assert "<script>" not in body.replace("\\<", "")
    assert "\u202e" not in text
    assert "](javascript" not in text
    assert "# \\# \\</script" in body
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert all(line.replace("\\|", "").count("|") in (3, 4, 5) for line in rows)
    json.loads((tmp_path / "out" / "croissant.json").read_text(encoding="utf-8"))


def test_only_an_unchanged_dataset_or_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_replaceable(out)
    out.mkdir()
    check_replaceable(out)
    save(out, library(most=3))
    check_replaceable(out)
    card = (out / "README.md").read_bytes()

    def refused(says: str) -> None:
        with pytest.raises(SettingsError, match=f"{says}.*; nothing was replaced"):
            check_replaceable(out)

    (out / "README.md").write_bytes(card + b"A note of mine.\n")
    refused("README.md was changed")
    (out / "README.md").write_bytes(card)
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    refused(".git/HEAD is not of the dataset")
    (out / ".git" / "HEAD").unlink()
    check_replaceable(out)
    for manifest in ("", "[]", "{}", '{"format": "harvester-dataset 1", "files": {"a": 1}}', "[" * 10**5):
        (out / "manifest.json").write_text(manifest)
        refused("it has no manifest.json of a dataset")
    (tmp_path / "file").write_text("")
    out = tmp_path / "file"
    refused("it is not a folder")


def test_the_assignment_is_read_back_and_another_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    facts = save(out, library(), group_by="pack")
    assert load_splits(out) == facts.assignment
    whole = json.loads((out / "splits.json").read_text())
    broken: list[Any] = [
        "", "{", [], {**whole, "format": "x"}, {**whole, "group_by": "planet"}, {**whole, "shares": {"train": 80}},
        {**whole, "shares": {"train": 80, "validation": 10, "test": "10"}}, {**whole, "sounds": {"train": [1]}},
        {**whole, "sounds": {**whole["sounds"], "test": [-1]}}, {**whole, "groups": {**whole["groups"], "test": [1]}},
    ]  # fmt: skip
    for document in broken:
        (out / "splits.json").write_text(document if isinstance(document, str) else json.dumps(document))
        with pytest.raises(SettingsError, match="is not an assignment that harvester wrote"):
            load_splits(out)
    with pytest.raises(SettingsError, match=r"there is no splits\.json"):
        load_splits(tmp_path)


def test_a_part_that_stays_empty_is_told_and_left_out(tmp_path: Path) -> None:
    state = make_state([record(1), record(21), record(2)])
    selected = select(state, EVERYTHING)
    facts, notices = save_dataset(
        selected, tmp_path / "out", DatasetOptions(SPLIT), library_digest="0", selection=EVERYTHING
    )
    assert facts.parts == {"train": 3, "validation": 0, "test": 0}
    assert notices == ["no sounds in validation and test: the authors are too few or too large for this split"]
    assert len(list((tmp_path / "out" / "data").iterdir())) == 1

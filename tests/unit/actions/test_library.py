"""The library for programs: a mapping that never changes, searches and selects as the commands do."""

from __future__ import annotations

import pwd
import re
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester import (
    Library,
    LibraryNotFound,
    LibraryUnwritable,
    SettingsError,
    SoundSelection,
    export,
    find_library,
    service_text,
    status,
)
from harvester.actions.library import _Records
from harvester.actions.options import check_folder
from harvester.freesound import state_folder
from harvester.graph import Selection, SoundGraph, narrow, select
from harvester.library import LibraryView, load_view
from harvester.library.check import check_library
from harvester.model import Gone, Known, Seen, Withdrawn
from harvester.reports import find_sounds
from tests.support.histories import histories, quick
from tests.support.indexed import every_library_gets_one
from tests.support.samples import (
    NOW_US,
    SOURCE,
    FixedClock,
    grow,
    make_events,
    make_record,
    make_state,
    names_in,
    open_store,
)
from tests.support.view_samples import make_library as make_view_state


def library_of(state: SoundGraph, folder: Path = Path("shelf")) -> Library:
    return Library(LibraryView(folder, state=state))


# --- open ------------------------------------------------------------------------------------------------------------


def test_the_library_for_other_programs(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, [*make_events(3), Known(9, 1)])
    library = Library.open(str(tmp_path))
    assert len(library) == 4
    assert 9 in library
    assert library.processed_ids == {1, 2, 3}
    assert set(library.records) == {1, 2, 3}
    assert len(library.records) == 3
    assert library.records[1]["name"] == "sound 1"
    assert "added_at" not in library.records[1]
    assert library.neighbours(1) == ((2, 0.9), (3, 0.8))
    assert library.neighbours(9) == ()
    assert library.metadata["nodes"] == 4
    assert library.metadata["source"] == SOURCE
    assert library.graph.edges[1, 2]["score"] == 0.9
    for lookup in (library.neighbours, library.records.__getitem__):
        with pytest.raises(KeyError):
            lookup(12345)
    with pytest.raises(networkx.NetworkXError):
        library.graph.add_node(5)
    library.records[1]["name"] = "changed"
    assert library.records[1]["name"] == "sound 1"


def test_a_folder_without_a_library_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LibraryNotFound, match="there is no library here; `harvester harvest` makes one") as caught:
        Library.open(tmp_path)
    assert caught.value.exit_code == 28
    assert str(caught.value).startswith(f"{tmp_path}: ")
    with pytest.raises(LibraryNotFound, match=r"\(no such folder\)"):
        Library.open(tmp_path / "typo")
    (tmp_path / "library.pkl").write_bytes(b"")
    with pytest.raises(LibraryNotFound, match=r"library\.pkl: it is not a folder; name the folder of a library"):
        Library.open(tmp_path / "library.pkl")
    assert names_in(tmp_path) == {"library.pkl"}


@pytest.mark.parametrize("path", [None, 5, b"shelf", "", " ", "a\0b"])
def test_what_is_no_folder_is_named(path: Any) -> None:
    with pytest.raises(SettingsError, match="path must be a folder, not"):
        Library.open(path)


def test_a_folder_that_cannot_be_read_is_an_error_of_harvester() -> None:
    with pytest.raises(LibraryUnwritable, match="cannot be read"):
        Library.open("x" * 5_000)


@pytest.mark.parametrize("text", ["~", "~/", "~/shelf"])
def test_a_tilde_is_the_home_folder(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    folder = tmp_path / text.replace("~", "home")
    Library.open(folder, create=True)
    assert Library.open(text).folder == folder
    assert export("jsonl", f"{text}/x.jsonl", library=text).paths == (folder / "x.jsonl",)
    assert find_library(text) == check_folder("--library", text) == folder
    assert str(folder) in service_text("cron", library=text)
    assert Path("~").exists() is False


def test_a_tilde_elsewhere_is_a_name() -> None:
    assert [str(find_library(text)) for text in ("a/~", "./~/x", "./~root")] == ["a/~", "~/x", "~root"]


def test_a_tilde_and_a_name_are_the_home_folder_of_that_user() -> None:
    assert str(find_library("~root/x")) == f"{pwd.getpwnam('root').pw_dir}/x"


@pytest.mark.parametrize("text", ["~nouser", "~nouser/x", "~ /x", "~root\0/x", "~\udcff/x"])
def test_a_user_who_does_not_exist_is_told_and_no_folder_made(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        SettingsError, match=r"no user '.+' with a home folder here; for a folder of this name write \./~"
    ):
        find_library(text)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("home", ["", "relative", "{}/gone", "/dev/null"])
def test_a_home_that_is_no_folder_is_told_and_not_made(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", home.format(tmp_path))
    with pytest.raises(SettingsError, match=r"^~/x: you have no home folder: set HOME, or write the whole path$"):
        find_library("~/x")
    monkeypatch.delenv("HARVESTER_STATE")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    with pytest.raises(LibraryUnwritable, match="no home folder"):
        state_folder()
    assert not list(tmp_path.iterdir())


def test_create_makes_an_empty_library_that_grows(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "shelf"
    assert (len(Library.open(folder, create=True)), len(Library.open(folder))) == (0, 0)
    assert check_library(folder, clock=FixedClock()).findings == ()
    with open_store(folder, source=SOURCE) as store:
        grow(store, make_events(3))
    assert len(Library.open(folder, create=True)) == 3


# --- a mapping -------------------------------------------------------------------------------------------------------


def test_it_is_a_mapping_of_ids_to_sounds() -> None:
    library = library_of(make_view_state())
    assert set(library) == {*range(1, 12), 99}
    assert len(library) == len(list(library)) == len(library.keys()) == 12
    assert library[5].name == "sound 5"
    assert library[np.int64(5)] == library[5]
    assert type(library[np.int64(5)].id) is int
    assert {sound_id: sound.id for sound_id, sound in library.items()} == {one: one for one in library}
    assert library.get(12345) is None
    assert 5 in library
    assert library[99].is_gone


@pytest.mark.parametrize("unknown", [12345, 0, -1, "5", True, None, 1.0, [5], (5,)])
def test_what_is_no_id_of_a_sound_of_it_is_a_key_error(unknown: Any) -> None:
    library = library_of(make_view_state())
    assert unknown not in library
    with pytest.raises(KeyError) as caught:
        library[unknown]
    assert caught.value.args == (unknown,)


def test_two_are_equal_if_they_are_the_same() -> None:
    one, other = library_of(make_view_state()), library_of(make_view_state())
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


@pytest.mark.parametrize(
    "of", [lambda library: library, lambda library: library.records, lambda library: library.select()]
)
def test_pandas_says_how_instead_of_one_column_of_ids(of: Any) -> None:
    with pytest.raises(TypeError, match=re.escape("library.sounds().to_pandas() gives a data frame")):
        pd.DataFrame(of(library_of(make_view_state())))


def test_it_never_changes() -> None:
    library = library_of(make_view_state())
    with pytest.raises(TypeError):
        library[5] = library[6]  # type: ignore[index]
    with pytest.raises(TypeError):
        library.records[5] = {}  # type: ignore[index]
    assert isinstance(library.records, _Records)


# --- find and select -------------------------------------------------------------------------------------------------


def test_find_gives_the_sounds_of_the_command_in_its_order() -> None:
    state = make_view_state()
    library = library_of(state)
    for text in ("rain", "rain tag1", "user2", "sound", "7", "", "nothing"):
        wanted = [hit["id"] for hit in find_sounds(state, text, limit=None).best]
        assert [sound.id for sound in library.find(text, limit=0)] == wanted
        assert [sound.id for sound in library.find(text.split(), limit=2)] == wanted[:2]
    assert library.find("rain") == library.find("rain", limit=20) != []
    with pytest.raises(SettingsError, match=r"^limit must be a whole number"):
        library.find("rain", limit=-1)
    with pytest.raises(SettingsError, match=r"^text must be a text, not 5$"):
        library.find([5])  # type: ignore[list-item]


def test_a_selection_without_sounds_says_why() -> None:
    library = library_of(make_view_state())
    assert library.select(license="CC0").notices == ()
    (line,) = library.select(license="BY 9.9").notices
    assert line.startswith("no sound matches: no sound has the license 'BY 9.9'; ")
    assert library.select(license="CC0").select(tag="nothing").notices[0].startswith("no sound matches: ")


conditions = st.fixed_dictionaries(
    {},
    optional={
        "license": st.lists(st.sampled_from(["CC0", "by", "BY 4.0", "BY-NC", "Sampling+"]), max_size=2),
        "category": st.lists(st.sampled_from(["Music", "speech"]), max_size=2),
        "tag": st.lists(st.sampled_from(["rain", "TAG1", "tag2"]), max_size=2),
        "user": st.lists(st.sampled_from(["user0", "User1"]), max_size=2),
        "min_duration": st.sampled_from([0, 0.5, "1s"]),
        "max_duration": st.sampled_from([0.9, 1.2, "5s"]),
        "processed_only": st.booleans(),
        "min_score": st.sampled_from([0, 0.5, 0.7, 0.95]),
        "largest_component": st.booleans(),
    },
).filter(lambda one: (one.get("min_duration"), one.get("max_duration")) != ("1s", 0.9))
_FIELDS = {"license": "licenses", "category": "categories", "tag": "tags", "user": "users"}
_SECONDS = {"1s": 1.0, "5s": 5.0}


def selection_of(keywords: dict[str, Any]) -> Selection:
    """Return what the exports select by; worked out apart from the code under test."""
    given: dict[str, Any] = {_FIELDS[name]: tuple(value) for name, value in keywords.items() if name in _FIELDS}
    given |= {f"{name}_s": _SECONDS.get(value, value) for name, value in keywords.items() if "duration" in name}
    rest = ("processed_only", "min_score", "largest_component")
    return Selection(**given, **{name: keywords[name] for name in rest if name in keywords})


@quick
@given(conditions, st.sampled_from([make_view_state, None]), histories)
def test_select_gives_the_selection_of_the_exports(keywords: dict[str, Any], make: Any, history: Any) -> None:
    state = make() if make else make_state(history)
    selected = select(state, selection_of(keywords))
    found = library_of(state).select(**keywords)
    assert found.ids == tuple(found) == tuple(selected.sound_ids)
    assert len(found) == len(found.sounds()) == len(selected)
    edges = [(edge["source"], edge["target"], edge["score"], edge["relation"]) for edge in found.edges()]
    assert edges == [(edge.source, edge.target, edge.score, edge.relation) for edge in selected.edges()]


@quick
@given(conditions, conditions, st.sampled_from([make_view_state, None]), histories)
def test_narrowing_keeps_what_both_select(one: dict[str, Any], other: dict[str, Any], make: Any, history: Any) -> None:
    state = make() if make else make_state(history)
    first = library_of(state).select(**one)
    narrowed = first.select(**other)
    assert set(narrowed) <= set(first)
    assert set(narrowed) == set(narrow(select(state, selection_of(one)), selection_of(other)).sound_ids)
    by_record = {name: value for name, value in other.items() if name not in ("min_score", "largest_component")}
    assert set(first.select(**by_record)) == set(first) & set(library_of(state).select(**by_record))
    edges = {(edge["source"], edge["target"]) for edge in narrowed.edges()}
    assert edges <= {(edge["source"], edge["target"]) for edge in first.edges()}


@pytest.mark.parametrize(("one", "other"), [(0.7, 0.5), (0.5, 0.7), (0.7, None), (None, 0.7)])
def test_narrowing_keeps_the_higher_score(one: float | None, other: float | None) -> None:
    narrowed = library_of(make_view_state()).select(min_score=one).select(min_score=other)
    assert {edge["score"] for edge in narrowed.edges()} == {0.9, 0.75}


def test_a_selection_is_a_mapping_without_what_is_gone() -> None:
    library = library_of(make_view_state())
    assert set(library) - set(library.select()) == {99}
    found = library.select(license="CC0")
    assert (found.ids, len(found), 4 in found, 5 in found) == ((4, 8), 2, True, False)
    assert found[4].license_name == "CC0"
    with pytest.raises(KeyError):
        found[5]
    assert isinstance(found.select(tag="rain"), SoundSelection)
    with pytest.raises(SettingsError, match=r"^min_score must be"):
        library.select(min_score=2)
    with pytest.raises(TypeError, match="tags"):
        library.select(tags="rain")  # type: ignore[call-arg]


def test_export_writes_what_is_selected(tmp_path: Path) -> None:
    library = library_of(make_view_state())
    report = library.select(license="CC0").export("csv", tmp_path / "cc0.csv")
    assert (report.sounds, report.paths) == (2, (tmp_path / "cc0.csv", tmp_path / "cc0.edges.csv"))
    assert list(pd.read_csv(tmp_path / "cc0.csv")["id"]) == [4, 8]
    assert library.export("credits", tmp_path / "credits.md").without_record == 1
    with pytest.raises(SettingsError, match=r"^faithful works only with csv"):
        library.export("jsonl", tmp_path / "out", faithful=True)
    with pytest.raises(SettingsError, match="'word' is not a format"):
        library.export("word", tmp_path / "out")


# --- repr ------------------------------------------------------------------------------------------------------------


def test_repr_is_one_line_with_folder_and_counts() -> None:
    state = make_state([*make_events(3), Known(9, 1), Gone(9, 2), Withdrawn(8, NOW_US)])
    library = library_of(state, Path("a\nb\u202e"))
    assert repr(library) == r"<Library 'a\nb\u202e': 5 sounds, 3 processed, 6 edges>"
    assert repr(library.select()) == r"<SoundSelection of 'a\nb\u202e': 3 sounds, 6 edges>"


@pytest.mark.parametrize("how", ["in memory", "on disk", "index"])
def test_a_record_that_a_program_changes_changes_nothing_in_the_library(tmp_path: Path, how: str) -> None:
    deep = {"bpm": [60, {"deep": []}]}
    with every_library_gets_one():
        with open_store(tmp_path, source=SOURCE) as store:
            grow(store, [Seen(1, make_record(1, ac_analysis=deep), NOW_US)])
            store.checkpoint()
        status(tmp_path)
    opened = Library.open(tmp_path) if how == "index" else Library(load_view(tmp_path, on_disk=how == "on disk"))
    before = repr(opened.records[1])
    changed: Any = opened.records[1]
    changed["tags"].append("evil")
    changed["previews"].clear()
    changed["ac_analysis"]["bpm"][1]["deep"].append("evil")
    assert repr(opened.records[1]) == before

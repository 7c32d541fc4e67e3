"""Which catalogues may share a library: one rule for harvests, merges, restores, imports and Git."""

from __future__ import annotations

from itertools import permutations, product
from pathlib import Path

import pytest

from harvester.checkpoint.format import Encoded, encode_checkpoint
from harvester.errors import WrongSource
from harvester.graph import SoundGraph
from harvester.library.backups import save_backup
from harvester.library.load import load_state
from harvester.library.merge import merge_bytes, merge_libraries
from harvester.library.restore import restore_library
from harvester.library.store import Store
from harvester.library_source import ANY_SANDBOX, check_source, is_sandbox, join_sources
from harvester.storage.paths import CHECKPOINT
from tests.support.samples import NOW_US, SOURCE, FixedClock, grow, make_events, make_state, open_store

ONE, OTHER, MIRROR = "sandbox:12ab", "sandbox:34cd", "https://mirror.example/apiv2/"
ALL = ("", ANY_SANDBOX, ONE, OTHER, SOURCE, MIRROR)


def joined(*sources: str) -> str | None:
    known: str | None = ""
    for source in sources:
        known = None if known is None else join_sources(known, source)
    return known


def test_the_order_of_a_join_does_not_matter_and_repeats_change_nothing() -> None:
    for three in product(ALL, repeat=3):
        assert len({joined(*order) for order in permutations(three)}) == 1, three
        assert joined(*three, *three) == joined(*three)


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("", SOURCE, SOURCE),
        ("", ANY_SANDBOX, ANY_SANDBOX),
        (ANY_SANDBOX, ONE, ONE),
        (ONE, ONE, ONE),
        (ONE, OTHER, None),
        (ANY_SANDBOX, SOURCE, None),
        (ONE, SOURCE, None),
        (SOURCE, MIRROR, None),
    ],
)
def test_two_sources_join_or_never_mix(ours: str, theirs: str, both: str | None) -> None:
    assert join_sources(ours, theirs) == both


@pytest.mark.parametrize(
    ("folder", "source", "fits"),
    [
        ("freesound_library", SOURCE, True),
        ("freesound_library", MIRROR, True),
        ("freesound_library", ONE, False),
        ("data/freesound_library", ANY_SANDBOX, False),
        ("sandbox_library", ONE, True),
        ("sandbox_library", "http://127.0.0.1:8000/apiv2/", True),
        ("sandbox_library", SOURCE, False),
        ("elsewhere", ONE, True),
        ("elsewhere", SOURCE, True),
    ],
)
def test_an_empty_default_folder_takes_the_sounds_it_is_named_for(folder: str, source: str, fits: bool) -> None:
    if fits:
        assert check_source(Path(folder), "", source) == source
    else:
        with pytest.raises(WrongSource, match=f"^{folder} is for .*; nothing was changed: "):
            check_source(Path(folder), "", source)
        # One that holds such sounds already, from an earlier version, goes on.
        assert check_source(Path(folder), source, source) == source


def test_a_folder_has_its_name_also_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "freesound_library").mkdir()
    monkeypatch.chdir(tmp_path / "freesound_library")
    with pytest.raises(WrongSource, match="set FREESOUND_API_KEY"):
        check_source(Path(), "", ONE)


def begun(folder: Path, source: str) -> Path:
    """Make a library that has a source and no sound, as `harvester init` does."""
    with open_store(folder) as store:
        store.set_source(source)
        store.checkpoint()
    return folder


def of(source: str) -> SoundGraph:
    state = make_state(make_events(3))
    state.source = source
    return state


def packed(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


REFUSED = [(ANY_SANDBOX, SOURCE), (SOURCE, ONE)]


@pytest.mark.parametrize(("mark", "other"), REFUSED)
def test_a_mark_without_a_sound_refuses_the_mixture_everywhere(mark: str, other: str, tmp_path: Path) -> None:
    folder = begun(tmp_path / "library", mark)
    before = (folder / CHECKPOINT).read_bytes()
    assert len(load_state(folder, None).state) == 0
    with open_store(folder) as store, pytest.raises(WrongSource):  # a harvest, an import
        store.set_source(other)
    (tmp_path / "other.pkl").write_bytes(packed(of(other)))
    with pytest.raises(WrongSource):
        merge_libraries([tmp_path / "other.pkl"], folder, clock=FixedClock())
    with pytest.raises(WrongSource):  # the merge driver of Git, in both directions
        merge_bytes(before, packed(of(other)))
    with pytest.raises(WrongSource):
        merge_bytes(packed(of(other)), before)
    encoded = Encoded()
    save_backup(folder, encode_checkpoint(of(other), encoded), digest=encoded, nodes=3, now_us=NOW_US)
    with pytest.raises(WrongSource, match="name another backup"):
        restore_library(folder, clock=FixedClock())
    assert (folder / CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(("mark", "other"), REFUSED)
def test_the_mark_stays_where_either_file_is_lost(mark: str, other: str, tmp_path: Path) -> None:
    for lost in ("journal", "checkpoint"):
        folder = begun(tmp_path / lost, mark)
        for path in folder.glob("*.journal*" if lost == "journal" else "*.pkl"):
            path.unlink()
        with open_store(folder) as store, pytest.raises(WrongSource):
            store.set_source(other)


def test_a_rehearsal_takes_the_sounds_of_one_sandbox_and_then_no_others(tmp_path: Path) -> None:
    folder = begun(tmp_path / "library", ANY_SANDBOX)
    with open_store(folder) as store:
        store.set_source(ONE)
        store.set_source(ANY_SANDBOX)
        grow(store, make_events(2))
    with open_store(folder) as store:
        assert store.state.source == ONE
        store.checkpoint()
        with pytest.raises(WrongSource):
            store.set_source(OTHER)
    assert load_state(folder, None).state.source == ONE


def test_a_mark_joins_what_grew_from_it_and_adds_nothing(tmp_path: Path) -> None:
    empty = (begun(tmp_path / "library", ANY_SANDBOX) / CHECKPOINT).read_bytes()
    grown = packed(of(ONE))
    for ours, theirs in ((empty, grown), (grown, empty)):
        assert merge_bytes(ours, theirs)[0] == grown
    assert is_sandbox(ONE)
    assert not is_sandbox(SOURCE)


def test_a_merge_makes_no_folder_of_the_wrong_name(tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(packed(of(ONE)))
    with pytest.raises(WrongSource, match="is for Freesound's sounds"):
        merge_libraries([tmp_path / "other.pkl"], tmp_path / "freesound_library", clock=FixedClock())
    assert not (tmp_path / "freesound_library").exists()
    with Store.open(tmp_path / "other", clock=FixedClock(), source=ONE) as store:
        assert store.state.source == ONE

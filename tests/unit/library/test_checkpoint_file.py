"""Saving: a checkpoint that another program replaced is merged, at whatever moment, and never overwritten."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.checkpoint.format import encode_checkpoint
from harvester.errors import LibraryUnwritable
from harvester.graph import SoundGraph
from harvester.journal import Journal
from harvester.library.checkpoint_file import MOST_TRIES
from harvester.library.load import Loaded
from harvester.library.recovery import settle_files
from harvester.model import Known
from harvester.storage.atomic import Files
from harvester.storage.paths import CHECKPOINT
from tests.support.samples import SOURCE, grow, make_events, make_state, names_in, open_store, reload_content


def pull(folder: Path, state: SoundGraph) -> None:
    """Put a library over the checkpoint as Git does: written beside, then renamed over what is there."""
    (folder / "new").write_bytes(b"".join(encode_checkpoint(state)))
    (folder / "new").rename(folder / CHECKPOINT)


class Interrupted(Files):
    """Real files, with another program at work just before a temporary is synced, or just after it was renamed."""

    def __init__(self, *, synced: Callable[[], None] | None = None, renamed: Callable[[], None] | None = None) -> None:
        self._synced, self._renamed = synced, renamed

    def fsync(self, descriptor: int) -> None:
        super().fsync(descriptor)
        if self._synced is not None:
            self._synced()

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if self._renamed is not None and target.name == CHECKPOINT:
            work, self._renamed = self._renamed, None
            work()


def test_a_file_that_keeps_changing_under_a_checkpoint_ends_it_with_a_word_and_the_journal_keeps_everything(
    tmp_path: Path,
) -> None:
    numbers = count(100)

    def another() -> None:
        pull(tmp_path, make_state(make_events(1, first=next(numbers))))

    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        store._files = Interrupted(synced=another)
        grow(store, [Known(50, 1)])
        with pytest.raises(LibraryUnwritable, match=r"replaced it 5 times .*the journal holds everything"):
            store.checkpoint()
        assert next(numbers) == 100 + MOST_TRIES
        assert not store.checkpoint_due(), "it must not try again after every sound"
    assert not [name for name in names_in(tmp_path) if name.endswith(".tmp")]
    assert {1, 2, 3, 50, 104} <= set(reload_content(tmp_path)[0])


def test_a_file_that_comes_in_the_instant_after_ours_is_joined_next_time(tmp_path: Path) -> None:
    files = Interrupted(renamed=lambda: pull(tmp_path, make_state(make_events(2, first=100))))
    with open_store(tmp_path, source=SOURCE, files=files) as store:
        grow(store, make_events(3))
        store.checkpoint()
        grow(store, [Known(50, 1)])
        assert store.checkpoint().joined == 2
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50, 100, 101}


def test_a_file_that_comes_while_the_journal_notes_ours_is_joined_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        grow(store, [Known(50, 1)])
        update = store._journal.update

        def note_then_pull(**changes: Any) -> None:
            update(**changes)
            if changes.get("next_digest") and 100 not in store.state:
                pull(tmp_path, make_state(make_events(2, first=100)))

        monkeypatch.setattr(store._journal, "update", note_then_pull)
        assert store.checkpoint().joined == 2
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50, 100, 101}


def test_a_file_that_comes_between_loading_and_the_first_checkpoint_is_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()

    def settle_late(folder: Path, journal: Journal, loaded: Loaded, *rest: Any) -> None:
        settle_files(folder, journal, loaded, *rest)
        pull(folder, make_state(make_events(2, first=100)))

    monkeypatch.setattr("harvester.library.store.settle_files", settle_late)
    with open_store(tmp_path) as store:
        grow(store, [Known(50, 1)])
        assert store.checkpoint().joined == 2
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50, 100, 101}


def test_a_checkpoint_pulled_under_a_running_harvest_is_joined(tmp_path: Path) -> None:
    theirs = make_state(make_events(3, first=100))
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        pull(tmp_path, theirs)
        grow(store, [Known(50, 1)])
        info = store.checkpoint()
        assert info.joined == 3
        assert info.backup is not None, "what never was an event must not live in one file alone"
        assert len(store.state) == 7
        assert any("was merged" in line for line in store.notices)
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50, 100, 101, 102}


@pytest.mark.parametrize("content", [b"rot", b"".join(encode_checkpoint(make_state([])))])
def test_rubbish_put_over_the_checkpoint_of_a_running_harvest_harms_nothing(tmp_path: Path, content: bytes) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        (tmp_path / CHECKPOINT).write_bytes(content)
        grow(store, [Known(50, 1)])
        store.checkpoint()
    assert len(load_checkpoint(tmp_path / CHECKPOINT).state) == 4


def test_a_library_of_another_source_put_there_is_set_aside_not_mixed(tmp_path: Path) -> None:
    other = make_state(make_events(2, first=500))
    other.source = "sandbox:1"
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        (tmp_path / CHECKPOINT).write_bytes(b"".join(encode_checkpoint(other)))
        store.checkpoint()
        assert len(store.state) == 3
    assert len(list((tmp_path / "quarantine").iterdir())) == 1


def test_a_strangers_file_that_could_not_be_read_is_joined_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, dropped: object) -> None:
        raise LibraryUnwritable(f"{path}: it cannot be read (too many open files); nothing was changed")

    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        pull(tmp_path, make_state(make_events(2, first=100)))
        grow(store, [Known(50, 1)])
        with monkeypatch.context() as patched:
            patched.setattr("harvester.library.checkpoint_file.load_checkpoint", refused)
            with pytest.raises(LibraryUnwritable, match="too many open files"):
                store.checkpoint()
        assert store.checkpoint().joined == 2
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50, 100, 101}


def test_the_true_checkpoint_put_back_while_an_older_backup_stands_in_is_joined(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
        grow(store, [Known(50, 1)])
        newest = store.checkpoint(backup=True).backup
    assert newest is not None
    newest.unlink()
    true = (tmp_path / CHECKPOINT).read_bytes()
    (tmp_path / CHECKPOINT).write_bytes(true[:-20])
    with open_store(tmp_path) as store:
        assert len(store.state) == 3
        (tmp_path / CHECKPOINT).write_bytes(true)
        assert store.checkpoint().joined == 1
    assert set(load_checkpoint(tmp_path / CHECKPOINT).state.graph) == {1, 2, 3, 50}

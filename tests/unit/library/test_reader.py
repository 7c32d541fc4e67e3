"""Readers: complete views beside a running writer, from any thread, without a trace in the folder."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.checkpoint import read_signature
from harvester.journal import load_contents
from harvester.library import load, reader
from harvester.library.reader import load_view
from harvester.model import Known
from harvester.storage.paths import CHECKPOINT
from tests.support.samples import NOW_US, SOURCE, content_of, grow, make_events, make_state, names_in, open_store


def test_no_library_is_an_empty_view(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        view = load_view(folder)
        assert (len(view.state), view.deferrals, view.last_checkpoint_at) == (0, {}, None)
    assert names_in(tmp_path) == set()


def test_a_view_has_the_journal_that_the_checkpoint_lacks(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        store.checkpoint()
        grow(store, [Known(9, 1)])
        view = load_view(tmp_path)
        assert content_of(view.state) == content_of(store.state)
        assert (view.unsaved, view.last_checkpoint_at, view.state.source) == (1, NOW_US, SOURCE)
        assert view.notices == []


def test_a_checkpoint_that_git_put_there_is_as_old_as_its_file(tmp_path: Path) -> None:
    for folder, events in ((tmp_path / "ours", make_events(3)), (tmp_path / "theirs", make_events(4))):
        with open_store(folder, source=SOURCE) as store:
            grow(store, events)
            store.checkpoint()
    theirs = tmp_path / "theirs" / CHECKPOINT
    os.utime(theirs, ns=(0, (NOW_US + 7) * 1000))
    theirs.replace(tmp_path / "ours" / CHECKPOINT)
    assert load_view(tmp_path / "ours").last_checkpoint_at == NOW_US + 7


def test_a_damaged_checkpoint_is_left_where_it_is_by_a_reader(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        grow(store, make_events(3))
        store.checkpoint(backup=True)
    (tmp_path / CHECKPOINT).write_bytes(b"rot")
    before = names_in(tmp_path)
    view = load_view(tmp_path)
    assert len(view.state) == 3
    assert any("corrupt" in line for line in view.notices)
    assert names_in(tmp_path) == before


def test_views_beside_a_running_writer_are_consistent_and_never_shrink(tmp_path: Path) -> None:
    problems: list[str] = []
    done = threading.Event()

    def read() -> None:
        largest = 0
        while not done.is_set():
            view = load_view(tmp_path)
            content_of(view.state)
            if len(view.state) < largest:
                problems.append(f"{len(view.state)} after {largest}")
            if view.notices:
                problems.extend(view.notices)
            largest = len(view.state)

    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(1))
        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for step in range(25):
                grow(store, make_events(2, first=10 + 2 * step))
                if step % 3 == 0:
                    store.checkpoint(backup=step % 2 == 0)
        finally:
            done.set()
            for reader in readers:
                reader.join()
    assert problems == []


def test_the_views_state_equals_a_replay(tmp_path: Path) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        store.append(make_events(4))
    assert content_of(load_view(tmp_path).state) == content_of(make_state(make_events(4)))


def test_a_first_checkpoint_that_comes_while_it_is_looked_for_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        look = read_signature

        def late(path: Path) -> object:
            found = look(path)
            if found is None and path.name == CHECKPOINT:
                store.checkpoint(backup=True)
            return found

        monkeypatch.setattr(load, "read_signature", late)
        view = load_view(tmp_path)
    assert view.notices == []
    assert len(view.state) == 3


def test_a_first_checkpoint_and_a_later_backup_that_come_after_the_journal_was_read_are_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path, source=SOURCE) as store:
        grow(store, make_events(3))
        steps: list[Callable[[], object]] = [
            store.checkpoint,
            lambda: grow(store, make_events(2, first=10)),
            store.back_up,
        ]

        def early(path: Path) -> object:
            found = load_contents(path)
            while steps:
                steps.pop(0)()
            return found

        monkeypatch.setattr(reader, "load_contents", early)
        view = load_view(tmp_path)
    assert view.notices == []
    assert len(view.state) == 5

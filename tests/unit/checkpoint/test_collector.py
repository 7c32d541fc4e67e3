"""The cyclic collector rests while a checkpoint is read, and is afterwards as it was."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import pytest

from harvester.checkpoint import decode_checkpoint, encode_checkpoint, store_checkpoint
from harvester.errors import LibraryCorrupt
from tests.support.view_samples import make_record, make_state

PACKED = b"".join(encode_checkpoint(make_state([make_record(sound_id) for sound_id in range(1, 400)])))


@pytest.fixture
def phases() -> Iterator[list[str]]:
    """Each beginning and end of a collection during the test."""
    seen: list[str] = []

    def note(phase: str, _: dict[str, int]) -> None:
        seen.append(phase)

    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)


def store(packed: bytes) -> None:
    with NamedTemporaryFile() as file:
        file.write(packed)
        file.flush()
        assert store_checkpoint(Path(file.name)) is not None


@pytest.mark.parametrize("read", [decode_checkpoint, store])
def test_nothing_is_collected_while_a_checkpoint_is_read(phases: list[str], read: Callable[[bytes], object]) -> None:
    usual = gc.get_threshold()
    gc.set_threshold(1)
    try:
        phases.clear()
        read(PACKED)
        counted = len(phases)
    finally:
        gc.set_threshold(*usual)
    # Some come before and after: 18 phases, and 8,404 if it did not rest.
    assert counted < 200


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_before_whatever_the_file_is(was_on: bool) -> None:
    frozen = gc.get_freeze_count()
    try:
        if not was_on:
            gc.disable()
        decode_checkpoint(PACKED)
        assert (gc.isenabled(), gc.get_freeze_count()) == (was_on, frozen)
        with pytest.raises(LibraryCorrupt):
            decode_checkpoint(PACKED[:-1])
        assert (gc.isenabled(), gc.get_freeze_count()) == (was_on, frozen)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("frozen", "containers", "is_moved"), [(False, 100, True), (False, 10**9, False), (True, 100, False)]
)
def test_a_large_load_goes_to_the_oldest_generation_unless_the_program_has_frozen_objects(
    frozen: bool, containers: int, is_moved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.checkpoint.format._MANY_CONTAINERS", containers)
    gc.collect()
    gc.unfreeze()
    try:
        if frozen:
            gc.freeze()
        graph = decode_checkpoint(PACKED).state.graph
        assert any(one is graph for one in gc.get_objects(generation=2)) == is_moved
        assert bool(gc.get_freeze_count()) == frozen
    finally:
        gc.freeze()

"""Libraries whose sounds have vectors, and their lists."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harvester.library.reader import load_view
from harvester.library.store import Store
from harvester.model import COMPUTED, Event, Seen
from tests.support.samples import NOW_US, SOURCE, FixedClock, make_record

SPACE, DIMENSION = "freesound_classic", 100
Lists = dict[int, tuple[tuple[int, float], ...]]


def place(seed: int) -> np.ndarray:
    """Return one of a few vectors, some of which are very near each other."""
    dice = np.random.default_rng(seed % 5)
    near = np.random.default_rng(seed).standard_normal(DIMENSION) * (0.4 if seed % 3 else 0.0)
    vector = dice.standard_normal(DIMENSION) + near
    unit: np.ndarray = vector / np.linalg.norm(vector)
    return unit


def add(folder: Path, sounds: dict[int, int], events: Iterable[Event] = (), at: int = NOW_US - 5000) -> None:
    """Put sounds with vectors into a library: seeds of vectors by id; then `events`."""
    with Store.open(folder, clock=FixedClock(), source=SOURCE) as store:
        store.state.space = SPACE
        news = [Seen(sound_id, make_record(sound_id), at) for sound_id in sounds if sound_id not in store.state]
        for event in (*news, *events):
            store.append([event])
            store.state.apply(event)
        store.state.space = SPACE
        store.keep_vectors({sound_id: array("f", place(seed)) for sound_id, seed in sounds.items()})
        store.checkpoint(backup=True)


def lists_of(folder: Path, origin: str = COMPUTED) -> Lists:
    state = load_view(folder).state
    found = {sound_id: state.similar(sound_id) for sound_id in state.graph}
    return {one: similar.neighbours for one, similar in found.items() if similar and similar.origin == origin}

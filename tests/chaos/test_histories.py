"""Random histories of three people who grow, commit, pull, rebase and push one library: no conflict, nothing lost."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from harvester.checkpoint.files import load_checkpoint
from harvester.model import Event, Gone, Linked, Seen, SimilarList, Withdrawn
from tests.support.clones import Clone, make_clones, needs_git, needs_lfs
from tests.support.samples import NOW_US, FixedClock, content_of, grow, make_record, make_state, open_store

STEPS = 12


class History:
    """Three clones, and every event that any of them ever accepted."""

    def __init__(self, folder: Path, seed: int, *, lfs: bool) -> None:
        self.chance = random.Random(seed)
        self.clones = make_clones(folder, 3, lfs=lfs)
        self.lfs = lfs
        self.accepted: list[Event] = []
        self.stamps = itertools.count(NOW_US - 1_000_000)
        self.told: list[str] = []

    def step(self) -> None:
        clone = self.chance.choice(self.clones)
        actions = [self.grow, self.grow, self.save, self.pull, self.rebase, self.push]
        # What a pointer of LFS stands for is at the remote: another clone can be asked for commits, not for that.
        action = self.chance.choice(actions if self.lfs else [*actions, self.cross])
        self.told.append(f"{action.__name__} {clone.root.name}")
        action(clone)

    def grow(self, clone: Clone, *, saved: bool | None = None) -> None:
        events = [self.event() for _ in range(self.chance.randint(1, 6))]
        with open_store(clone.folder, FixedClock()) as store:
            if not store.state.source:
                store.set_source("https://freesound.org/apiv2/")
            grow(store, events)
            # A run that was killed leaves its events in the journal only.
            if self.chance.random() < 0.7 if saved is None else saved:
                store.checkpoint(backup=self.chance.random() < 0.2)
            elif saved is None and self.chance.random() < 0.5:
                store.back_up()
        self.accepted += events

    def event(self) -> Event:
        sound_id, stamp = self.chance.randint(1, 40), next(self.stamps)
        kind = self.chance.random()
        if kind < 0.5:
            return Seen(sound_id, make_record(sound_id, name=f"name {stamp}"), stamp)
        if kind < 0.9:
            others = self.chance.sample([other for other in range(1, 41) if other != sound_id], 4)
            return Linked(sound_id, SimilarList(tuple((other, 0.9) for other in sorted(others)), stamp, 25))
        return Gone(sound_id, stamp) if kind < 0.97 else Withdrawn(sound_id, stamp)

    def save(self, clone: Clone) -> None:
        clone.commit()

    def pull(self, clone: Clone) -> None:
        clone.commit()
        clone.git("pull", "--quiet", "--no-edit", "--no-rebase")

    def rebase(self, clone: Clone) -> None:
        clone.commit()
        clone.git("pull", "--quiet", "--rebase")

    def push(self, clone: Clone) -> None:
        clone.try_git("push", "--quiet")  # refused when the other is ahead: that is how it is

    def cross(self, clone: Clone) -> None:
        clone.commit()
        other = self.chance.choice([one for one in self.clones if one is not clone])
        other.commit()
        clone.git("pull", "--quiet", "--no-edit", "--no-rebase", str(other.root), "HEAD")

    def settle(self) -> None:
        """Let everyone save, pull and push until all have everything."""
        for clone in self.clones:
            self.grow(clone, saved=True)
        for clone in [*self.clones, *self.clones]:
            self.pull(clone)
            clone.git("push", "--quiet", "origin", "HEAD:main")


def live(folder: Path, seed: int, *, lfs: bool = False) -> None:
    history = History(folder, seed, lfs=lfs)
    try:
        for clone in history.clones:
            if clone is not history.clones[0]:
                clone.git("pull", "--quiet", "--no-rebase", "origin", "main")
        for _ in range(STEPS):
            history.step()
        history.settle()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {history.told}") from error
    expected = content_of(make_state(history.accepted))
    for clone in history.clones:
        assert content_of(load_checkpoint(clone.checkpoint).state) == expected, (seed, history.told)
        assert clone.checkpoint.read_bytes() == history.clones[0].checkpoint.read_bytes()
        assert clone.git("status", "--porcelain") == ""


@needs_git
@pytest.mark.parametrize("seed", range(3))
def test_a_random_history_of_three_clones_ends_without_a_conflict_and_with_everything(
    tmp_path: Path, seed: int
) -> None:
    live(tmp_path, seed)


@pytest.mark.chaos
@needs_git
@pytest.mark.parametrize("seed", range(100, 200))
def test_a_hundred_random_histories(tmp_path: Path, seed: int) -> None:
    live(tmp_path, seed)


@pytest.mark.chaos
@needs_git
@needs_lfs
@pytest.mark.parametrize("seed", range(1100, 1120))
def test_twenty_random_histories_with_lfs(tmp_path: Path, seed: int) -> None:
    live(tmp_path, seed, lfs=True)

"""`harvester relate` killed anywhere: all relations or none, and the next run makes the rest."""

from __future__ import annotations

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from harvester.checkpoint import digest_of
from harvester.library.reader import load_view
from harvester.model import Seen
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.processes import start
from tests.support.samples import NOW_US, SOURCE, grow, make_record, open_store

SOUNDS, TAGS = 200, [f"tag{number}" for number in range(60)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library in `lib`, and the same in `whole` with its relations."""
    folder = tmp_path_factory.mktemp("place")
    chosen = random.Random(1)
    with open_store(folder / "lib") as store:
        store.set_source(SOURCE)
        records = [make_record(one, tags=chosen.sample(TAGS, 5), username=f"u{one % 9}") for one in range(1, SOUNDS)]
        grow(store, [Seen(record["id"], record, NOW_US) for record in records])
        store.rewrite()
    shutil.copytree(folder / "lib", folder / "whole")
    assert call("relate", "--library", "whole", cwd=folder).code == 0
    return folder


def is_writing(library: Path) -> bool:
    return any(name.startswith(".freesound_library") for name in os.listdir(library))  # noqa: PTH208 - asked often


@pytest.mark.parametrize("instant", ["before it writes", "in the checkpoint", "after it"])
def test_a_killed_relate_has_made_all_relations_or_none(instant: str, place: Path, tmp_path: Path) -> None:
    library = shutil.copytree(place / "lib", tmp_path / "lib")
    before, whole = (digest_of(load_view(place / name).state) for name in ("lib", "whole"))
    assert before != whole
    first = (library / CHECKPOINT).stat().st_ino
    with start("relate", "--library", "lib", cwd=tmp_path) as process:
        while process.poll() is None and not (
            instant == "before it writes"
            or (instant == "in the checkpoint" and is_writing(library))
            or (library / CHECKPOINT).stat().st_ino != first
        ):
            time.sleep(0.0002)
        ended = process.poll() is not None
        process.kill()
    found = digest_of(load_view(library).state)
    # The backup after the checkpoint is written within milliseconds: the process may have ended.
    assert (found, ended) == (before, False) if instant != "after it" else found in (before, whole)
    assert call("relate", "--library", "lib", cwd=tmp_path).code == 0
    assert digest_of(load_view(library).state) == whole
    assert call("check", "--library", "lib", cwd=tmp_path).code == 0
    assert not list(library.glob(".*"))

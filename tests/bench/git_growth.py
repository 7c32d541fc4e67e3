"""What a library costs in Git: a history of harvests, committed one by one, packed by a real `git gc`.

The harvest is the sandbox's catalogue walked most downloads first, 25 neighbours a list, which is what spreads new
lists over old sounds. Beside our file stands the same content as the library everybody reaches for writes it.
"""

from __future__ import annotations

import heapq
import pickle
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from harvester.checkpoint.format import encode_checkpoint
from harvester.graph import SoundGraph
from harvester.model import Linked, Seeded, Seen, SimilarList
from harvester.sandbox.generated import GeneratedCatalogue
from tests.bench.table import Table
from tests.support.clones import environment

SOUNDS = 20_000
NEIGHBOURS = 25
HISTORIES = ((20, 100), (100, 50))
START_US = 1_790_000_000_000_000
REQUEST_US = 1_020_000


def run() -> Table:
    table = Table(
        "A library in Git: all of a history, packed by git gc, against its last file",
        ("history", "layout", "sounds", "last file kB", "packed kB", "ratio"),
    )
    for commits, samples in HISTORIES:
        # A file rewritten whole takes Git minutes to pack a hundred times; twenty tell enough.
        layouts = (("harvester", ours), ("pickle and zlib, whole", whole)) if commits <= 20 else (("harvester", ours),)
        for name, encode in layouts:
            with tempfile.TemporaryDirectory() as folder:
                sounds, last, packed = measure(Path(folder), encode, commits, samples)
            what = f"{commits} commits of {samples} samples"
            table.rows.append((what, name, sounds, last / 1000, packed / 1000, packed / last))
    table.notes.append("goals: a ratio of at most 5 for 100 commits, 1.5 for 20")
    return table


def measure(folder: Path, encode: Callable[[SoundGraph], bytes], commits: int, samples: int) -> tuple[int, int, int]:
    """Commit `commits` harvests of `samples` samples and return sounds, bytes of the last file, bytes of the pack."""
    _git(folder, "init", "--quiet")
    last = sounds = 0
    for state in histories(commits, samples):
        content = encode(state)
        (folder / "freesound_library.pkl").write_bytes(content)
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "-m", "library")
        last, sounds = len(content), len(state)
    _git(folder, "gc", "--quiet")
    packed = sum(path.stat().st_size for path in (folder / ".git/objects").rglob("*") if path.is_file())
    return sounds, last, packed


def ours(state: SoundGraph) -> bytes:
    return b"".join(encode_checkpoint(state))


def whole(state: SoundGraph) -> bytes:
    records = {sound_id: state.record(sound_id) for sound_id in state.graph}
    content = {"graph": state.graph, "processed_ids": state.processed, "sound_cache": records, "metadata": {}}
    return zlib.compress(pickle.dumps(content, protocol=5), 3)


def histories(commits: int, samples: int) -> Iterator[SoundGraph]:
    """Give one growing state after each harvest."""
    catalogue = GeneratedCatalogue(SOUNDS)
    state = SoundGraph("sandbox:bench")
    now_us = START_US
    waiting: list[tuple[float, int]] = []

    def see(sound_id: int) -> None:
        record = catalogue.record(sound_id)
        assert record is not None
        state.apply(Seen(sound_id, dict(record), now_us))
        heapq.heappush(waiting, (-record["num_downloads"], sound_id))

    state.apply(Seeded(tuple(catalogue.ordered("downloads_desc")[:50])))
    for sound_id in sorted(state.seeds):
        see(sound_id)
    for _ in range(commits):
        for _ in range(samples):
            now_us += REQUEST_US
            _, sound_id = heapq.heappop(waiting)
            found = catalogue.neighbours(sound_id, "laion_clap")[:NEIGHBOURS]
            neighbours = tuple((other, min(score, 1.0)) for other, score in found)
            for other, _ in neighbours:
                if other not in state:
                    see(other)
            state.apply(Linked(sound_id, SimilarList(neighbours, now_us, NEIGHBOURS)))
        now_us += 3_600_000_000
        yield state


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, env=environment(folder), check=True, capture_output=True)

"""Linking at home: what it costs beside one request a sound, whether it says the same, and how long it takes.

The first part is the sandbox of 10,000 sounds, its own exact lists beside the ones made from its vectors. The second
makes up 100,000 vectors of 512 dimensions (2,000 clusters, 48 directions that matter, noise in all) and links them,
then 1,000 more. Each part of the second runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import orjson

from harvester.clock import Stop, SystemClock
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.graph import SoundGraph
from harvester.library.reader import load_view
from harvester.library.store import Store
from harvester.model import CORE_FIELDS, Known, Seen, Vector
from harvester.pipeline.harvest import Harvest
from harvester.pipeline.plan import Plan
from harvester.pipeline.progress import Progress
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from harvester.similarity.knn import find_nearest
from harvester.similarity.link import link_library
from harvester.similarity.vector_table import map_table
from tests.bench.table import Table
from tests.support.fake_transport import SandboxTransport
from tests.support.virtual_time import VirtualClock, run_virtual

SOUNDS, NEIGHBOURS = 10_000, 25
MANY, MORE = 100_000, 1_000
SPACE, DIMENSIONS = "laion_clap", 512
CHECKED = 1_000
SOURCE = "sandbox:bench"


def run() -> Table:
    table = Table(
        f"Similar lists of {NEIGHBOURS} made from vectors",
        ("what", "requests", "seconds", "CPU seconds", "peak MB", "recall", "score difference"),
    )
    with TemporaryDirectory() as folder:
        table.rows.append((f"{SOUNDS:,} sandbox sounds: a request each", SOUNDS, "-", "-", "-", "-", "-"))
        table.rows.append(sandbox_row(Path(folder) / "sandbox"))
    with TemporaryDirectory() as folder:
        for what in ("grow", "search", "link", "grow more", "link more"):
            row = _in_a_process(what, Path(folder))
            table.rows += [row] if row else []
    table.notes.append("Recall and differences: against the sandbox's own lists; else against the brute force in")
    table.notes.append("double precision over the vectors as they came, before they were rounded to half precision.")
    return table


def sandbox_row(folder: Path) -> tuple[object, ...]:
    """Sweep a sandbox with its vectors, link, and compare every list with the sandbox's own."""
    catalogue = GeneratedCatalogue(SOUNDS, 7)
    requests, before_s = sweep(catalogue, folder), time.process_time()
    report = link_library(folder, clock=SystemClock(), neighbours=NEIGHBOURS)
    cpu_s = round(time.process_time() - before_s, 1)
    found, expected, difference = compare_with(catalogue, load_view(folder).state)
    what = f"{SOUNDS:,} sandbox sounds: sweep with vectors, link"
    return (what, requests, round(report.seconds, 1), cpu_s, "-", found / expected, difference)


def sweep(catalogue: GeneratedCatalogue, folder: Path) -> int:
    """Collect all of a catalogue with its vectors and return how many requests that took."""

    async def main() -> int:
        clock, stop = VirtualClock(), Stop()
        transport = SandboxTransport(Sandbox(catalogue, clock=clock, burst=None, daily=None), clock, latency_s=0.001)
        client = FreesoundClient(
            transport, clock=clock, stop=stop, ledger=MemoryLedger(), limits=LEVELS[99], rng=Random(0)
        )
        plan = Plan(target=0, sweep=True, filter="duration:[0 TO *]", vectors=SPACE)
        with Store.open(folder, clock=clock, source=SOURCE) as store:
            await Harvest(plan, store, client, clock=clock, stop=stop, progress=Progress(clock, 0)).run()
        return len(transport.sent)

    return run_virtual(main())


def compare_with(catalogue: GeneratedCatalogue, state: SoundGraph) -> tuple[int, int, float]:
    """Return (found, expected, largest difference of a score) over all lists of the catalogue."""
    found = expected = 0
    difference = 0.0
    for sound_id in state.graph:
        theirs = catalogue.neighbours(sound_id, SPACE)[:NEIGHBOURS]
        similar = state.similar(sound_id)
        ours = dict(similar.neighbours) if similar is not None else {}
        expected += len(theirs)
        found += sum(other in ours for other, _ in theirs)
        difference = max([difference, *(abs(ours[other] - score) for other, score in theirs if other in ours)])
    return found, expected, difference


def made_up(count: int, random_seed: int) -> np.ndarray:
    """Return unit vectors that lie in overlapping clusters, like sounds do."""
    dice = np.random.default_rng(1)
    centres, turn = dice.standard_normal((2000, 48)), dice.standard_normal((48, DIMENSIONS)) / np.sqrt(48)
    dice = np.random.default_rng(random_seed)
    places = centres[dice.integers(0, 2000, count)] + 0.8 * dice.standard_normal((count, 48))
    vectors = (places @ turn + 0.25 * dice.standard_normal((count, DIMENSIONS))).astype(np.float32)
    units: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return units


def _grow(folder: Path, vectors: np.ndarray, first_id: int) -> None:
    """Put sounds with these vectors into a library, as a sweep does."""
    with Store.open(folder, clock=SystemClock(), source=SOURCE) as store:
        now_us = SystemClock().time_us()
        bare = dict.fromkeys(CORE_FIELDS)
        for sound_id in range(first_id, first_id + len(vectors)):
            store.state.apply(Known(sound_id, now_us))
            store.state.apply(Seen(sound_id, bare | {"id": sound_id, "name": f"sound {sound_id}"}, now_us))
        store.keep_vectors(dict(_numbered(vectors, first_id)))
        store.rewrite()


def _numbered(vectors: np.ndarray, first_id: int) -> Iterator[tuple[int, Vector]]:
    for place, vector in enumerate(vectors):
        yield first_id + place, array("f", vector.tobytes())


def _in_a_process(what: str, folder: Path) -> tuple[object, ...]:
    command = [sys.executable, "-m", "tests.bench.linking", what, str(folder)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return tuple(orjson.loads(ended.stdout))


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


def _search(folder: Path) -> tuple[object, ...]:
    """Measure the arithmetic alone."""
    with Store.open(folder / "lib", clock=SystemClock()) as store:
        contents, path = store.vectors.contents, store.vectors.path
    assert contents.header is not None
    with path.open("rb") as file:
        table = map_table(file, contents.header, {one: row for one, (row, _) in contents.places.items()})
    rows, started_s, before_s = np.arange(len(table)), time.perf_counter(), time.process_time()
    for _ in find_nearest(table, rows, rows, NEIGHBOURS, np.full(len(rows), 0.7)):
        pass
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - before_s
    what = f"{MANY:,} made-up vectors: the arithmetic"
    return (what, 0, round(took_s, 1), round(cpu_s, 1), _peak_mb(), "-", "-")


def _link(folder: Path, count: int, what: str) -> tuple[object, ...]:
    report = link_library(folder / "lib", clock=SystemClock(), neighbours=NEIGHBOURS)
    cpu_s, peak_mb = round(time.process_time(), 1), _peak_mb()
    recall, difference = _accuracy(folder / "lib", count)
    return (what, 0, round(report.seconds, 1), cpu_s, peak_mb, recall, difference)


def _accuracy(folder: Path, count: int) -> tuple[float, float]:
    """Compare some lists with the brute force over the vectors before they were rounded."""
    exact = np.concatenate((made_up(MANY, 2), made_up(MORE, 3)))[:count].astype(np.float64)
    state, found, expected, difference = load_view(folder).state, 0, 0, 0.0
    for place in np.random.default_rng(4).choice(count, CHECKED, replace=False).tolist():
        scores = (1 + exact @ exact[place]) / 2
        scores[place] = -1
        best = np.argsort(-scores)[:NEIGHBOURS]
        theirs = {int(other) + 1: float(scores[other]) for other in best if scores[other] >= 0.7}
        similar = state.similar(place + 1)
        ours = dict(similar.neighbours) if similar is not None else {}
        expected += len(theirs)
        found += len(theirs.keys() & ours.keys())
        difference = max([difference, *(abs(ours[other] - theirs[other]) for other in theirs.keys() & ours.keys())])
    return found / expected, difference


def _main(what: str, folder: Path) -> tuple[object, ...]:
    if what == "grow":
        _grow(folder / "lib", made_up(MANY, 2), 1)
        return ()
    if what == "search":
        return _search(folder)
    if what == "link":
        return _link(folder, MANY, f"{MANY:,} made-up sounds: `harvester link`, all of it")
    if what == "grow more":
        _grow(folder / "lib", made_up(MORE, 3), MANY + 1)
        return ()
    return _link(folder, MANY + MORE, f"{MORE:,} more: `harvester link` again")


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(_main(sys.argv[1], Path(sys.argv[2]))))

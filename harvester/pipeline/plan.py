"""The plan of a run: what to search for, where to start, which sounds to link, and when to stop. Plain, frozen data.

The only description of a run inside the pipeline: the scope, the fetchers and the frontier read it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harvester.model import check_sound_id
from harvester.pipeline.stale import Refresh
from harvester.settings import CONCURRENCY, COUNT, COUNT_FROM_ZERO, SAMPLES_PER_COMMIT


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does.

    `target`: samples to add (None: no end). `seed_ids`: sounds to start from. `new_seeds`: the search for seeds comes
    before anything else; otherwise only when no sound waits. `query` and `filter` say what the search finds, and
    `filter` also which sounds may be linked; `neighbours` is the length of a similar list. `sweep`: every hit of the
    search is collected first, and only hits are linked then; `vectors` names the similarity space whose vectors a sweep
    brings (empty: none), `permitted` allows a sweep of any size. `refresh`: the run looks for nothing new and reads
    stale records and lists again.
    """

    target: int | None = 50
    seed_ids: tuple[int, ...] = ()
    new_seeds: bool = False
    query: str = ""
    filter: str = ""
    neighbours: int = 25
    sweep: bool = False
    vectors: str = ""
    permitted: bool = False
    refresh: Refresh | None = None
    order: str = "popular"
    random_seed: int = 0
    concurrency: int = 4
    samples_per_commit: int = SAMPLES_PER_COMMIT
    forever: bool = False
    grace_s: float = 30.0

    def __post_init__(self) -> None:
        """Raise `ValueError` for an id that no sound has, a number out of bounds, and vectors without a sweep."""
        for sound_id in self.seed_ids:
            check_sound_id(sound_id)
        if self.target is not None:
            COUNT_FROM_ZERO.check("target", self.target)
        CONCURRENCY.check("concurrency", self.concurrency)
        COUNT.check("samples_per_commit", self.samples_per_commit)
        if self.vectors and not self.sweep:
            raise ValueError(f"vectors {self.vectors} without a sweep: only a sweep brings vectors")

    @property
    def sort(self) -> str:
        """The order of seeds: best hits first where there is a query; without one all score alike, so by downloads."""
        return "score" if self.query else "downloads_desc"

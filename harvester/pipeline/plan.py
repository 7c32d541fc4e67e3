"""Describe a run: its search, its start, its sounds and its end."""

from __future__ import annotations

from dataclasses import dataclass

from harvester.model import check_sound_id
from harvester.pipeline.order import load_order
from harvester.pipeline.stale import Refresh
from harvester.settings import CONCURRENCY, COUNT, COUNT_FROM_ZERO, SAMPLES_PER_COMMIT


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does; the only description of a run in the pipeline.

    `target`: samples to add (None: no end). `seed_ids`: sounds to start from. `listed_ids`: fetch these sounds and no
    others: their records, then the similar lists of `target` of them. `new_seeds`: search for seeds first, not only
    when no sound waits. `query` and `filter` say what the search finds; `filter` also says whose similar lists may be
    fetched. `neighbours`: the length of a similar list. `usernames`: take sounds of these users only, whatever else the
    filter finds. `sweep`: collect every hit of the search first, then fetch the similar lists of hits only. `vectors`:
    the similarity space whose vectors a sweep brings (empty: none). `permitted` allows a sweep of any size. `refresh`:
    look for no new sound, fetch stale records and lists again.
    """

    target: int | None = 50
    seed_ids: tuple[int, ...] = ()
    listed_ids: tuple[int, ...] = ()
    new_seeds: bool = False
    query: str = ""
    filter: str = ""
    usernames: tuple[str, ...] = ()
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
        """Raise `ValueError` for an invalid id, number or combination.

        Raises `SettingsError` for an unknown order, and `PluginFailed` for one that cannot be loaded.
        """
        for sound_id in (*self.seed_ids, *self.listed_ids):
            check_sound_id(sound_id)
        if self.listed_ids and (self.seed_ids or self.query or self.filter or self.sweep or self.refresh):
            raise ValueError("listed_ids take no seeds, search, filter or refresh: every sound of the list is fetched")
        if self.target is not None:
            COUNT_FROM_ZERO.check("target", self.target)
        CONCURRENCY.check("concurrency", self.concurrency)
        COUNT.check("samples_per_commit", self.samples_per_commit)
        load_order(self.order)
        if self.vectors and not self.sweep:
            raise ValueError(f"vectors={self.vectors!r} needs sweep=True: only a sweep brings vectors")

    @property
    def sort(self) -> str:
        """The order of seeds: by score, or by downloads without a query.

        Without a query the server gives all hits the same score.
        """
        return "score" if self.query else "downloads_desc"

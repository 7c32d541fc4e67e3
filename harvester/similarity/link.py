"""Link a library: compute similar lists from its vectors.

Computed lists are not in the journal: a link writes a checkpoint and a verified backup, a long one every ten minutes.
A kill loses the lists since then. Scores are (1 + cosine) / 2, as the server's; its lists are not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harvester.clock import Clock
from harvester.errors import ClusterFailed
from harvester.jobs import Team, Threads
from harvester.library import Store
from harvester.model import COMPUTED, Linked, SimilarList
from harvester.similarity.knn import find_nearest
from harvester.similarity.last_run import LastRun, digest_of_lists, read_last_run
from harvester.similarity.plan import Tasks, plan_tasks
from harvester.similarity.vector_table import MIN_SCORE, Table, map_table, no_vectors
from harvester.storage import REAL_FILES, VECTORS, Files, refuse_placeholders

if TYPE_CHECKING:
    from harvester.similarity.vector_table import Ids

NEIGHBOURS = 25

_ALONE = Threads()

PART_S = 600.0
"""Commit a long link this often."""

Neighbours = tuple[tuple[int, float], ...]


@dataclass(slots=True)
class LinkReport:
    """Result of a link in numbers of lists, and of compared `vectors`.

    `kept`: lists from the server. `done` is False if it was stopped before its end. `notices` are for the user.
    """

    vectors: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    kept: int = 0
    left_out: int = 0
    neighbours: int = 0
    edges: int = 0
    compared_with_all: int = 0
    commits: int = 0
    done: bool = True
    seconds: float = 0.0
    notices: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain data, for `--json`."""
        return asdict(self)


def link_library(
    folder: Path,
    *,
    clock: Clock,
    neighbours: int = NEIGHBOURS,
    min_score: float = MIN_SCORE,
    part_s: float = PART_S,
    team: Team = _ALONE,
    files: Files = REAL_FILES,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
    asked_to_stop: Callable[[], bool] = lambda: False,
) -> LinkReport:
    """Link each sound that has a vector and no list from the server.

    Durable on return, with a verified backup. The `team` that compares the vectors changes no byte of the library.
    `on_progress` gets the numbers of linked and of all sounds. When `asked_to_stop` returns True, the lists so far are
    committed, and so they are when a cluster fails. Raises `SettingsError` if there are no vectors, `ClusterFailed`,
    and the errors of `Store`.
    """
    refuse_placeholders(folder)
    started_s = clock.monotonic_s()
    if not (folder / VECTORS).exists():
        raise no_vectors(folder)  # before `Store.open` creates a folder
    with Store.open(folder, clock=clock, files=files) as store:
        header = store.vectors.contents.header
        if header is None or not len(store.vectors):
            raise no_vectors(folder)
        if not store.state.list_count:
            # Without lists, the vectors decide the library's space.
            store.state.space = header.space
        store.vectors.check_space(store.state.space, store.state.source)
        tasks = plan_tasks(store.state, store.vectors.contents, read_last_run(store.notes), neighbours, min_score)
        report = LinkReport(
            vectors=len(tasks.places),
            unchanged=len(tasks.places) - tasks.kept - len(tasks.searched) - len(tasks.merged),
            kept=tasks.kept,
            left_out=len(tasks.left_out),
            neighbours=tasks.neighbours,
        )
        _Link(store, clock, tasks, report, part_s, team).run(on_progress, asked_to_stop)
        report.edges = store.state.edge_count
        report.notices = tuple(store.notices)
    report.seconds = clock.monotonic_s() - started_s
    return report


class _Link:
    """One link while it works through its tasks."""

    def __init__(self, store: Store, clock: Clock, tasks: Tasks, report: LinkReport, part_s: float, team: Team) -> None:
        header = store.vectors.contents.header
        assert header is not None
        self._store, self._state, self._clock = store, store.state, clock
        self._tasks, self._report, self._part_s = tasks, report, part_s
        self._team = team
        with store.vectors.path.open("rb") as file:
            self._table: Table = map_table(file, header, tasks.places)
        # Of both rows a cluster gets one copy, because they stay the same ones.
        self._all_rows = np.arange(len(self._table))
        self._entering = np.searchsorted(self._table.ids, tasks.entering)
        self._now_us = clock.time_us()
        contents = store.vectors.contents
        self._made_at, self._rows, self._corrupt = header.made_at, contents.rows, contents.corrupt
        self._uncommitted: list[int] = []

    def run(self, on_progress: Callable[[int, int], None], asked_to_stop: Callable[[], bool]) -> None:
        """Do all tasks; commit after each part, at a stop and at the end."""
        tasks, done = self._tasks, 0
        total = len(tasks.searched) + len(tasks.merged)
        committed_s = self._clock.monotonic_s()
        on_progress(0, total)
        if total and asked_to_stop():
            self._report.done = False
            return
        done_to: int | None = None
        for searched, merged in tasks.steps(self._team.size if self._team.is_remote else 1):
            try:
                self._search(searched)
                self._merge(merged)
            except ClusterFailed as error:
                raise ClusterFailed(f"{error}; {self._kept(done_to)}: run it again") from error
            done_to = int(np.concatenate((searched[-1:], merged[-1:])).max())
            done += len(searched) + len(merged)
            on_progress(done, total)
            is_last = done == total
            # Called once a step, so that the commit below and the end agree.
            stops = not is_last and asked_to_stop()
            if is_last or stops or self._clock.monotonic_s() - committed_s >= self._part_s:
                self._commit(None if is_last else done_to)
                committed_s = self._clock.monotonic_s()
            if stops:
                self._report.done = False
                return
        if not total:
            self._commit(None)

    def _kept(self, done_to: int | None) -> str:
        """Commit the finished lists of a link that fails; say what is kept."""
        if done_to is None:
            return "nothing was changed"
        self._commit(done_to)
        return "the lists so far are kept"

    def _search(self, sound_ids: Ids) -> None:
        """Compare sounds with all others."""
        table = self._table
        self._report.compared_with_all += len(sound_ids)
        min_scores = np.full(len(sound_ids), self._tasks.min_score)
        queries = np.searchsorted(table.ids, sound_ids)
        count = self._tasks.neighbours
        for block, query, target, score in find_nearest(table, queries, self._all_rows, count, min_scores, self._team):
            starts = np.searchsorted(query, block, side="left").tolist()
            ends = np.searchsorted(query, block, side="right").tolist()
            ids, scores = table.ids[target].tolist(), score.tolist()
            for sound_id, start, end in zip(table.ids[block].tolist(), starts, ends, strict=True):
                self._set(sound_id, tuple(zip(ids[start:end], scores[start:end], strict=True)))

    def _merge(self, sound_ids: Ids) -> None:
        """Compare sounds with the new vectors, and merge their lists."""
        table, count = self._table, self._tasks.neighbours
        min_scores = np.array([self._last_score(sound_id) for sound_id in sound_ids.tolist()])
        queries = np.searchsorted(table.ids, sound_ids)
        self._report.unchanged += len(sound_ids)
        for _, query, target, score in find_nearest(table, queries, self._entering, count, min_scores, self._team):
            entered: dict[int, list[tuple[int, float]]] = {}
            for sound_id, other, one in zip(
                table.ids[query].tolist(), table.ids[target].tolist(), score.tolist(), strict=True
            ):
                entered.setdefault(sound_id, []).append((other, one))
            self._report.unchanged -= len(entered)
            for sound_id, others in entered.items():
                best = sorted((*self._neighbours(sound_id), *others), key=lambda pair: (-pair[1], pair[0]))
                self._set(sound_id, tuple(best[:count]))

    def _last_score(self, sound_id: int) -> float:
        """Return the score that a new sound must reach to enter a list."""
        scores = [edge["score"] for edge in self._state.graph._adj[sound_id].values() if "score" in edge]
        return min(scores) if len(scores) >= self._tasks.neighbours else self._tasks.min_score

    def _neighbours(self, sound_id: int) -> Neighbours:
        similar = self._state.similar(sound_id)
        return similar.neighbours if similar is not None else ()

    def _set(self, sound_id: int, neighbours: Neighbours) -> None:
        known = self._state.similar(sound_id)
        if known is not None and (known.neighbours, known.limit) == (neighbours, self._tasks.neighbours):
            # An unchanged list keeps its stamp, so that a second link changes nothing.
            self._report.unchanged += 1
            return
        self._report.new += known is None
        self._report.changed += known is not None
        stamp = self._state.stamp(sound_id, "linked_at", self._now_us)
        similar = SimilarList(neighbours, stamp, self._tasks.neighbours, self._state.space, origin=COMPUTED)
        self._state.apply(Linked(sound_id, similar))
        self._uncommitted.append(sound_id)

    def _commit(self, done_to: int | None) -> None:
        store, tasks = self._store, self._tasks
        # Before the checkpoint, which may merge a pulled file: lists of another link make the note invalid.
        lists = digest_of_lists(self._state)
        if self._uncommitted:
            store.rewrite()
            self._report.commits += 1
        last_run = LastRun(
            tasks.neighbours,
            tasks.min_score,
            self._made_at,
            self._rows,
            tasks.left_out,
            lists,
            done_to,
            self._corrupt,
        )
        deferred = [sound_id for sound_id in self._uncommitted if sound_id in store.deferrals]
        store.append((), undeferred=deferred, notes=[last_run.note()])
        self._uncommitted.clear()

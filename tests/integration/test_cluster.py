"""`--scheduler`: a Dask cluster does the work, with the same bytes, and its failures are one line."""

from __future__ import annotations

import operator
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from harvester import ClusterFailed, cluster, draw_map, draw_picture, link
from harvester.exports.export import save_export
from harvester.graph import select
from harvester.jobs import Processes, Team, Threads, _ClusterTeam, hired
from harvester.library.check import check_library
from harvester.library.store import Store
from harvester.similarity import knn
from harvester.similarity import plan as tasks
from harvester.similarity.link import link_library
from harvester.storage.paths import CHECKPOINT
from tests.support.command import call
from tests.support.dask_cluster import dask_scheduler, dask_worker, shared_cluster
from tests.support.samples import FixedClock, files_of, make_events, open_store
from tests.support.vector_library import add
from tests.support.view_samples import make_library

WRITES_NO_BYTE = "nothing was changed"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 1 s for a worker that comes back, and 3 s for an answer: the machine may be busy."""
    monkeypatch.setattr(cluster, "CONNECT_S", 3.0)
    monkeypatch.setattr(cluster, "SILENCE_S", 1.0)
    monkeypatch.setattr(cluster, "_ASKED_EVERY_S", 0.1)


def in_threads(name: str, stack: ExitStack) -> Team:
    return stack.enter_context(hired(Threads({"one": 1}.get(name, 2)), shared_cluster() if name == "cluster" else None))


def in_processes(name: str, stack: ExitStack) -> Team:
    scheduler = shared_cluster() if name == "cluster" else None
    return stack.enter_context(hired(Processes({"one": 1}.get(name, 2)), scheduler))


def is_forgotten(scheduler: str) -> bool:
    """Tell whether a scheduler has no task and no data of a client."""
    from distributed import Client

    with Client(scheduler, set_as_default=False) as client:
        return not client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))


def test_a_cluster_computes_the_same_lists_as_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "QUERIES", 6)
    monkeypatch.setattr(tasks, "SEARCHES_AT_ONCE", 12)
    scattered = mock.Mock(wraps=cluster.Cluster.scatter)
    monkeypatch.setattr(cluster.Cluster, "scatter", lambda self, value: scattered(self, value))
    found = set()
    for name in ("one", "two", "cluster"):
        folder = tmp_path / name
        add(folder, {number: number % 13 for number in range(1, 60)})
        for more in ({}, {number: number for number in range(60, 75)}):
            add(folder, more)
            with ExitStack() as stack:
                team = in_threads(name, stack)
                report = link_library(folder, clock=FixedClock(), neighbours=3, min_score=0.6, team=team)
        found.add(((folder / CHECKPOINT).read_bytes(), report.new, report.changed, report.unchanged))
    assert len(found) == 1
    # Of each of two links: the vectors, the rows of all of them, and of the second the rows of the new ones.
    assert scattered.call_count == 5
    assert is_forgotten(shared_cluster())


def test_a_cluster_finds_the_same_as_processes(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    with open_store(folder) as store:
        for first in (1, 20, 40):
            for event in make_events(12, first=first):
                store.state.apply(event)
            store.rewrite()
    torn, *_, last = sorted(folder.glob("*_backup_*"))
    torn.write_bytes(torn.read_bytes()[:-40])
    (folder / "freesound_library_backup_1nodes_20200101_000000.pkl").symlink_to("nowhere")
    before, found = files_of(folder), []
    for name in ("one", "two", "cluster"):
        with ExitStack() as stack:
            found.append(check_library(folder, clock=FixedClock(), team=in_processes(name, stack)))
    assert found[0] == found[1] == found[2]
    assert [finding.path for finding in found[0].findings if "compress" in finding.problem or "end" in finding.problem]
    assert last.exists()
    assert files_of(folder) == before


def test_a_cluster_writes_the_same_parts_as_processes(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two", "cluster"):
        with ExitStack() as stack:
            team = in_processes(name, stack)
            save_export(select(make_library()), "parquet", tmp_path / name, partition_rows=5, team=team)
        found.append({path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.*")})
    assert found[0] == found[1] == found[2]
    assert len(found[0]) > 4


def test_a_cluster_draws_the_same_map_as_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "QUERIES", 16)
    add(tmp_path / "library", {number: number % 40 for number in range(1, 80)})
    workers: list[dict[str, Any]] = [{}, {"jobs": 2}, {"scheduler": shared_cluster()}]
    pages, pictures = set(), set()
    for given in workers:
        draw_map(tmp_path / "map.html", library=tmp_path / "library", layout="vectors", **given)
        draw_picture(tmp_path / "map.svg", library=tmp_path / "library", layout="vectors", **given)
        pages.add((tmp_path / "map.html").read_bytes())
        pictures.add((tmp_path / "map.svg").read_bytes())
    assert len(pages) == len(pictures) == 1
    assert is_forgotten(shared_cluster())


def test_a_cluster_that_fails_leaves_the_earlier_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(tmp_path / "library", {number: number for number in range(1, 20)})
    (tmp_path / "map.html").write_text("an earlier one")
    before = files_of(tmp_path)
    monkeypatch.setattr(knn, "_check", mock.Mock(side_effect=ClusterFailed("it broke")))
    for layout in ("vectors", "auto"):
        ended = call("map", "--library", "library", "--layout", layout, "--scheduler", shared_cluster(), cwd=tmp_path)
        assert (ended.code, ended.err) == (
            31,
            f"laying out 19 sounds and 0 edges\nharvester: it broke; {WRITES_NO_BYTE}: run it again\n",
        )
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    # What was asked for is not left out in silence, also where the map could be drawn without it.
    ended = call("map", "--library", "library", "--scheduler", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert ended.code == 2
    assert "--scheduler needs distributed: " in ended.err
    assert files_of(tmp_path) == before


@pytest.mark.usefixtures("impatient")
def test_a_scheduler_that_does_not_answer_is_told_in_one_line(tmp_path: Path) -> None:
    add(tmp_path / "library", {1: 1, 2: 2})
    before = files_of(tmp_path / "library")
    with socket.socket() as mute, socket.socket() as closed:
        for one in (mute, closed):
            one.bind(("127.0.0.1", 0))
        mute.listen()
        for one in (mute, closed):
            address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
            started_s = time.monotonic()
            ended = call("link", "--library", "library", "--scheduler", address, cwd=tmp_path)
            assert time.monotonic() - started_s < 20
            assert ended.code == 31
            [line] = ended.err.splitlines()
            assert line.startswith(f"harvester: {address}: no Dask scheduler answered within 3 s; {WRITES_NO_BYTE}")
    assert files_of(tmp_path / "library") == before


@pytest.mark.parametrize(
    "words",
    [bytes(4096), (1 << 40).to_bytes(8, "little") * 2, b"\1" * 64],
    ids=["frames of no bytes", "a TB", "more frames than memory"],
)
@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_no_scheduler_is_told_in_one_line(words: bytes, tmp_path: Path) -> None:
    add(tmp_path / "library", {1: 1, 2: 2})
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def speak() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(words)
                client.recv(1 << 16)

        speaker = threading.Thread(target=speak, daemon=True)
        speaker.start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        ended = call("check", "--library", "library", "--scheduler", address, cwd=tmp_path)
        speaker.join()
    assert ended.code == 31
    [line] = ended.err.splitlines()
    assert line == (
        f"harvester: {address}: what answers there is no Dask scheduler; {WRITES_NO_BYTE}: correct the address"
    )


def test_tls_without_certificates_says_so() -> None:
    with pytest.raises(ClusterFailed, match=r"no Dask scheduler answered.*TLS"), hired(Threads(), "tls://127.0.0.1:1"):
        pass


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8786",
        "http://a:1",
        "tcp://a",
        "tcp://a:0",
        "tcp://a:65536",
        "tcp://a:1/x",
        "tcp://u@a:1",
        "inproc://",
        "",
    ],
)
def test_what_is_no_address_of_a_scheduler_is_refused(address: str, tmp_path: Path) -> None:
    ended = call("link", "--library", "library", f"--scheduler={address}", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("harvester: --scheduler: ")
    assert "write tcp://HOST:PORT" in ended.err
    with pytest.raises(Exception, match=r"^scheduler: .* is no scheduler of Dask"):
        link(tmp_path, scheduler=address)


def test_a_file_in_the_working_folder_names_no_scheduler(tmp_path: Path) -> None:
    (tmp_path / "harvester.toml").write_text('[link]\nscheduler = "tcp://127.0.0.1:1"\n')
    ended = call("link", "--library", "library", cwd=tmp_path)
    assert ended.code == 2
    assert "harvester.toml:2: [link] scheduler: only you can set this" in ended.err


@pytest.mark.usefixtures("impatient")
def test_workers_that_cannot_do_the_work_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusal() -> str:
        with pytest.raises(ClusterFailed) as caught, hired(Threads(), scheduler.address, packages=["numpy"]):
            pass
        return str(caught.value)

    with dask_scheduler(0) as scheduler:
        assert refusal() == (
            f"{scheduler.address}: it has no worker; {WRITES_NO_BYTE}: start workers with `dask worker`"
        )
        with dask_worker(scheduler.address, without="harvester") as bare:
            assert refusal().startswith(f"{scheduler.address}: the worker {bare.address} cannot run harvester ")
        with dask_worker(scheduler.address) as other:
            monkeypatch.setattr(cluster, "__version__", "9.9")
            assert refusal() == (
                f"{scheduler.address}: the worker {other.address} has harvester 0.1.0, and this program 9.9; "
                f"{WRITES_NO_BYTE}: install the same versions"
            )


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_dies_is_replaced_by_another_and_the_last_one_is_told() -> None:
    with dask_scheduler(0) as scheduler, dask_worker(scheduler.address) as first:
        with dask_worker(scheduler.address) as second, hired(Threads(), scheduler.address) as team:
            shared = np.arange(3)
            results = team.each(operator.add, _slowly(range(8), first.kill, at=3), shared)
            assert [one.tolist() for one in results] == [[n, n + 1, n + 2] for n in range(8)]
            second.kill()
            with pytest.raises(ClusterFailed, match="the last worker with the data of a task ended"):
                list(team.each(operator.add, [1, 2], shared))
        with (
            dask_worker(scheduler.address) as third,
            hired(Threads(), scheduler.address) as team,
            pytest.raises(ClusterFailed, match="no worker is left, for 1 s"),
        ):
            list(team.each(abs, _slowly(range(8), third.kill, at=3)))
        with dask_worker(scheduler.address), hired(Threads(), scheduler.address) as team:
            threading.Timer(0.3, scheduler.kill).start()
            with pytest.raises(
                ClusterFailed, match=r"the connection to the scheduler was lost|the scheduler has not answered"
            ):
                list(team.each(time.sleep, [0.2] * 8))
            for values in ((), (1,)):
                with pytest.raises(ClusterFailed, match="scheduler"):
                    list(team.each(max, [1, 2, 3], *values))


def _slowly(numbers: range, act: Callable[[], None], *, at: int) -> Iterator[int]:
    """Yield the numbers, and act before one of them."""
    for number in numbers:
        if number == at:
            act()
        yield number


def test_a_task_that_ends_its_workers_ends_the_work() -> None:
    with ExitStack() as stack:
        scheduler = stack.enter_context(dask_scheduler(0))
        for _ in range(5):
            stack.enter_context(dask_worker(scheduler.address))
        with hired(Threads(), scheduler.address) as team, pytest.raises(ClusterFailed, match="did the same task"):
            list(team.each(os._exit, [1]))


def test_an_error_of_a_task_is_raised_here_as_it_is() -> None:
    with hired(Threads(), shared_cluster()) as team, pytest.raises(ZeroDivisionError) as caught:
        list(team.each(operator.truediv, [1, 0, 2], 6))
    assert "ZeroDivisionError" in caught.value.__notes__[0]
    assert is_forgotten(shared_cluster())


def test_an_interrupt_leaves_nothing_on_the_cluster() -> None:
    done: list[None] = []
    threading.Timer(0.4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), hired(Threads(), shared_cluster()) as team:  # noqa: PT012
        for one in team.each(
            time.sleep,
            [0.1] * 100,
        ):
            done.append(one)
    assert len(done) < 50
    assert is_forgotten(shared_cluster())
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("harvester-cluster")]


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    ended = call("check", "--library", "library", "--scheduler", "tcp://127.0.0.1:1", cwd=tmp_path)
    assert ended.code == 2
    assert "--scheduler needs distributed: " in ended.err


def test_a_cluster_that_fails_keeps_the_lists_so_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Threads):
        calls = 0

        def each(self, *arguments: object) -> Iterator[object]:  # type: ignore[override]
            self.calls += 1
            if self.calls > 2:
                raise ClusterFailed("it broke")
            return super().each(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(tasks, "SEARCHES_AT_ONCE", 10)
    for name in ("whole", "broken"):
        add(tmp_path / name, {number: number % 13 for number in range(1, 40)})
    options = {"clock": FixedClock(), "neighbours": 3, "min_score": 0.6}
    with pytest.raises(ClusterFailed, match=r"^it broke; the lists so far are kept: run it again$"):
        link_library(tmp_path / "broken", team=Failing(), **options)  # type: ignore[arg-type]
    with Store.open(tmp_path / "broken", clock=FixedClock()) as store:
        assert store.state.list_count == 20
    assert link_library(tmp_path / "broken", **options).new == 19  # type: ignore[arg-type]
    link_library(tmp_path / "whole", **options)  # type: ignore[arg-type]
    assert (tmp_path / "whole" / CHECKPOINT).read_bytes() == (tmp_path / "broken" / CHECKPOINT).read_bytes()
    failing = Failing()
    failing.calls = 2
    add(tmp_path / "new", {1: 1, 2: 2})
    with pytest.raises(ClusterFailed, match=r"^it broke; nothing was changed: run it again$"):
        link_library(tmp_path / "new", team=failing, **options)  # type: ignore[arg-type]


def test_each_shared_value_keeps_its_own_stand_in() -> None:
    team = _ClusterTeam(mock.Mock(cores=1, scatter=tuple))
    # Each list is dropped at once, and the next one may get its address.
    assert [team._share([number]) for number in range(100)] == [(number,) for number in range(100)]


def test_a_cluster_is_no_default_for_the_program_that_uses_it() -> None:
    from distributed import default_client

    with hired(Threads(), shared_cluster()), pytest.raises(ValueError, match="No clients found"):
        default_client()

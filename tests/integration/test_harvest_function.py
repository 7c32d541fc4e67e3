"""`harvester.harvest` as programs call it: in a running event loop, over real sockets, on real files."""

from __future__ import annotations

import asyncio
import gc
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import harvester
from harvester import Advanced, Ended, Level, RunEvent, Started, Told
from harvester.actions import reporting
from harvester.library import load_view
from harvester.storage import CHECKPOINT, read_owner
from tests.support.processes import KEY, SandboxProcess, environment, run, sandbox_process, wait_until

CONCURRENCY = 4


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxProcess]:
    """A sandbox in a process of its own, slow enough to be stopped in the middle of a harvest."""
    monkeypatch.chdir(tmp_path)
    with sandbox_process(tmp_path, "--no-throttle", "--sounds", 300, "--latency-ms", 5) as process:
        yield process


def server(sandbox: SandboxProcess) -> dict[str, Any]:
    return {"api_url": sandbox.url, "key": KEY, "level": 99, "concurrency": CONCURRENCY}


def processed(folder: Path) -> set[int]:
    return set(load_view(folder).state.processed)


def after(samples: int, act: Callable[[], object]) -> Callable[[RunEvent], None]:
    """Return a listener that acts once, when the run has counted `samples`."""
    done = False

    def listen(event: RunEvent) -> None:
        nonlocal done
        if isinstance(event, Advanced) and event.snapshot.samples >= samples and not done:
            done = True
            act()

    return listen


# --- a whole run -----------------------------------------------------------------------------------------------------


def test_a_harvest_in_a_running_loop_returns_what_it_added(
    sandbox: SandboxProcess, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "library"
    result = asyncio.run(harvester.harvest(folder, samples=20, **server(sandbox)))
    view = load_view(folder)
    assert (result.reason, result.samples, result.began) == ("target reached", 20, True)
    assert (result.sounds, result.edges) == (len(view.state), view.state.edge_count)
    assert (result.total.sounds, result.total.edges, result.total.processed) == (result.sounds, result.edges, 20)
    assert result.requests == sandbox.counted() == 21
    assert (result.folder, result.server, result.source) == (folder, sandbox.url, view.state.source)
    assert (result.quota_left, result.next_possible_at, result.notices) == (None, None, ())
    assert result.total.size_bytes == (folder / CHECKPOINT).stat().st_size
    assert "end: target reached" in (folder / "harvest.log").read_text()
    assert (folder / "status.json").exists()
    assert capfd.readouterr() == ("", "")


def test_a_run_whose_quota_is_used_up_says_when_the_next_request_is_possible(tmp_path: Path) -> None:
    with sandbox_process(tmp_path, "--burst", 10_000, "--daily", 6) as sandbox:
        result = asyncio.run(
            harvester.harvest(tmp_path / "library", api_url=sandbox.url, key=KEY, limits="10000/6", samples=20)
        )
    assert (result.samples, result.quota_left) == (5, 0)
    assert result.next_possible_at is not None
    assert result.next_possible_at.utcoffset() is not None
    assert 86_000 < result.next_possible_at.timestamp() - (tmp_path / "library" / CHECKPOINT).stat().st_mtime < 87_000


def test_events_are_typed_and_come_in_order(sandbox: SandboxProcess, tmp_path: Path) -> None:
    events: list[RunEvent] = []
    result = asyncio.run(
        harvester.harvest(tmp_path / "library", samples=120, on_progress=events.append, **server(sandbox))
    )
    kinds = [type(event) for event in events if not isinstance(event, Told)]
    assert kinds == [Started, *[Advanced] * (len(kinds) - 2), Ended]
    assert len(kinds) > 3
    (started,) = (event for event in events if isinstance(event, Started))
    assert (started.folder, started.snapshot.samples, started.snapshot.target) == (tmp_path / "library", 0, 120)
    moments = [event.snapshot for event in events if isinstance(event, Advanced)]
    assert [moment.samples for moment in moments] == sorted(moment.samples for moment in moments)
    assert (moments[-1].samples, moments[-1].nodes, moments[-1].edges) == (120, result.sounds, result.edges)
    assert events[-1] == Ended(result)
    assert Told(f"sending requests to {sandbox.url.split('/')[2]}", Level.INFO) in events


def test_the_final_figures_come_however_short_the_run_is(
    sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "ADVANCED_EVERY_S", 3600)
    moments: list[RunEvent] = []
    result = asyncio.run(
        harvester.harvest(tmp_path / "library", samples=3, on_progress=moments.append, **server(sandbox))
    )
    (last,) = (event.snapshot for event in moments if isinstance(event, Advanced))
    assert (last.samples, last.nodes, last.requests) == (3, result.sounds, result.requests)
    assert last.last_checkpoint_at is not None


def test_each_request_is_told_to_who_asks_for_it_and_never_with_the_key(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    told: dict[bool, list[str]] = {}
    for verbose in (False, True):
        events: list[RunEvent] = []
        asyncio.run(
            harvester.harvest(
                tmp_path / str(verbose), samples=3, verbose=verbose, on_progress=events.append,
                **server(sandbox) | {"key": KEY},
            )
        )  # fmt: skip
        told[verbose] = [event.line for event in events if isinstance(event, Told) and event.level is Level.REQUEST]
    assert told[False] == []
    assert len([line for line in told[True] if "/similar/" in line and "HTTP 200" in line]) == 3
    assert not any("token" in line.lower() for line in told[True])


def test_signal_handlers_and_the_garbage_collector_of_the_host_stay_as_they_are(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    def host() -> list[Any]:
        handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
        frozen.append(gc.get_freeze_count())
        return [handlers, gc.isenabled(), gc.get_threshold(), sys.getswitchinterval()]

    frozen: list[int] = []

    async def main() -> list[list[Any]]:
        seen = [host()]

        def listen(event: RunEvent) -> None:
            if isinstance(event, Started | Ended):
                seen.append(host())

        await harvester.harvest(tmp_path / "library", samples=5, on_progress=listen, **server(sandbox))
        return [*seen, host()]

    before, *rest = asyncio.run(main())
    assert rest == [before] * 3
    # Objects that an earlier test froze may be freed meanwhile; a freeze would add all that are alive.
    assert max(frozen) <= frozen[0]


def test_two_harvests_of_different_libraries_share_a_loop(sandbox: SandboxProcess, tmp_path: Path) -> None:
    async def main() -> list[harvester.RunResult]:
        return await asyncio.gather(
            *(harvester.harvest(tmp_path / name, samples=30, **server(sandbox)) for name in ("one", "other"))
        )

    assert [result.samples for result in asyncio.run(main())] == [30, 30]
    assert len(processed(tmp_path / "one")) == len(processed(tmp_path / "other")) == 30


def test_the_second_harvest_of_one_library_is_refused_and_the_first_goes_on(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "library"

    async def main() -> harvester.RunResult:
        began = asyncio.Event()

        def listen(event: RunEvent) -> None:
            if isinstance(event, Started):
                began.set()

        first = asyncio.ensure_future(harvester.harvest(folder, samples=250, on_progress=listen, **server(sandbox)))
        await began.wait()
        with pytest.raises(harvester.LibraryLocked, match="is writing this library"):
            await harvester.harvest(folder, samples=1, **server(sandbox))
        return await first

    assert asyncio.run(main()).samples == 250
    assert len(processed(folder)) == 250


# --- its end ---------------------------------------------------------------------------------------------------------


def test_a_cancelled_harvest_releases_the_lock_keeps_what_it_counted_and_is_resumed(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    counted: list[int] = []

    async def main() -> None:
        def listen(event: RunEvent) -> None:
            if isinstance(event, Advanced):
                counted.append(event.snapshot.samples)
            once(event)

        task = asyncio.ensure_future(harvester.harvest(folder, samples=5000, on_progress=listen, **server(sandbox)))
        once = after(40, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert read_owner(folder) is None
        kept = processed(folder)
        assert len(kept) >= counted[-1] >= 40
        result = await harvester.harvest(folder, samples=5000, **server(sandbox))
        assert result.reason == "exhausted"
        assert result.samples == len(processed(folder) - kept)
        assert kept < processed(folder)

    asyncio.run(main())
    asked = sandbox.lists_asked()
    assert set(asked) == processed(folder)
    # Only the answers that were on the way when the task was cancelled are requested again.
    assert len([sound_id for sound_id, times in asked.items() if times > 1]) <= CONCURRENCY


def test_a_timeout_around_a_harvest_ends_it(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "library"

    async def main() -> None:
        async with asyncio.timeout(None) as limit:
            now = asyncio.get_running_loop().time()
            await harvester.harvest(
                folder, samples=5000, on_progress=after(20, lambda: limit.reschedule(now)), **server(sandbox)
            )

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert read_owner(folder) is None
    assert len(processed(folder)) >= 20


def test_a_cancellation_while_the_library_is_opened_leaves_no_lock(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    asyncio.run(harvester.harvest(folder, samples=50, **server(sandbox)))

    async def main() -> None:
        task = asyncio.ensure_future(harvester.harvest(folder, samples=5, **server(sandbox)))
        while read_owner(folder) is None:  # noqa: ASYNC110 - the lock is taken in a thread
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert read_owner(folder) is None

    asyncio.run(main())
    assert len(processed(folder)) == 50


def test_a_closed_stop_ends_the_run_in_order_with_nothing_asked_twice(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder, stop = tmp_path / "library", harvester.Stop()
    listen = after(40, lambda: stop.close("enough"))
    result = asyncio.run(harvester.harvest(folder, samples=5000, stop=stop, on_progress=listen, **server(sandbox)))
    assert result.reason == "enough"
    assert result.samples == len(processed(folder)) >= 40
    again = asyncio.run(harvester.harvest(folder, samples=5000, **server(sandbox)))
    assert again.reason == "exhausted"
    assert set(sandbox.lists_asked()) == processed(folder)
    assert set(sandbox.lists_asked().values()) == {1}


def test_a_stop_before_the_server_identified_itself_leaves_the_library_unchanged(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    stop, events = harvester.Stop(), list[RunEvent]()
    stop.close("not today", by_person=True)
    result = asyncio.run(
        harvester.harvest(tmp_path / "library", stop=stop, on_progress=events.append, **server(sandbox))
    )
    assert (result.reason, result.began, result.samples, result.requests) == ("not today", False, 0, 0)
    assert [type(event) for event in events] == [Told, Ended]
    assert sandbox.counted() == 0


class Fault(Exception):
    """What a listener of a test raises."""


@pytest.mark.parametrize("kind", [Told, Started, Advanced, Ended])
def test_a_listener_that_raises_ends_the_run_in_order_and_gets_its_exception_back(
    kind: type[RunEvent], sandbox: SandboxProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "library"
    heard: list[RunEvent] = []

    def listen(event: RunEvent) -> None:
        heard.append(event)
        if isinstance(event, kind):
            raise Fault

    with pytest.raises(Fault):
        asyncio.run(harvester.harvest(folder, samples=100, on_progress=listen, **server(sandbox)))
    assert [type(event) for event in heard].count(kind) == 1
    assert isinstance(heard[-1], kind)
    assert read_owner(folder) is None
    assert processed(folder) == set(sandbox.lists_asked())
    if kind in (Told, Started):
        assert len(processed(folder)) < 50
    result = asyncio.run(harvester.harvest(folder, samples=10, **server(sandbox)))
    assert result.samples == 10
    assert max(sandbox.lists_asked().values()) == 1


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"samples": "50"}, "samples must be a whole number or 'all', not '50'"),
        ({"samples": True}, "samples must be a whole number"),
        ({"samples": 0}, "samples 0 needs sweep; to see what a harvest costs, use `harvester plan`"),
        ({"neighbours": 151}, "neighbours must be a whole number from 1 to 150, not 151"),
        ({"concurrency": 0}, "concurrency must be a whole number"),
        ({"backup_every": 2.5}, "backup_every must be a whole number"),
        ({"keep_backups": 0}, "keep_backups must be a whole number"),
        ({"max_requests": 0}, "max_requests must be a whole number"),
        ({"checkpoint_interval": 0}, "checkpoint_interval must be a whole number"),
        ({"random_seed": -1}, "random_seed must be a whole number"),
        ({"order": "best"}, "order best is not known; choose from popular, breadth, random"),
        ({"space": "x"}, "space x is not known"),
        ({"level": 4}, "level 4 is not known; choose from 1, 2, 3, 99"),
        ({"level": "2"}, "level '2' is not known"),
        ({"limits": "fast"}, "limits are given as BURST/DAY"),
        ({"query": 7}, "query must be a text, not 7"),
        ({"filter": "tag:(rain"}, "a bracket '(' is not closed"),
        ({"tag": [1]}, "tag must be a text, not 1"),
        ({"type": 5}, "type must be a text or several, not 5"),
        ({"tag": " "}, "tag needs a text"),
        ({"cc0": "yes"}, "cc0 must be True or False, not 'yes'"),
        ({"forever": 1}, "forever must be True or False, not 1"),
        ({"max_duration": "soon"}, "'soon' is not a duration"),
        ({"max_duration": 0}, "max_duration must be longer than zero"),
        ({"time_limit": -1}, "time_limit must be from 0 to"),
        ({"time_limit": float("nan")}, "time_limit must be seconds or a text such as 10s"),
        ({"seed": [5, "x"]}, "seed: 'x' is not a sound's id"),
        ({"sweep": True}, "sweep needs query or filter: the API's terms do not allow a copy of all of Freesound"),
        ({"sweep": True, "query": "x", "seed": 1}, "sweep takes every hit of a search; leave out seed"),
        ({"vectors": "laion_clap"}, "vectors needs sweep and query or filter"),
        ({"space": "freesound_classic", "vectors": "laion_clap", "sweep": True, "query": "x"},
         "space freesound_classic and vectors laion_clap differ"),
        ({"api_url": "http://example.org/"}, "the key is sent over https only"),
        ({"key": "a key with blanks"}, "key is empty or holds characters that no API key has"),
        ({"key": b"secret"}, "key must be a text, not bytes"),
        ({"key": 1234567890}, "key must be a text, not int"),
        ({"seed": "12"}, "seed: '12' is not a sound's id"),
        ({"verbose": "loud"}, "verbose must be a whole number from 0 to 2, not 'loud'"),
        ({"on_progress": 5}, "on_progress must be a function of an event, not 5"),
        ({"on_progress": asyncio.sleep}, "on_progress must be an ordinary function, not a coroutine function"),
        ({"stop": 5}, "stop must be a Stop, not 5"),
        ({"library": " "}, "library must be a folder, not ' '"),
        ({"library": "a\0b"}, "library must be a folder, not 'a\\x00b'"),
        ({"extra_fields": "sim_x"}, "'sim_x' is not a field of a record: use sweep vectors SPACE"),
    ],
)  # fmt: skip
def test_a_keyword_that_cannot_be_used_is_named_before_anything_changes(
    keywords: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"api_url": "http://127.0.0.1:9/", "key": KEY} | keywords
    with pytest.raises(harvester.SettingsError) as caught:
        asyncio.run(harvester.harvest(**given))
    assert message in str(caught.value)
    assert "--" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


# --- blocking --------------------------------------------------------------------------------------------------------


def test_a_blocking_harvest_runs_without_a_loop_in_another_thread_and_inside_a_loop(
    sandbox: SandboxProcess, tmp_path: Path
) -> None:
    results = [harvester.run_harvest(tmp_path / "one", samples=5, **server(sandbox))]
    thread = threading.Thread(
        target=lambda: results.append(harvester.run_harvest(tmp_path / "two", samples=5, **server(sandbox)))
    )
    thread.start()
    thread.join()

    async def main() -> None:
        results.append(harvester.run_harvest(tmp_path / "three", samples=5, **server(sandbox)))

    asyncio.run(main())
    assert [result.samples for result in results] == [5, 5, 5]
    with pytest.raises(harvester.SettingsError, match="samples must be a whole number"):
        harvester.run_harvest(samples=-1)


SCRIPT = """
import asyncio, sys, harvester
def harvest():
    harvester.run_harvest("library", samples=5000, api_url=sys.argv[1], level=99)
async def inside():
    harvest()
try:
    asyncio.run(inside()) if sys.argv[2] == "inside" else harvest()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("where", ["without", "inside"])
def test_ctrl_c_ends_a_blocking_harvest_in_order(where: str, sandbox: SandboxProcess, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, sandbox.url, where], cwd=tmp_path, env=environment(tmp_path / "state"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: len(sandbox.requests()) > 30, what="some requests")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "interrupted\n", "")
    assert processed(tmp_path / "library") == set(sandbox.lists_asked())
    assert "end: interrupted" in (tmp_path / "library/harvest.log").read_text()
    assert load_view(tmp_path / "library").unsaved == 0


# --- the other functions ---------------------------------------------------------------------------------------------


def test_a_refresh_counts_what_it_fetched_again(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    grown = asyncio.run(harvester.harvest(folder, samples=10, **server(sandbox)))
    result = harvester.run_refresh(folder, older_than=0, links=True, **server(sandbox))
    assert result.reason == "exhausted"
    assert (result.renewed, result.samples, result.relisted) == (grown.total.sounds, 0, 10)
    assert result.sounds == result.gone == 0
    with pytest.raises(harvester.SettingsError, match=r"^older_than must be from 0 to"):
        harvester.run_refresh(folder, older_than=-1)


def test_a_plan_has_the_facts_of_the_command(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    asyncio.run(harvester.harvest(folder, samples=10, **server(sandbox)))
    estimate = harvester.run_plan(folder, query="rain", samples=200, limits="6000/-", api_url=sandbox.url, key=KEY)
    told = run(
        "plan", "--library", folder, "--query", "rain", "--samples", 200, "--limits", "6000/-",
        "--api-url", sandbox.url, "--json", cwd=tmp_path,
    )  # fmt: skip
    facts = json.loads(told.out)
    assert estimate.as_dict() == facts
    assert (estimate.asked, (estimate.hits or 0) > 0) == (2, True)
    assert (estimate.requests, estimate.by_part.lists, estimate.library.processed) == (
        facts["requests"], 200, 10,
    )  # fmt: skip
    assert estimate.today.all is True
    with pytest.raises(harvester.SettingsError, match=r"^sweep needs query or filter"):
        harvester.run_plan(folder, sweep=True)

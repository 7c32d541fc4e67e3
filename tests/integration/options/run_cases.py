"""What the options are for that `harvest` and `refresh` share, and those of `plan`."""

from __future__ import annotations

import json
import os
import pty
import re
from contextlib import suppress

from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.fork_server import Forked
from tests.support.hostile_server import HostileServer, body
from tests.support.processes import environment, sandbox_process

STALE = ("--older-than", "0s", "--links", "--neighbours", 8)


def _work(place: Place, samples: int = 3) -> tuple[object, ...]:
    """Return the arguments of a run that sends requests, on the library that was grown."""
    return ("--library", "grown", *(("--samples", samples) if place.command == "harvest" else STALE))


def _status(place: Place) -> dict[str, object]:
    found: dict[str, object] = json.loads((place.folder / "grown" / "status.json").read_text())
    return found


@proves("harvest, refresh", "--level", "--limits")
def _the_run_counts_against_these_limits(place: Place) -> None:
    given, daily = {"--level": (3, 15_000), "--limits": ("500/1234", 1234)}[place.option]
    place.run("--api-url", place.sandbox.url, "--max-requests", 1, *_work(place), given=given)
    assert _status(place)["daily_limit"] == daily


@proves("plan", "--level", "--limits")
def _the_plan_counts_against_these_limits(place: Place) -> None:
    given, limits = {"--level": (2, [300, 5_000]), "--limits": ("7/70", [7, 70])}[place.option]
    facts = json.loads(place.run("--api-url", place.sandbox.url, "--json", given=given).out)
    assert [facts["burst_limit"], facts["daily_limit"]] == limits


@proves("harvest, refresh", "--api-url")
def _the_requests_go_there(place: Place) -> None:
    ended = place.run("--level", 99, *_work(place, 1), given=place.sandbox.url)
    assert ended.code == 0
    assert place.requests()


@proves("harvest", "--sandbox")
def _the_embedded_sandbox_answers_even_with_a_key(place: Place) -> None:
    ended = place.run("--samples", 1, given=True)
    assert "using the embedded sandbox" in ended.err
    assert place.load("sandbox_library")["metadata"]["source"].startswith("sandbox:")
    assert place.requests() == []


@proves("refresh", "--sandbox")
def _a_library_of_another_catalogue_is_not_refreshed_from_the_sandbox(place: Place) -> None:
    ended = place.run("--library", "grown", given=True, code=23)
    assert "sandbox:" in ended.err
    assert place.requests() == []


@proves("harvest, refresh", "--concurrency")
def _so_many_requests_are_open_at_the_same_time(place: Place) -> None:
    with sandbox_process(place.folder, "--no-throttle", "--sounds", 300, "--latency-ms", 400) as slow:
        place.run("--api-url", slow.url, "--level", 99, *_work(place, 6), given=6)
        stamps = [one["t"] for one in slow.requests() if "/similar/" in one["path"]]
    assert len(stamps) == 6
    # An answer takes 0.4 s: with fewer open at once, the sixth request would come after the first answer.
    assert max(stamps) - min(stamps) < 0.4


@proves("harvest, refresh", "--max-requests")
def _no_more_requests_are_sent(place: Place) -> None:
    place.ask(*_work(place, 50), given=2)
    assert len(place.requests()) == 2


@proves("harvest, refresh", "--time-limit")
def _it_ends_cleanly_after_this_time(place: Place) -> None:
    with sandbox_process(place.folder, "--no-throttle", "--sounds", 300, "--latency-ms", 400) as slow:
        ended = place.run(
            "--api-url", slow.url, "--level", 99, "--concurrency", 1, *_work(place, 50), given="0.3s"
        )  # fmt: skip
        assert len(slow.requests()) < 4
    assert "time limit reached" in ended.err


@proves("refresh", "--forever")
def _it_waits_for_the_quota(place: Place) -> None:
    base = ("--api-url", place.sandbox.url, "--limits", "1000/1", *_work(place))
    assert "quota" in place.run(*base).err
    ended = place.run(*base, "--time-limit", "0.5s", given=True)
    assert "time limit reached" in ended.err


@proves("refresh", "--extra-fields")
def _the_refreshed_records_have_these_fields(place: Place) -> None:
    place.ask("--library", "grown", "--older-than", "0s", given="loudness")
    assert "loudness" in place.requests()[0].query["fields"].split(",")


@proves("harvest, refresh", "--backup-every")
def _a_backup_is_written_once_there_are_so_many_new_sounds(place: Place) -> None:
    more = ("--samples", 1, "--neighbours", 9) if place.command == "harvest" else (*STALE[:3], "--neighbours", 9)
    place.ask("--library", "grown", *more)
    before, known = place.backups("grown"), len(place.load("grown")["graph"])
    assert len(before) == 2, "fewer than 100 new sounds need no backup"
    assert 176 < known < 275
    more = (*more[:-1], 10)
    place.ask("--library", "grown", *more, given=1)
    assert len(place.backups("grown")) > 2


@proves("harvest, refresh", "--keep-backups")
def _older_backups_are_removed(place: Place) -> None:
    assert len(place.backups("grown")) == 2
    more = ("--samples", 1, "--neighbours", 9) if place.command == "harvest" else (*STALE[:3], "--neighbours", 9)
    place.ask("--library", "grown", *more, "--backup-every", 1, given=1)
    [left] = place.backups("grown")
    assert f"_{len(place.load('grown')['graph'])}nodes_" in left


def _on_a_terminal(place: Place, *options: str) -> str:
    ours, theirs = pty.openpty()
    arguments = [
        place.command, "--api-url", place.sandbox.url, "--level", "99", "--max-requests", "1",
        *map(str, _work(place)), *options,
    ]  # fmt: skip
    try:
        environ = environment(place.folder / "state") | {"TERM": "xterm"}
        if place.source == "environment" and "--no-progress" in options:
            arguments.remove("--no-progress")
            environ[f"HARVESTER_{place.command.upper()}_PROGRESS"] = "0"
        process = Forked(arguments, cwd=place.folder, environment=environ, streams=(theirs, theirs))
        assert process.wait(30) == 0
        os.set_blocking(ours, False)
        told = b""
        with suppress(BlockingIOError):
            while piece := os.read(ours, 1 << 16):
                told += piece
        return told.decode(errors="replace")
    finally:
        os.close(ours)
        os.close(theirs)


@proves("harvest, refresh", "--progress")
def _the_panel_is_shown_where_there_is_no_terminal(place: Place) -> None:
    assert "╭" not in place.ask("--max-requests", 1, *_work(place)).err
    assert "╭" in place.ask("--max-requests", 1, *_work(place), given=True).err


@proves("harvest, refresh", "--no-progress")
def _no_panel_is_shown_on_a_terminal(place: Place) -> None:
    assert "╭" in _on_a_terminal(place)
    assert "╭" not in _on_a_terminal(place, "--no-progress")


@proves("plan", "--api-url")
def _the_plan_asks_there(place: Place) -> None:
    facts = json.loads(place.run("--query", "drum", "--level", 99, "--json", given=place.sandbox.url).out)
    assert facts["server"] == place.sandbox.url
    assert len(place.requests()) == facts["asked"] == 2


@proves("plan", "--sandbox")
def _the_plan_asks_the_embedded_sandbox(place: Place) -> None:
    assert json.loads(place.run("--json", given=True).out)["server"] == "sandbox"


@proves("plan", "--library")
def _the_plan_starts_from_this_library(place: Place) -> None:
    facts = json.loads(place.ask("--json", given="grown").out)
    assert facts["library"]["processed"] == 6
    assert facts["by_part"]["search"] == 0


@proves("plan", "--seed")
def _the_plan_counts_the_records_of_the_seeds(place: Place) -> None:
    assert json.loads(place.ask("--json", given=list(range(1, 152))).out)["by_part"]["records"] == 2


@proves("plan", "--query")
def _the_plan_counts_the_hits_of_the_search(place: Place) -> None:
    assert 0 < json.loads(place.ask("--json", given="drum").out)["hits"] < 300
    assert place.requests()[0].query["query"] == "drum"


@proves("plan", "--sweep")
def _the_plan_counts_the_pages_of_a_sweep(place: Place) -> None:
    facts = json.loads(place.ask("--filter", "duration:[0 TO *]", "--json", given=True).out)
    assert facts["by_part"] == {"search": 0, "sweep": 2, "records": 0, "lists": 300}


@proves("plan", "--vectors")
def _the_plan_of_a_sweep_with_vectors_has_no_lists(place: Place) -> None:
    sweep = ("--filter", "duration:[0 TO *]", "--sweep", "--json")
    assert json.loads(place.ask(*sweep, given="laion_clap").out)["by_part"]["lists"] == 0


@proves("plan", "--i-have-permission")
def _the_plan_does_not_ask_for_the_permission_again(place: Place) -> None:
    with HostileServer({"search": body(lambda answer: {**answer, "count": 60_000})}) as server:
        base = ("--api-url", server.url, "--level", 99, "--sweep", "--query", "a")
        assert "ask Freesound first" in place.run(*base).out
        told = place.run(*base, given=True).out
    assert "the search finds 60,000 sounds" in told
    assert "ask Freesound first" not in told


@proves("plan", "--samples")
def _the_plan_counts_so_many_samples(place: Place) -> None:
    assert json.loads(place.ask("--json", given=7).out)["by_part"]["lists"] == 7


@proves("plan", "--neighbours")
def _the_plan_expects_so_many_new_sounds(place: Place) -> None:
    assert json.loads(place.ask("--samples", 10, "--json", given=9).out)["new_sounds_about"] == 90


@proves("plan", "--json")
def _the_plan_is_json(place: Place) -> None:
    assert json.loads(place.ask(given=True).out)["samples"] == 50


@proves("refresh", "--library")
def _this_library_is_refreshed(place: Place) -> None:
    ended = place.ask("--older-than", "0s", given="grown")
    assert "library: grown" in ended.err
    assert place.requests()


@proves("refresh", "--older-than")
def _only_older_records_are_read_again(place: Place) -> None:
    ended = place.ask("--library", "grown", given="1h")
    assert "nothing was stale" in ended.err
    assert place.requests() == []
    ended = place.ask("--library", "grown", given="0s")
    asked = [re.findall(r"\d+", one.query["filter"]) for one in place.requests()]
    assert [len(ids) for ids in asked] == [150, 28]
    assert {int(sound_id) for ids in asked for sound_id in ids} == set(place.load("grown")["graph"])


@proves("refresh", "--limit")
def _no_more_records_are_read_again(place: Place) -> None:
    assert ": 3 records and 0 lists refreshed" in place.ask("--library", "grown", "--older-than", "0s", given=3).err


@proves("refresh", "--links")
def _the_lists_are_read_again_too(place: Place) -> None:
    base = ("--library", "grown", "--older-than", "0s", "--neighbours", 8)
    place.ask(*base)
    assert place.lists() == []
    place.ask(*base, given=True)
    assert set(place.lists()) == place.processed("grown")

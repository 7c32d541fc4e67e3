"""A harvest of a list of ids: what it costs, what it leaves alone, what it says about the missing ones."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_plus

import pytest

import harvester
from harvester.clock import DAY_US
from harvester.filters import build_filter
from harvester.importing import read_id_list
from harvester.library import load_view
from harvester.model import Gone, Known, Withdrawn
from harvester.pipeline.plan import Plan
from harvester.reports.plan import Allowance, Wish, describe_plan
from harvester.sandbox.generated import GeneratedCatalogue
from tests.bench.economy import harvest
from tests.support.command import call
from tests.support.processes import KEY, SandboxProcess, run, sandbox_process, start, wait_until
from tests.support.virtual_time import START_US, VirtualClock
from tests.support.world import MemoryStore

CATALOGUE = GeneratedCatalogue(700, 7)
GONE = (900_001, 900_002, 900_003)
LISTED = (*sorted(CATALOGUE.ordered("created_asc")[:497]), *GONE)
OTHER = CATALOGUE.ordered("created_asc")[600]


def test_a_list_costs_one_request_per_150_sounds_and_nothing_twice() -> None:
    store = MemoryStore()
    store.state.apply(Known(OTHER, 1))
    records = Plan(target=0, listed_ids=LISTED)
    first = harvest(CATALOGUE, records, store)
    assert (first.requests, first.hydration, first.records, first.samples) == (4, 4, 497, 0)
    assert store.state.seeds >= set(LISTED)
    assert store.deferrals.keys() == set(GONE)
    assert not store.state.has_record(OTHER), "a sound that is not on the list was fetched"
    assert harvest(CATALOGUE, records, store).requests == 0
    # The next day the three are looked for again, together.
    tomorrow = VirtualClock(START_US + DAY_US)
    assert harvest(CATALOGUE, records, store, clock=tomorrow).requests == 1
    some = harvest(CATALOGUE, Plan(target=20, listed_ids=LISTED), store)
    assert (some.requests, some.samples) == (20, 20)
    had = len(store.state.processed & set(LISTED[:40]))
    rest = harvest(CATALOGUE, Plan(target=None, listed_ids=LISTED[:40]), store)
    assert (rest.requests, rest.samples) == (40 - had, 60 - had)
    assert set(LISTED[:40]) <= store.state.processed <= set(LISTED)


def test_deleted_and_withdrawn_sounds_of_a_list_are_not_requested() -> None:
    store = MemoryStore()
    for event in (Known(LISTED[0], 1), Gone(LISTED[0], 2), Known(LISTED[1], 1), Withdrawn(LISTED[1], 2)):
        store.state.apply(event)
    assert harvest(CATALOGUE, Plan(target=None, listed_ids=LISTED[:2]), store).requests == 0
    assert harvest(CATALOGUE, Plan(target=0, listed_ids=LISTED[:3]), store).requests == 1


def test_a_sound_that_the_search_lacks_takes_no_request_of_its_own() -> None:
    assert harvest(CATALOGUE, Plan(target=None, listed_ids=(LISTED[0], GONE[0]))).requests == 2


def test_a_user_is_swept_by_the_whole_name() -> None:
    filter = build_filter("", users=["rec"]).text
    found = harvest(CATALOGUE, Plan(target=0, sweep=True, filter=filter))
    names = Counter(found.state.attributes(one)["username"] for one in found.state.graph)
    assert len(names) > 3, "no longer names hold the word: the test proves nothing"
    [(name, sounds)] = names.most_common(1)
    for wanted, count in (("rec", 0), (name.upper(), sounds)):
        store = MemoryStore()
        harvest(CATALOGUE, Plan(target=0, sweep=True, filter=filter, usernames=(wanted,)), store)
        assert len(store.state) == count


def test_the_51_197_sounds_of_fsd50k_are_planned_at_342_requests() -> None:
    state = MemoryStore().state
    facts = describe_plan(state, Wish(samples=0, listed_ids=range(1, 51_198)), Allowance(60, 2_000, 2_000))
    assert (facts["requests"], facts["by_part"]["records"], facts["samples"]) == (342, 342, 0)
    assert (facts["new_sounds_about"], facts["days"], facts["today"]["all"]) == (51_197, 0, True)
    lists = describe_plan(state, Wish(samples=None, listed_ids=range(1, 51_198)), Allowance(60, 2_000, 2_000))
    assert (lists["requests"], lists["by_part"]["lists"]) == (342 + 51_197, 51_197)


def test_a_batch_of_the_largest_ids_fits_into_a_request_line() -> None:
    from harvester.filters import filter_ids
    from harvester.freesound.address import encode_query
    from harvester.freesound.fields import encode_fields
    from harvester.model import LARGEST_ID

    longest = filter_ids(range(LARGEST_ID - 149, LARGEST_ID + 1))
    query = encode_query(
        {"query": "", "fields": encode_fields(()), "sort": "score", "page_size": "150", "filter": longest}
    )
    assert len(f"GET /apiv2/search/?{query} HTTP/1.1\r\n") < 4_094


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    folder = tmp_path_factory.mktemp("server")
    with sandbox_process(folder, "--no-throttle", "--sounds", 700, "--random-seed", 7) as process:
        yield process


def write_table(path: Path) -> None:
    path.write_text("fname,labels\n" + "".join(f'{one},"a,b"\n' for one in LISTED), encoding="utf-8")


def batches_since(sandbox: SandboxProcess, seen: int) -> list[set[int]]:
    """Return the ids of each request for records since the request of that number."""
    texts = [unquote_plus(one["path"]) for one in sandbox.requests()[seen:]]
    found = [re.search(r"id:\(([^)]*)\)", text) for text in texts]
    return [set(map(int, one[1].split(" OR "))) for one in found if one]


def test_500_ids_of_which_three_are_gone_take_4_requests(sandbox: SandboxProcess, tmp_path: Path) -> None:
    write_table(tmp_path / "list.csv")
    server = ("--api-url", sandbox.url, "--level", 99, "--library", "library")
    before, counted = len(sandbox.requests()), sandbox.counted()
    planned = json.loads(run("plan", "--ids", "list.csv", *server, "--json", cwd=tmp_path).out)
    assert (planned["requests"], planned["asked"], planned["catalogue"]) == (4, 0, None)
    ended = run("harvest", "--ids", "list.csv", *server, cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "list.csv: 500 rows gave 500 ids: numbers in the column fname\n" in ended.err
    assert "every sound of the list was looked for: +0 processed (0), +500 sounds (500), +0 edges (0)\n" in ended.err
    missing = "list: 497 of 500 sounds have their record, 3 missing (3 not found): library/missing.csv\n"
    assert missing in ended.err
    assert sandbox.counted() - counted == 4
    assert sorted(map(len, batches_since(sandbox, before))) == [50, 150, 150, 150]
    assert read_id_list(tmp_path / "library" / "missing.csv").sound_ids == GONE
    again = run("harvest", "--ids", "list.csv", *server, cwd=tmp_path)
    assert "cost: 0 requests" in again.err
    assert missing in again.err
    # A list without a missing sound leaves no file of an earlier one.
    (tmp_path / "few").write_text(f"{LISTED[0]}\n{LISTED[1]}", encoding="utf-8")
    ended = run("harvest", "--ids", "few", "--samples", "all", *server, cwd=tmp_path)
    assert "list: 2 of 2 sounds have their record\n" in ended.err
    assert load_view(tmp_path / "library").state.processed == set(LISTED[:2])
    assert not (tmp_path / "library" / "missing.csv").exists()


def test_after_a_kill_only_the_request_on_the_wire_is_repeated(tmp_path: Path) -> None:
    write_table(tmp_path / "list.csv")
    with sandbox_process(
        tmp_path, "--sounds", 700, "--no-throttle", "--fault", "no-answer@path=filter@from=3@to=3"
    ) as slow:
        line = ("harvest", "--ids", "list.csv", "--api-url", slow.url, "--level", 99, "--library", "library",
                "--concurrency", 1)  # fmt: skip
        killed = start(*line, cwd=tmp_path)
        wait_until(lambda: slow.counted() >= 3, what="the third request")
        killed.kill()
        killed.communicate()
        ended = run(*line, cwd=tmp_path)
        assert "list: 497 of 500 sounds have their record, 3 missing" in ended.err
        asked = Counter(sound_id for batch in batches_since(slow, 0) for sound_id in batch)
        assert asked.keys() == set(LISTED)
        assert sum(count > 1 for count in asked.values()) == 150
        assert slow.counted() == 5


def test_a_program_gives_ids_and_gets_what_became_of_them(sandbox: SandboxProcess, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    result = harvester.run_harvest(folder, ids=[LISTED[0], GONE[0]], api_url=sandbox.url, key=KEY, level=99)
    assert result.listed is not None
    assert (result.listed.ids, result.listed.here, result.listed.waiting) == (2, 1, 0)
    assert result.listed.missing == {GONE[0]: "not found"}
    assert result.listed.path == folder / "missing.csv"
    (tmp_path / "list").write_text(f"{LISTED[0]}\n{LISTED[1]}\n{GONE[0]}", encoding="utf-8")
    estimate = harvester.run_plan(folder, ids=tmp_path / "list", samples="all", api_url=sandbox.url, key=KEY, level=99)
    assert (estimate.requests, estimate.by_part.records, estimate.by_part.lists) == (3, 1, 2)
    # All of them missing: nothing came, so there is no library and no file.
    nothing = harvester.run_harvest(tmp_path / "no", ids=GONE, api_url=sandbox.url, key=KEY, level=99)
    assert nothing.listed is not None
    assert (nothing.kept, nothing.listed.path, len(nothing.listed.missing)) == (False, None, 3)
    assert not (tmp_path / "no").exists()
    with pytest.raises(harvester.SettingsError, match=r"^ids names no sound"):
        harvester.run_harvest(folder, ids=[])
    with pytest.raises(harvester.SettingsError, match=r"^ids: 0 is not a sound's id"):
        harvester.run_harvest(folder, ids=[0])
    with pytest.raises(harvester.SettingsError, match=r"^samples must be a whole number or 'all', not 'any'"):
        harvester.run_harvest(folder, ids=[5], samples="any")  # type: ignore[arg-type]
    with pytest.raises(harvester.SettingsError, match=r"names 100,001 sounds.*and add i_have_permission"):
        harvester.run_harvest(folder, ids=range(1, 100_002))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--ids", "list", "--cc0"), "--ids takes every sound of its list: leave out --filter, --cc0"),
        (("--ids", "list", "--user", "anna"), "--ids takes every sound of its list: leave out --filter, --cc0"),
        (("--ids", "list", "--seed", 5), "--ids takes every sound of its list and no other: leave out --seed"),
        (("--ids", "list", "--sweep"), "leave out --sweep"),
        (("--ids", "none"), "none: it cannot be read (No such file or directory)"),
        (("--ids", "table"), "table: no column is known to hold ids of Freesound; name it with --column: name, mine"),
        (("--ids", "table", "--column", "name"), "table: only 0 of 1 rows name a sound in the column name"),
        (("--ids", "list", "--missing", "no/where"), "--missing no/where is in a folder that does not exist"),
        (("--ids", "list", "--missing", "list"), "--missing list is the list itself, which would be overwritten"),
        (("--ids", "list", "--missing", "."), "--missing . is a folder"),
        (("--ids", "list", "--missing", "/dev/null"), "--missing /dev/null is not a regular file"),
        (("--missing", "file"), "--missing takes the missing sounds of a list; add --ids"),
        (("--column", "id"), "--column is a column of the file that --ids names"),
        (("--user", " "), "--user needs a text"),
        (("--pack", 0), "--pack: 0 is not a pack's id"),
        (("--pack", 5, "--seed", 5), "--user and --pack take every hit of a search; leave out --seed"),
        (("--samples", "many"), "--samples: expected a whole number or all, got 'many'"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[object, ...], told: str
) -> None:
    monkeypatch.setenv("HARVESTER_STATE", str(tmp_path / "state"))
    (tmp_path / "list").write_text("5\n", encoding="utf-8")
    (tmp_path / "table").write_text("name,mine\nx,5\n", encoding="utf-8")
    ended = call("harvest", "--sandbox", *options, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err.splitlines()[-1]
    assert not (tmp_path / "sandbox_library").exists()

"""Changed answers: found after three of a kind, never where single answers are odd; simulated over a real sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.clock import SECOND_US, Stop
from harvester.errors import AnswerChanged, FetchFailed
from harvester.freesound.client import FreesoundClient
from harvester.freesound.quota import LEVELS, MemoryLedger
from harvester.freesound.shape import IN_A_ROW, IN_THE_WINDOW, PROBES_S, WINDOW, CoreFields, Evidence, Kind, Shape
from harvester.freesound.wire import RawResponse, Transport
from harvester.model import CORE_FIELDS
from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.service import Sandbox
from tests.support.fake_transport import SandboxTransport
from tests.support.listening import lines_to
from tests.support.virtual_time import VirtualClock, run_virtual
from tests.support.world import make_record

CATALOGUE = GeneratedCatalogue(1000)
IDS = CATALOGUE.ordered("created_asc")
Change = Callable[[dict[str, Any]], Any]


@dataclass
class Changing:
    """A sandbox whose answers `change` replaces, for `share` of the requests, while `broken()` holds."""

    sandbox: SandboxTransport
    change: Change
    share: float = 1.0
    broken: Callable[[], bool] = lambda: True
    draw: Random = field(default_factory=lambda: Random(5))

    async def get(self, path: str, params: Mapping[str, str], *, anonymous: bool = False) -> RawResponse:
        raw = await self.sandbox.get(path, params, anonymous=anonymous)
        if raw.status != 200 or not self.broken() or self.draw.random() >= self.share:
            return raw
        return raw._replace(body=json.dumps(self.change(json.loads(raw.body))).encode())


def client_of(transport: Transport, clock: VirtualClock, **options: Any) -> FreesoundClient:
    return FreesoundClient(
        transport,
        clock=clock,
        stop=Stop(),
        ledger=MemoryLedger(),
        limits=LEVELS[99],
        rng=Random(3),
        **options,
    )


def sandbox_at(clock: VirtualClock, *rules: str, seed: int = 0) -> SandboxTransport:
    faults = [Fault.parse(rule) for rule in rules]
    return SandboxTransport(
        Sandbox(CATALOGUE, clock=clock, faults=faults, burst=None, daily=None, random_seed=seed), clock, 0.01
    )


def lengths(draw: Random) -> int:
    """Return how long a list is: 7 in 100 have one row, 10 in 100 two to five."""
    place = draw.random()
    return 1 if place < 0.07 else draw.randint(2, 5) if place < 0.17 else 25


async def requests_until_alarm(
    client: FreesoundClient, most: int, draw: Random, *, searches: bool = False
) -> int | None:
    """Return after how many lists, or pages of a search, the alarm came; None without one."""
    for number in range(1, most + 1):
        try:
            if searches:
                await client.search(query="", page=1 + number % 6, page_size=100)
            else:
                await client.fetch_similar(IDS[number], lengths(draw))
        except AnswerChanged:
            return number
        except FetchFailed:
            continue
    return None


KINDS = ["null", "duplicate", "missing-field", "mistyped"]
FAULTS = [*([kind] for kind in KINDS), KINDS]


def alarms(faults: list[str], rate: float, requests: int, seed: int, *, searches: bool) -> int | None:
    async def main() -> int | None:
        clock = VirtualClock()
        transport = sandbox_at(clock, *(f"{kind}@rate={rate}" for kind in faults), seed=seed)
        return await requests_until_alarm(client_of(transport, clock), requests, Random(seed), searches=searches)

    return run_virtual(main())


@pytest.mark.parametrize("rate", [1, 0.1])
@pytest.mark.parametrize("faults", FAULTS, ids=["-".join(kinds) for kinds in FAULTS])
def test_odd_rows_in_every_answer_raise_no_alarm(faults: list[str], rate: float) -> None:
    assert alarms(faults, rate, 120, 1, searches=False) is None
    assert alarms(faults, rate, 20, 1, searches=True) is None


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rate", [1, 0.1])
@pytest.mark.parametrize("faults", FAULTS, ids=["-".join(kinds) for kinds in FAULTS])
def test_800_requests_with_odd_rows_raise_no_alarm(faults: list[str], rate: float, seed: int) -> None:
    assert alarms(faults, rate, 800, seed, searches=False) is None
    assert alarms(faults, rate, 60, seed, searches=True) is None


def each_row(change: Callable[[Any], Any]) -> Change:
    return lambda body: {**body, "results": [change(row) for row in body["results"]]}


def without(name: str, new: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {new if key == name else key: value for key, value in content.items()}


CHANGES: dict[str, Change] = {
    "results renamed": without("results", "items"),
    "wrapped": lambda body: {"data": body},
    "a list": lambda body: body["results"],
    "ids only": each_row(lambda row: row["id"]),
    "id renamed": each_row(without("id", "sound_id")),
    "score renamed": each_row(without("score", "similarity")),
    "emptied": lambda body: {**body, "results": []},
    "all null": each_row(lambda row: None),
}


def first_alarm(change: Change, share: float, seed: int) -> int | None:
    async def main() -> int | None:
        clock = VirtualClock()
        transport = Changing(sandbox_at(clock), change, share, draw=Random(seed))
        # Full lists: what a rule sees of short ones is the business of the tests above.
        return await requests_until_alarm(client_of(transport, clock), 100, Random(4_000_000 + seed))

    return run_virtual(main())


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_true_change_is_found_after_three_lists_and_at_half_the_answers_mostly_within_20(change: Change) -> None:
    at_once = [first_alarm(change, 1.0, seed) for seed in range(4)]
    assert all(number is not None and 3 <= number <= 6 for number in at_once), at_once
    by_half = [first_alarm(change, 0.5, seed) or 1000 for seed in range(10)]
    assert median(by_half) <= 20
    assert max(by_half) <= 100


def test_the_first_two_failures_are_in_doubt_and_the_third_blames_all_answers() -> None:
    async def main() -> None:
        clock, kept = VirtualClock(), list[bytes]()

        def keep(body: bytes) -> str:
            kept.append(body)
            return "quarantine/one"

        transport = Changing(sandbox_at(clock), CHANGES["score renamed"])
        client = client_of(transport, clock, keep_body=keep)
        doubts = []
        for sound_id in (1, 2):
            with pytest.raises(FetchFailed, match="`score`") as failed:
                await client.fetch_similar(IDS[sound_id], 25)
            assert failed.value.doubt is not None
            assert failed.value.doubt.is_open
            doubts.append(failed.value.doubt)
        with pytest.raises(AnswerChanged, match=r"similar lists come without a valid `score`.*quarantine/one") as ended:
            await client.fetch_similar(IDS[3], 25)
        assert ended.value.exit_code == 12
        assert all(doubt.concerns_all and not doubt.is_open for doubt in doubts)
        with pytest.raises(AnswerChanged):
            await client.fetch_similar(IDS[4], 25)
        assert len(kept) == 1
        assert "similarity" in kept[0].decode()

    run_virtual(main())


def test_a_usable_answer_blames_the_sound() -> None:
    async def main() -> None:
        clock, broken = VirtualClock(), [True]
        client = client_of(Changing(sandbox_at(clock), CHANGES["a list"], broken=lambda: broken[0]), clock)
        with pytest.raises(FetchFailed) as failed:
            await client.fetch_similar(IDS[1], 25)
        broken[0] = False
        await client.fetch_similar(IDS[2], 25)
        assert failed.value.doubt is not None
        assert (failed.value.doubt.is_open, failed.value.doubt.concerns_all) == (False, False)

    run_virtual(main())


def test_the_same_bytes_for_different_sounds_are_told_as_such() -> None:
    shape = Shape()
    for key in ("a", "b"):
        assert shape.unusable(Kind.SIMILAR, Evidence.NO_RESULTS, key, b"x" * 512) is None
    told = shape.unusable(Kind.SIMILAR, Evidence.NO_RESULTS, "c", b"x" * 512)
    assert told is not None
    assert "each the same 512 bytes" in told


def test_the_same_sound_asked_again_proves_no_more() -> None:
    shape = Shape()
    for _ in range(50):
        assert shape.unusable(Kind.SIMILAR, Evidence.NO_SCORE, "one sound", b"x") is None


def test_a_run_for_ever_probes_at_growing_distances_and_goes_on_when_the_answers_are_good_again() -> None:
    async def main() -> None:
        clock, told = VirtualClock(), list[str]()
        heals_s = sum(PROBES_S) + 6 * 3600 + 100
        sandbox = sandbox_at(clock)
        transport = Changing(sandbox, CHANGES["results renamed"], broken=lambda: clock.monotonic_s() < heals_s)
        client = client_of(transport, clock, forever=True, on_event=lines_to(told.append))
        for sound_id in (1, 2):
            with pytest.raises(FetchFailed):
                await client.fetch_similar(IDS[sound_id], 25)
        page = await client.fetch_similar(IDS[3], 25)
        assert page.neighbours
        times_s = [one.at_us / SECOND_US for one in sandbox.sent[2:]]
        gaps = [later - earlier for earlier, later in pairwise(times_s)]
        assert gaps == pytest.approx([*PROBES_S, 6 * 3600, 6 * 3600], abs=61)
        assert any("come without a list of `results`" in line for line in told)
        assert "the server answers again" in told

    run_virtual(main())


def test_a_page_of_null_rows_alone_is_an_honest_page() -> None:
    async def main() -> None:
        clock = VirtualClock()
        client = client_of(Changing(sandbox_at(clock), CHANGES["all null"]), clock)
        for _ in range(5):
            assert (await client.search(page_size=150)).records == ()
        for page in (2, 3):
            with pytest.raises(AnswerChanged) if page == 3 else nullcontext():
                await client.search(page=page, page_size=150)

    run_virtual(main())


ANSWERS = st.lists(st.sampled_from([None, Evidence.NO_SCORE, Evidence.NO_ID, Evidence.ALL_NULL]), max_size=60)


@given(ANSWERS)
def test_the_alarm_comes_exactly_by_the_rule(answers: list[Evidence | None]) -> None:
    shape, alarmed, due = Shape(), None, None
    for at, answer in enumerate(answers):
        latest = answers[max(0, at + 1 - WINDOW) : at + 1]
        in_a_row = answers[at + 1 - IN_A_ROW : at + 1] if at + 1 >= IN_A_ROW else []
        if (
            answer is not None
            and due is None
            and (in_a_row == [answer] * IN_A_ROW or latest.count(answer) >= IN_THE_WINDOW)
        ):
            due = at
        if answer is None:
            if alarmed is not None:
                break
            shape.usable(Kind.SIMILAR)
        elif shape.unusable(Kind.SIMILAR, answer, str(at), b"") is not None and alarmed is None:
            alarmed = at
    assert alarmed == due


def test_a_core_field_that_nearly_every_record_lacks_is_logged_once_by_its_name() -> None:
    def answer(rows: int, lacking: int, start: int) -> list[dict[str, Any]]:
        records = [make_record(start + row) | dict.fromkeys(CORE_FIELDS, "x") for row in range(rows)]
        for record in records[:lacking]:
            del record["previews"]
        return records

    told, fields = list[list[str]](), CoreFields()
    for at, lacking in enumerate([25, 25, 20, 23, 25, 24, 25, 25]):
        told.append(fields.read(answer(25, lacking, 100 * at), {"missing field": lacking}))
    assert told == [[], [], [], [], [], ["previews"], [], []]

    few = CoreFields()
    assert [few.read(answer(10, 10, at), {"missing field": 10}) for at in range(4)] == [[]] * 4


@pytest.mark.parametrize("value", [None, [], "gone"], ids=["absent", "a list", "text"])
def test_a_field_that_all_records_lack_or_have_mistyped_is_told_while_the_harvest_goes_on(value: object) -> None:
    def change(row: dict[str, Any]) -> dict[str, Any]:
        return {
            name: value if name == "previews" else kept for name, kept in row.items() if value or name != "previews"
        }

    async def main() -> None:
        clock, told = VirtualClock(), list[str]()
        client = client_of(Changing(sandbox_at(clock), each_row(change)), clock, on_event=lines_to(told.append))
        for sound_id in IDS[:12]:
            await client.fetch_similar(sound_id, 25)
        assert [line for line in told if "nearly every record" in line] == [told[0]]
        assert "`previews`" in told[0]

    run_virtual(main())

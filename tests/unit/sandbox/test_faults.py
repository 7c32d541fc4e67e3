"""Faults on purpose: when they apply, and what they make of an answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harvester.errors import SettingsError
from harvester.sandbox.faults import KINDS, Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.reply import Delivery

LIST = "/apiv2/search/?page_size=10&fields=id,name,duration,tags,is_explicit"


@pytest.fixture
def faulty(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *rules, **more: new_asker(five_thousand, faults=[Fault.parse(rule) for rule in rules], **more)


def _statuses(asker: Any, count: int, target: str = LIST) -> list[int]:
    return [asker.ask(target).status for _ in range(count)]


def test_a_rule_without_conditions_meets_every_request(faulty: Callable[..., Any]) -> None:
    assert _statuses(faulty("500-html"), 3) == [500, 500, 500]


def test_by_request_number(faulty: Callable[..., Any]) -> None:
    assert _statuses(faulty("502@from=2@to=3"), 5) == [200, 502, 502, 200, 200]
    assert _statuses(faulty("503@every=3"), 6) == [200, 200, 503, 200, 200, 503]
    assert _statuses(faulty("503@from=2@every=2@to=5"), 6) == [200, 200, 503, 200, 503, 200]


def test_by_path_and_only_those_requests_are_numbered(faulty: Callable[..., Any]) -> None:
    asker = faulty("500@path=/similar/@from=2")
    assert _statuses(asker, 3) == [200, 200, 200]
    assert _statuses(asker, 2, "/apiv2/sounds/1/similar/") == [200, 500]


def test_by_time_since_the_first_request(faulty: Callable[..., Any]) -> None:
    asker = faulty("400-solr-down@after=60@until=120")
    statuses = []
    for _ in range(5):
        statuses += _statuses(asker, 1)
        asker.clock.pass_s(30)
    assert statuses == [200, 200, 400, 400, 200]


def test_a_rate_is_kept_and_repeats(faulty: Callable[..., Any]) -> None:
    first = _statuses(faulty("500@rate=0.1"), 1_000, "/apiv2/sounds/1/")
    assert first == _statuses(faulty("500@rate=0.1"), 1_000, "/apiv2/sounds/1/")
    assert 60 < first.count(500) < 140
    assert first != _statuses(faulty("500@rate=0.1", random_seed=1), 1_000, "/apiv2/sounds/1/")
    assert 500 not in _statuses(faulty("500@rate=0"), 50)


@pytest.mark.parametrize("kind", ["401", "429-burst", "429-day", "502", "503", "504"])
def test_a_fault_in_front_of_the_application_is_not_counted(faulty: Callable[..., Any], kind: str) -> None:
    asker = faulty(f"{kind}@to=50", burst=10)
    assert _statuses(asker, 61)[-12:] == [int(kind[:3])] + 10 * [200] + [429]


def test_a_fault_of_the_application_is_counted(faulty: Callable[..., Any]) -> None:
    assert _statuses(faulty("500@to=10", burst=10), 11)[-2:] == [500, 429]


def test_faults_inside_lists(faulty: Callable[..., Any]) -> None:
    clean = faulty().get(LIST)["results"]
    nulls = faulty("null").get(LIST)["results"]
    assert nulls.count(None) == 1
    assert [row for row in nulls if row] == [row for at, row in enumerate(clean) if nulls[at]]
    twice = faulty("duplicate").get(LIST)["results"]
    assert len(twice) == 11
    assert len({row["id"] for row in twice}) == 10
    missing = faulty("missing-field").get(LIST)["results"]
    assert sorted(map(len, missing)) == [4] + 9 * [5]
    assert {tuple(faulty("missing-field", random_seed=n).get(LIST)["results"][0]) for n in range(99)} != {
        tuple(clean[0])
    }


def test_a_mistyped_field_is_of_another_type_whatever_it_was(faulty: Callable[..., Any]) -> None:
    clean = faulty().get(LIST)["results"]
    names = set()
    for random_seed in range(40):
        rows = faulty("mistyped", random_seed=random_seed).get(LIST)["results"]
        ((ours, theirs),) = [(row, clean[at]) for at, row in enumerate(rows) if row != clean[at]]
        ((name, value),) = [(name, value) for name, value in ours.items() if theirs[name] != value]
        assert type(value) is not type(theirs[name])
        names.add(name)
    assert names == set(clean[0])


def test_faults_inside_leave_other_answers_alone(faulty: Callable[..., Any]) -> None:
    for kind in ("null", "duplicate", "missing-field", "mistyped"):
        asker = faulty(kind)
        assert asker.ask("/apiv2/sounds/1/").status == 404
        assert asker.get("/apiv2/search/?query=zzzz")["results"] == []
        assert asker.get("/apiv2/search/?page_size=1&fields=bogus")["count"] == 5_000


@pytest.mark.parametrize("delivery", [one for one in Delivery if one is not Delivery.WHOLE])
def test_a_fault_of_delivery_keeps_the_answer(faulty: Callable[..., Any], delivery: Delivery) -> None:
    reply = faulty(delivery.value).ask(LIST)
    assert reply.delivery is delivery
    assert len(json.loads(reply.body)["results"]) == 10


def test_every_answer_names_the_catalogue(faulty: Callable[..., Any], five_thousand: GeneratedCatalogue) -> None:
    for kind in KINDS:
        assert faulty(kind).ask(LIST).headers["X-Freesound-Sandbox"] == five_thousand.digest
    for target in (LIST, "/", "/apiv2/sounds/1", "/apiv2/search/?page=0"):
        assert faulty().ask(target).headers["X-Freesound-Sandbox"] == five_thousand.digest


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "teapot",
        "500@rate",
        "500@rate=",
        "500@rate=x",
        "500@rate=2",
        "500@often=3",
        "500@every=0",
        "500@from=0",
        "500@after=nan",
        "500@until=-1",
        "503@retry-after=-1",
        "503@retry-after=soon",
        "truncate@retry-after=1",
    ],
)
def test_a_bad_rule_is_one_clear_line(rule: str) -> None:
    with pytest.raises(SettingsError, match="fault rule ") as caught:
        Fault.parse(rule)
    assert "\n" not in str(caught.value)

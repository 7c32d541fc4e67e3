"""The two rolling windows of a key, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harvester.sandbox.generated import GeneratedCatalogue

SOUND = "/apiv2/sounds/1/"  # an unknown sound: cheap, and counted all the same
MINUTE = b"(60/minute)"
DAY = b"(2000/day)"


@pytest.fixture
def limited(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> Any:
    return new_asker(five_thousand, burst=60, daily=2_000, tokens=("sandbox", "other"))


def _spend(asker: Any, count: int, pause_s: float = 0.0) -> None:
    for _ in range(count):
        assert asker.ask(SOUND).status == 404
        asker.clock.pass_s(pause_s)


def test_the_61st_request_within_a_minute_is_refused_and_a_slot_frees_after_60_seconds(limited: Any) -> None:
    _spend(limited, 60, 0.5)
    refused = limited.ask(SOUND)
    assert refused.status == 429
    assert MINUTE in refused.body
    assert not any(name.lower() == "retry-after" for name in refused.headers)
    limited.clock.pass_s(29.999)
    assert limited.ask(SOUND).status == 429
    limited.clock.pass_s(0.001)
    assert limited.ask(SOUND).status == 404
    assert limited.ask(SOUND).status == 429


def test_a_burst_refusal_is_recorded_nowhere(limited: Any) -> None:
    _spend(limited, 60)
    for _ in range(500):
        assert MINUTE in limited.ask(SOUND).body
    limited.clock.pass_s(60)
    _spend(limited, 60)


def test_the_day_is_a_rolling_window_without_midnight(limited: Any) -> None:
    _spend(limited, 2_000, 10)
    assert DAY in limited.ask(SOUND).body
    # The first was made 20,000 seconds ago; its slot frees when it is a day old, the next 10 seconds later.
    limited.clock.pass_s(86_400 - 20_000 - 0.001)
    assert DAY in limited.ask(SOUND).body
    limited.clock.pass_s(0.001)
    assert limited.ask(SOUND).status == 404
    assert DAY in limited.ask(SOUND).body
    limited.clock.pass_s(10)
    assert limited.ask(SOUND).status == 404


def test_a_day_refusal_uses_a_slot_of_the_minute_but_not_of_the_day(limited: Any) -> None:
    _spend(limited, 2_000, 2)
    limited.clock.pass_s(60)
    for _ in range(60):
        assert DAY in limited.ask(SOUND).body
    assert MINUTE in limited.ask(SOUND).body
    limited.clock.pass_s(86_400)
    _spend(limited, 60)


@pytest.mark.parametrize(
    ("target", "method", "authorization", "counted"),
    [
        ("/apiv2/sounds/1/", "GET", "Token sandbox", True),
        ("/apiv2/search/?filter=", "GET", "Token sandbox", True),
        ("/apiv2/search/?page=0", "GET", "Token sandbox", True),
        ("/apiv2/sounds/1/similar/?page_size=0", "GET", "Token sandbox", True),
        ("/apiv2/search/", "POST", "Token sandbox", True),
        ("/apiv2/search/", "OPTIONS", "Token sandbox", True),
        ("/apiv2/sounds/1/?token=sandbox", "GET", None, True),
        ("/apiv2/sounds/1/", "GET", "Token wrong", False),
        ("/apiv2/sounds/1/", "GET", None, False),
        ("/apiv2/sounds/1/", "GET", "Token other", False),
        ("/apiv2/nothing/", "GET", "Token sandbox", False),
        ("/apiv2/sounds/x/", "GET", "Token sandbox", False),
        ("/apiv2/sounds/1", "GET", "Token sandbox", False),
        ("/apiv2/me/", "GET", "Token sandbox", False),
    ],
)
def test_what_counts(limited: Any, target: str, method: str, authorization: str | None, counted: bool) -> None:
    _spend(limited, 59)
    limited.ask(target, method=method, authorization=authorization)
    assert (limited.ask(SOUND).status == 429) is counted


def test_no_throttle_refuses_nothing(asker: Any) -> None:
    _spend(asker, 3_000)

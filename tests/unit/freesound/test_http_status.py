"""Read the headers and sentences of an error."""

from __future__ import annotations

import json

import pytest

from harvester.errors import AccessDenied
from harvester.freesound.http_status import raise_for_status, read_refusal, read_retry_after, with_date
from harvester.freesound.wire import Transient
from tests.support.fake_transport import reply

SENT = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ("120", 120.0),
        ("0", 0.0),
        (" 7 ", 7.0),
        ("999999", 3600.0),
        ("9" * 5_000, 3600.0),
        ("Wed, 21 Oct 2026 07:29:30 GMT", 90.0),
        ("Wednesday, 21-Oct-26 07:29:30 GMT", 90.0),
        ("Wed Oct 21 07:29:30 2026", 90.0),
        ("Tue, 20 Oct 2026 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2037 07:28:00 GMT", 3600.0),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
        ("Wed, 99 Oct 2026 07:28:00 GMT", None),
        ("Wed, 21 Oct 2026 07:28:00 +99999999", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("\u0663", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(asked: str, seconds: float | None) -> None:
    headers = {"retry-after": asked, "date": SENT}
    assert read_refusal(reply(429, "{}", **headers)).retry_after_s == seconds
    with pytest.raises(Transient) as failed:
        raise_for_status(reply(503, "", **headers))
    assert failed.value.delay_s == seconds


def test_an_error_without_a_date_gets_the_time_of_its_arrival() -> None:
    now_us = 1_792_567_680_000_000  # SENT
    refused = reply(429, "{}", **{"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"})
    assert read_retry_after(refused) is None
    assert read_retry_after(with_date(refused, now_us)) == 30.0
    dated = reply(429, "{}", date="Wed, 21 Oct 2026 07:00:00 GMT")
    assert with_date(dated, now_us) is dated


@pytest.mark.parametrize(
    ("rate", "kind", "limit"),
    [
        ("60/minute", "burst", 60),
        ("15000/day", "day", 15000),
        ("999999999999999999999/day", "day", None),
        (f"{'9' * 400}/day", "day", None),
        ("10000001/day", "day", None),
        ("1/day", "day", None),
        ("1/minute", "burst", None),
        ("-5/day", "day", None),
        ("-5/minute", "burst", None),
        ("1e3/day", "day", None),
        ("\u0663\u0660\u0660/day", "day", None),
        ("0/minute", "suspended", None),
        ("5/fortnight", "unknown", None),
    ],
)
def test_an_invalid_limit_in_a_429_is_ignored(rate: str, kind: str, limit: int | None) -> None:
    text = f"Request was throttled because of exceeding a request limit rate ({rate})"
    refusal = read_refusal(reply(429, json.dumps({"detail": text})))
    assert (refusal.kind, refusal.limit) == (kind, limit)


def test_the_sentence_of_a_refused_key_helps() -> None:
    with pytest.raises(AccessDenied, match=r"Invalid token.*FREESOUND_API_KEY"):
        raise_for_status(reply(401, '{"detail":"Invalid token"}'))

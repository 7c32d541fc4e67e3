"""Keys: where they may stand, and what is answered to those who have none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harvester.sandbox.access import Access
from harvester.sandbox.generated import GeneratedCatalogue

SOUND = "/apiv2/sounds/1/"


@pytest.mark.parametrize("authorization", ["Token sandbox", "token sandbox", "TOKEN  sandbox"])
def test_the_word_token_may_be_written_in_any_case(asker: Any, authorization: str) -> None:
    assert asker.ask(SOUND, authorization=authorization).status == 404


def test_the_parameter_is_read_only_without_the_header(asker: Any) -> None:
    assert asker.ask(f"{SOUND}?token=sandbox", authorization=None).status == 404
    assert asker.ask(f"{SOUND}?token=wrong", authorization="Token sandbox").status == 404
    assert asker.ask(f"{SOUND}?token=sandbox", authorization="Token wrong").status == 401
    assert asker.ask(f"{SOUND}?token=sandbox", authorization="Basic abc").status == 401
    assert asker.ask(f"{SOUND}?token=", authorization=None).status == 401


@pytest.mark.parametrize(
    ("authorization", "text"),
    [
        (None, "Authentication credentials were not provided."),
        ("Basic abc", "Authentication credentials were not provided."),
        ("Bearer abc", "Authentication credentials were not provided."),
        ("Token", "Invalid token header. No credentials provided."),
        ("Token a b", "Invalid token header. Token string should not contain spaces."),
        ("Token nope", "Invalid token"),
        ("Token gone", "User inactive or deleted"),
        ("Token waits", "Suspended token or token pending for approval"),
    ],
)
def test_every_refusal(
    five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any], authorization: str | None, text: str
) -> None:
    asker = new_asker(five_thousand, standings={"gone": "inactive", "waits": "pending"})
    reply = asker.ask(SOUND, authorization=authorization)
    assert (reply.status, json.loads(reply.body)["detail"]) == (401, text)
    assert reply.headers["WWW-Authenticate"].startswith('Bearer realm="api"')


def test_several_keys_are_accepted(five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]) -> None:
    asker = new_asker(five_thousand, tokens=("a", "b"))
    assert asker.ask(SOUND, authorization="Token b").status == 404
    assert asker.ask(SOUND).status == 401


def test_an_unknown_standing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="not lost"):
        Access((), {"key": "lost"})

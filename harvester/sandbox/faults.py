"""Inject faults: rules make a sandbox answer wrongly, repeatably.

A rule is KIND[@word=value…], for example `500-html@rate=0.01` or `400-solr-down@path=/search/@from=10@to=20`.

    kinds   in front of the application, never counted by the throttle: 401 429-burst 429-day 502 503 504
            instead of the answer: 404 500 500-html 400-solr-down 400-solr-drops 400-solr-500 400-solr-503
            inside a list's answer: null duplicate missing-field mistyped
            to the delivery: truncate reset no-answer drip
    path=TEXT       only requests whose path or query contains TEXT
    from=N to=M     only the Nth to the Mth (both included) of the requests that the path admits
    every=K         only every Kth of those
    after=S until=S only from S to before S seconds after the sandbox's first request
    retry-after=S   with a Retry-After header of S seconds, where the fault is an error
    rate=R          only a share of R of what is left, drawn from (random seed, rule, request number)

Invariant: whether a rule applies is a function of the request's number and the time, so a run can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import orjson

from harvester.errors import SettingsError
from harvester.sandbox import reply as replies
from harvester.sandbox.fields import encode_json
from harvester.sandbox.reply import Delivery, Reply

_FRONT: dict[str, Callable[[], Reply]] = {
    "401": lambda: replies.unauthorised("Invalid token"),
    "429-burst": lambda: replies.throttled(60, "minute"),
    "429-day": lambda: replies.throttled(2000, "day"),
    "502": lambda: replies.gateway(502),
    "503": lambda: replies.gateway(503),
    "504": lambda: replies.gateway(504),
}
_INSTEAD: dict[str, Callable[[bool, str], Reply]] = {
    "404": lambda _is_search, _query: replies.html(404),
    "500": lambda _is_search, _query: replies.overloaded(),
    "500-html": lambda _is_search, _query: replies.html(500),
    "400-solr-down": lambda is_search, query: replies.solr_down(is_search=is_search, query=query),
    "400-solr-drops": lambda is_search, query: replies.solr_down(is_search=is_search, query=query, drops=True),
    "400-solr-500": lambda is_search, _query: replies.solr_refused("injected failure", is_search=is_search, code=500),
    "400-solr-503": lambda is_search, _query: replies.solr_refused(
        "No live SolrServers available to handle this request", is_search=is_search, code=503
    ),
}
_INSIDE = ("null", "duplicate", "missing-field", "mistyped")
_DELIVERIES = {one.value: one for one in Delivery if one is not Delivery.WHOLE}
KINDS: tuple[str, ...] = (*_FRONT, *_INSTEAD, *_INSIDE, *_DELIVERIES)


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule; with the defaults it applies to every request."""

    kind: str
    path: str = ""
    first: int = 1
    last: int | None = None
    every: int = 1
    after_s: float = 0.0
    until_s: float = float("inf")
    rate: float = 1.0
    retry_after_s: int | None = None

    @classmethod
    def parse(cls, rule: str) -> Fault:
        """Return the rule that a text describes, or raise `SettingsError`."""
        kind, *words = rule.split("@")
        if kind not in KINDS:
            raise SettingsError(f"fault rule {rule!r}: unknown kind {kind!r}; choose from {', '.join(KINDS)}")
        values: dict[str, Any] = {}
        for word in words:
            name, _, text = word.partition("=")
            option = _OPTIONS.get(name)
            if option is None or not text:
                raise SettingsError(f"fault rule {rule!r}: {word!r} is not one of {'=, '.join(_OPTIONS)}=")
            try:
                values[option[0]] = option[1](text)
            except ValueError:
                raise SettingsError(f"fault rule {rule!r}: {text!r} is not a number for {name}") from None
        fault = cls(kind, **values)
        if not 0 <= fault.rate <= 1 or fault.every < 1 or fault.first < 1:
            raise SettingsError(f"fault rule {rule!r}: rate must be from 0 to 1, every and from at least 1")
        if not (fault.after_s >= 0 and fault.until_s >= 0):  # NaN too
            raise SettingsError(f"fault rule {rule!r}: after and until must be seconds of at least 0")
        if fault.retry_after_s is not None and (fault.retry_after_s < 0 or kind not in (*_FRONT, *_INSTEAD)):
            raise SettingsError(f"fault rule {rule!r}: retry-after is for errors, and at least 0")
        if fault.last is not None and fault.last < fault.first:
            raise SettingsError(f"fault rule {rule!r}: to={fault.last} is before from={fault.first}")
        if fault.until_s < fault.after_s:
            raise SettingsError(f"fault rule {rule!r}: until={fault.until_s:g} is before after={fault.after_s:g}")
        return fault


_OPTIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "rate": ("rate", float),
    "path": ("path", str),
    "from": ("first", int),
    "to": ("last", int),
    "every": ("every", int),
    "after": ("after_s", float),
    "until": ("until_s", float),
    "retry-after": ("retry_after_s", int),
}


class FaultPlan:
    """A sandbox's rules and their counts; call `due` once a request."""

    def __init__(self, rules: tuple[Fault, ...], random_seed: int) -> None:
        self._rules = rules
        self._random_seed = random_seed
        self._counts = [0] * len(rules)

    def due(self, target: str, age_s: float) -> list[tuple[Fault, random.Random]]:
        """Return the faults of this request, each with a seeded generator."""
        due = []
        for at, rule in enumerate(self._rules):
            if rule.path not in target:
                continue
            self._counts[at] += 1
            number = self._counts[at]
            if number < rule.first or (rule.last is not None and number > rule.last):
                continue
            if (number - rule.first + 1) % rule.every or not rule.after_s <= age_s < rule.until_s:
                continue
            seed = blake2b(f"{self._random_seed}:{at}:{number}".encode(), digest_size=8).digest()
            draw = random.Random(int.from_bytes(seed))
            if draw.random() < rule.rate:
                due.append((rule, draw))
        return due


def answer_in_front(fault: Fault) -> Reply | None:
    """Return the reply of a fault in front of the application, or None."""
    make = _FRONT.get(fault.kind)
    return _with_wait(make(), fault) if make else None


def spoil(reply: Reply, fault: Fault, draw: random.Random, *, is_search: bool, query: str) -> Reply:
    """Return a reply as the fault changes it; `query`: a search's."""
    kind = fault.kind
    if kind in _INSTEAD:
        return _with_wait(_INSTEAD[kind](is_search, query), fault)
    if kind in _DELIVERIES:
        return replace(reply, delivery=_DELIVERIES[kind])
    if reply.status != 200 or reply.media or kind not in _INSIDE:
        return reply
    content = orjson.loads(reply.body)
    results = content.get("results")
    sounds = results if isinstance(results, list) else [content]
    if not sounds:
        return reply
    at = draw.randrange(len(sounds))
    if kind == "null" and results is not None:
        results[at] = None
    elif kind == "duplicate" and results is not None:
        results.insert(draw.randrange(len(results) + 1), results[at])
    elif kind in {"missing-field", "mistyped"} and sounds[at]:
        name = draw.choice(sorted(sounds[at]))
        if kind == "missing-field":
            del sounds[at][name]
        else:
            sounds[at][name] = _mistyped(sounds[at][name])
    return Reply(reply.status, reply.headers, encode_json(content))


def _with_wait(reply: Reply, fault: Fault) -> Reply:
    if fault.retry_after_s is not None:
        reply.headers["Retry-After"] = str(fault.retry_after_s)
    return reply


def _mistyped(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return {"value": value}
    if isinstance(value, str):
        return [value]
    return f"{value}!" if isinstance(value, int | float) else 0

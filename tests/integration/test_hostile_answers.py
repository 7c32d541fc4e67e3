"""Hostile answers met by the real command line over real sockets: exit code, message, requests, deferrals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harvester.clock import SystemClock
from harvester.library.check import check_library
from harvester.library.reader import load_view
from tests.support.hostile_server import (
    Answer,
    Asked,
    HostileServer,
    Responder,
    always,
    body,
    detail,
    each_row,
    from_number,
    html,
    renamed,
)
from tests.support.processes import run
from tests.support.quick_clock import QUICKER
from tests.support.world import make_record

LIBRARY = Path("sandbox_library")


@dataclass(frozen=True)
class Case:
    """What a server answers, and what the command makes of it: the code, words of its last line, requests at most."""

    table: Mapping[str, Responder]
    code: int
    says: str
    requests: int
    options: tuple[str, ...] = ()


SHORT = ("--time-limit", "3s")
LISTS_CHANGED = 1 + 3 + 3
"""The search, the three lists that show it, and those on the wire beside them."""
CASES: dict[str, Case] = {
    "lists without results": Case(
        {"similar": body(renamed("results", "items"))}, 12, "without a list of `results`", LISTS_CHANGED
    ),
    "lists without score": Case(
        {"similar": each_row(renamed("score", "similarity"))}, 12, "without a valid `score`", LISTS_CHANGED
    ),
    "lists that are arrays": Case({"similar": body(lambda page: page["results"])}, 12, "are not JSON", LISTS_CHANGED),
    "emptied lists": Case({"similar": body(lambda page: {**page, "results": []})}, 12, "without rows", LISTS_CHANGED),
    "lists of null": Case({"similar": each_row(lambda row: None)}, 12, "null rows", LISTS_CHANGED + 3),
    "one body for all": Case({"similar": always(200, '{"ok":true}')}, 12, "each the same 11 bytes", LISTS_CHANGED),
    "lists that change later": Case(
        {"similar": from_number(20, each_row(lambda row: row["id"]))}, 12, "without a valid `id`", 30
    ),
    "searches without ids": Case({"search": each_row(renamed("id", "sound_id"))}, 12, "without a valid `id`", 3),
    "searches of null rows": Case({"search": each_row(lambda row: None)}, 12, "null rows", 3),
    "a 403 page for all": Case({"**": html(403)}, 11, "HTTP 403 with a web page; check --api-url", 0),
    "a 403 page for the key": Case({"*": html(403)}, 11, "HTTP 403 with a web page", 6, SHORT),
    "a login page": Case({"**": html(200)}, 11, "HTTP 200 with a web page; check --api-url", 0),
    "a redirect": Case({"**": html(302, location="https://login.example/")}, 11, "https://login.example/", 0),
    "a 404 for all": Case({"**": detail(404, "Not found")}, 11, "is not a Freesound API", 0),
    "a 404 for all lists": Case({"similar": detail(404, "Not found")}, 11, "404: Not found", 20, SHORT),
    "a 500 for all lists": Case({"similar": detail(500, "There was a problem")}, 11, "a problem", 12, SHORT),
    "lists cut short": Case({"similar": always(200, '{"count":25,"results":[{"id":1')}, 11, "cut short", 16, SHORT),
    "for ever before a firewall": Case(
        {"**": html(403)}, 11, "HTTP 403 with a web page", 0, ("--forever", "--time-limit", "3s")
    ),
    "a refused key": Case({"*": detail(401, "Invalid token")}, 10, "Invalid token", 1),
    "a suspended key": Case(
        {"*": detail(429, "Request was throttled because the ApiV2 credential has been suspended")}, 10, "suspended", 1
    ),
    "an absurd daily limit": Case(
        {"similar": from_number(3, detail(429, "limit rate (999999999999999999999/day)"))}, 0, "wait", 8
    ),
    "an absurd pause": Case(
        {"similar": from_number(3, html(503, retry_after="9" * 5_000))}, 0, "wait", 8, SHORT
    ),
}  # fmt: skip


MOST_BYTES = 300 << 20
"""A harvest of these few sounds may write to so much memory, the stacks of its threads included."""


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_answer_ends_as_it_should_and_defers_no_sound(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with HostileServer(case.table) as server:
        ended = run(
            "harvest", "--api-url", server.url, "--level", 99, *case.options, cwd=tmp_path, most_bytes=MOST_BYTES,
            first=QUICKER,
        )  # fmt: skip
    last = ended.err.strip().splitlines()[-1]
    assert ended.code == case.code, ended.err
    assert case.says in last
    assert "Traceback" not in ended.err
    assert server.counted <= case.requests
    assert not (tmp_path / LIBRARY).exists() or load_view(tmp_path / LIBRARY).deferrals == {}
    kept = list((tmp_path / LIBRARY / "quarantine").glob("*unusable_answer.json"))
    assert len(kept) == (case.code == 12)
    assert all(0 < path.stat().st_size <= 64 * 1024 for path in kept)


def test_a_run_that_met_changed_answers_goes_on_where_it_stood_once_they_are_good_again(tmp_path: Path) -> None:
    with HostileServer({"similar": from_number(11, body(renamed("results", "items")))}) as server:
        arguments = ("harvest", "--api-url", server.url, "--level", 99, "--samples", 30, "--concurrency", 1)
        assert run(*arguments, cwd=tmp_path).code == 12
        assert server.asked["similar"] == 10 + 3
        # The same catalogue behind the same address, without its disturber.
        server.table.clear()
        assert run(*arguments, cwd=tmp_path).code == 0
        assert server.asked["similar"] == 13 + 30
    status = json.loads(run("status", "--json", cwd=tmp_path).out)
    assert (status["processed"], status["deferred"]) == (40, 0)


def test_the_same_unusable_answer_is_kept_once(tmp_path: Path) -> None:
    with HostileServer({"similar": always(200, '{"ok":true}')}) as server:
        for _ in range(2):
            assert run("harvest", "--api-url", server.url, "--level", 99, cwd=tmp_path).code == 12
    assert len(list((tmp_path / LIBRARY / "quarantine").iterdir())) == 1


def first_row(**fields: Any) -> Responder:
    """Answer honestly, but give the first row of a list these fields."""

    def respond(_asked: Asked, honest: Answer) -> Answer:
        return honest.rows(lambda rows: [{**rows[0], **fields}, *rows[1:]])

    return respond


def spelled(change: Callable[[bytes], bytes]) -> Responder:
    """Answer honestly, but for the bytes of the body."""
    return lambda _asked, honest: replace(honest, body=change(honest.body))


DEEP = json.loads("[" * 30 + "]" * 30)
TOLERATED: dict[str, Responder] = {
    "counts as texts": each_row(lambda row: {**row, "num_downloads": "12", "filesize": "1"}),
    "ids as texts": each_row(lambda row: {**row, "id": str(row["id"])}),
    "scores as texts": each_row(lambda row: {**row, "score": str(row["score"])}),
    "ids as floats": each_row(lambda row: {**row, "id": float(row["id"])}),
    "a rating beyond all": first_row(avg_rating=1e308),
    "an integer of 400 digits": first_row(num_downloads=10**400),
    "NaN": spelled(lambda text: text.replace(b'"bitrate":', b'"bitrate":NaN,"bitrate_was":', 1)),
    "Infinity": spelled(lambda text: text.replace(b'"duration":', b'"duration":Infinity,"duration_was":', 1)),
    "1e999": spelled(lambda text: text.replace(b'"duration":', b'"duration":1e999,"duration_was":', 1)),
    "half a surrogate pair": spelled(lambda text: text.replace(b'"name":"', b'"name":"\\ud800', 1)),
    "Latin-1": spelled(lambda text: text.replace(b'"name":"', b'"name":"caf\xe9 ', 1)),
    "a byte order mark": spelled(lambda text: b"\xef\xbb\xbf" + text),
    "a control character": spelled(lambda text: text.replace(b'"name":"', b'"name":"\x01', 1)),
    "a key twice": spelled(lambda text: text.replace(b'"name":', b'"name":1,"name":', 1)),
    "deep containers": first_row(tags=DEEP, description=DEEP, previews=DEEP),
    "a text of a megabyte": first_row(description="x" * 1_000_000),
    "wrong types": first_row(name=1, tags="one", previews=[], license=[], username={}, created=0, geotag=True),
    "null rows": body(lambda page: {**page, "results": [None, *page["results"], None]}),
    "rows twice": body(lambda page: {**page, "results": page["results"] * 2}),
    "rows without number": body(lambda page: {**page, "results": page["results"] * 40}),
    "new sounds beyond what was asked": body(
        lambda page: {**page, "results": [*page["results"], *({"id": 10**6 + at, "score": 0.9} for at in range(9_000))]}
    ),
    "a count that is a text": body(lambda page: {**page, "count": "many"}),
    "further keys": each_row(lambda row: {**row, **{f"new_{at}": at for at in range(300)}}),
}


@pytest.mark.parametrize("name", TOLERATED)
def test_odd_values_cost_no_request_no_sound_and_no_memory(name: str, tmp_path: Path) -> None:
    with HostileServer({"similar": TOLERATED[name]}) as server:
        ended = run(
            "harvest", "--api-url", server.url, "--level", 99, "--samples", 4, cwd=tmp_path, most_bytes=MOST_BYTES
        )
        assert ended.code == 0, ended.err
        assert server.counted <= 1 + 4 + 3
    view = load_view(tmp_path / LIBRARY)
    assert (len(view.state.processed), view.deferrals) == (4, {})
    assert len(view.state) <= 400
    assert check_library(tmp_path / LIBRARY, clock=SystemClock()).clean


ROWS = 15
"""The rows of each page: a tenth of what was asked for, so that hundreds of pages cost little."""


def rows_whatever_is_asked(created: Callable[[int, int], str], *, same: bool, count: int = 2_000) -> Responder:
    """Answer every search with a page of `count` sounds; each time with other sounds unless they are the `same`.

    `created` gets the number of the answer and the place of the sound in all rows of that answer.
    """

    def respond(asked: Asked, honest: Answer) -> Answer:
        query = parse_qs(urlsplit(asked.target).query)
        if "fields" not in query:
            return honest
        size = int(query["page_size"][0])
        first = (int(query.get("page", ["1"])[0]) - 1) * size
        base = 1 if same else asked.number * count
        places = range(first, min(count, first + size))[:ROWS]
        rows = [make_record(base + at, created=created(asked.number, at)) for at in places]
        page = {"count": count, "next": "more" if first + size < count else None, "previous": None, "results": rows}
        return replace(honest, status=200, body=json.dumps(page).encode())

    return respond


UNHEEDED: dict[str, Responder] = {
    "the same sounds": rows_whatever_is_asked(lambda _, at: f"2016-01-01T{at // 100:02}:{at % 60:02}:00Z", same=True),
    "other sounds, ever older": rows_whatever_is_asked(
        lambda number, _: f"2016-01-01T00:00:{59 - number % 60:02}Z", same=False
    ),
    "other sounds, with a fraction": rows_whatever_is_asked(
        lambda number, _: f"2016-01-01T00:00:{number % 60:02}.123456", same=False
    ),
    "other sounds, with an offset": rows_whatever_is_asked(
        lambda number, _: f"2016-01-01T00:00:{number % 60:02}+02:00", same=False
    ),
    "other sounds, with a blank": rows_whatever_is_asked(
        lambda number, _: f"2016-01-01 00:00:{number % 60:02}", same=False
    ),
    "other sounds of one second": rows_whatever_is_asked(lambda *_: "2016-01-01T00:00:10Z", same=False),
}
SWEEP = ("harvest", "--level", 99, "--sweep", "--query", "x", "--samples", 0)


@pytest.mark.parametrize("name", UNHEEDED)
def test_a_sweep_ends_where_the_server_heeds_neither_window_nor_order(name: str, tmp_path: Path) -> None:
    with HostileServer({"search": UNHEEDED[name]}) as server:
        for at_most in (100, 10):
            before = server.counted
            ended = run(*SWEEP, "--api-url", server.url, cwd=tmp_path, most_bytes=MOST_BYTES)
            last = ended.err.strip().splitlines()[-1]
            assert ended.code == 12, ended.err
            assert "of the sweep matches created:[" in last
            assert "is kept" in last
            assert server.counted - before <= at_most
    assert len(load_view(tmp_path / LIBRARY).state) <= 100 * ROWS


def test_a_filter_that_no_answer_heeds_ends_the_run(tmp_path: Path) -> None:
    by = each_row(lambda row: {**row, "license": "http://creativecommons.org/licenses/by/4.0/"})
    with HostileServer({"search": by, "similar": by}) as server:
        ended = run("harvest", "--api-url", server.url, "--level", 99, "--cc0", cwd=tmp_path)
        assert ended.code == 12, ended.err
        last = ended.err.strip().splitlines()[-1]
        assert 'none of 150 sounds in the results of the search matches the filter license:"Creative' in last
        assert server.counted == 1
        # Of a search that finds nothing, no answer says that it does not heed the filter.
        none = run("harvest", "--api-url", server.url, "--level", 99, "--cc0", "--query", "qqqq", cwd=tmp_path)
        assert none.code == 0, none.err
    assert load_view(tmp_path / LIBRARY).deferrals == {}


def test_a_server_that_begins_every_answer_with_a_byte_order_mark_is_an_api(tmp_path: Path) -> None:
    with HostileServer({"**": spelled(lambda text: b"\xef\xbb\xbf" + text)}) as server:
        ended = run("harvest", "--api-url", server.url, "--level", 99, "--samples", 2, cwd=tmp_path)
    assert ended.code == 0, ended.err

"""Every recorded exchange, and the rest of the status/body table, becomes the right outcome."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from harvester.errors import AccessDenied, FetchFailed
from harvester.freesound.fields import record_fields
from harvester.freesound.responses import (
    read_body,
    read_records,
    read_similar,
    read_sound,
)
from harvester.freesound.status import raise_for_status, read_refusal, read_retry_after, with_date
from harvester.freesound.wire import QuotaRefused, RawResponse, Transient
from harvester.model import RecordsPage, SimilarPage
from harvester.records import judge_of
from tests.support.fake_transport import reply
from tests.support.recorded import recorded_exchanges

FIELDS = record_fields()
SUFFIX = " (please check that your filter syntax and field names are correct)"


def names(text: str) -> list[str]:
    return text.split()


PAGES = """results_null_element results_null_restored search_150_fields search_default search_fields_star
    search_fields_unknown search_filter_created search_filter_id_range search_filter_ok search_group_by_pack
    search_last_page search_no_params search_no_result search_page_abc search_page_size_500 search_page_size_abc
    search_text_alias search_token_in_query similar_150 similar_classic_space similar_default similar_fields
    similar_no_vector similar_unknown_id solr_down_sound_instance solr_up_again sound_instance sound_instance_fields
    sound_pending_moderation_served throttle_burst_ok_60th throttle_daily_ok_2000th pack_instance sound_comments
    user_instance user_sounds"""
RECORDED = recorded_exchanges()

OUTCOMES: dict[str, str] = {
    **dict.fromkeys(names(PAGES), "ok"),
    **dict.fromkeys(names("sound_huge_id sound_unknown_404"), "gone"),
    **dict.fromkeys(names("search_page_beyond"), "empty page"),
    **dict.fromkeys(
        names("""auth_bearer_invalid_401 auth_invalid_401 auth_invalid_401_query auth_malformed_401 auth_none_401
        auth_pending_401 auth_revoked_401 sound_download_token throttle_401_not_counted"""),
        "stop: access denied",
    ),
    **dict.fromkeys(
        names("accept_html_redirect apiv2_unknown_path sound_no_trailing_slash sound_not_a_number"), "not the API"
    ),
    **dict.fromkeys(
        names("""method_not_allowed_405 search_filter_empty search_filter_syntax_error user_sounds_beyond
        search_filter_unknown_field search_page_0 search_page_negative search_page_size_0 similar_page_0
        similar_page_beyond"""),
        "deferred",
    ),
    **dict.fromkeys(
        names("""solr_500_similar solr_503_search solr_down_search solr_down_similar solr_drops_connection
        solr_hangs_search solr_partial_results solr_timeout_search solr_timeout_similar"""),
        "retry, all of it down",
    ),
    "similar_page_size_0": "retry once",
    "format_xml": "not the API",
    "auth_suspended_level0_429": "refused suspended None",
    "throttle_both": "refused day 2000",
    "throttle_both_burst_wins": "refused burst 60",
    "throttle_burst_429": "refused burst 60",
    "throttle_daily_429": "refused day 2000",
}


def read(exchange: dict[str, Any]) -> object:
    headers = {name.lower(): text for name, text in exchange["headers"].items()}
    raw = RawResponse(exchange["status"], headers, exchange["body"].encode())
    url = urlsplit(exchange["path"])
    page = parse_qs(url.query).get("page", ["1"])[0]
    if url.path.startswith("/apiv2/search/"):
        return read_records(raw, FIELDS, 7, page=int(page) if page.isdigit() else 1)
    if found := re.fullmatch(r"/apiv2/sounds/(\d+)/similar/", url.path):
        return read_similar(raw, int(found[1]), 150, FIELDS, 7)
    if found := re.fullmatch(r"/apiv2/sounds/(\d+)/", url.path):
        return read_sound(raw, int(found[1]), FIELDS)
    return read_body(raw)


def outcome(exchange: dict[str, Any]) -> str:
    try:
        result = read(exchange)
    except AccessDenied:
        return "stop: access denied"
    except QuotaRefused as refused:
        return f"refused {refused.refusal.kind} {refused.refusal.limit}"
    except FetchFailed:
        return "deferred"
    except Transient as failure:
        if failure.foreign:
            return "not the API"
        return {True: "retry, all of it down", False: "retry once" if failure.attempts == 2 else "retry"}[
            failure.systemic
        ]
    if result is None:
        return "gone"
    return "empty page" if isinstance(result, RecordsPage) and "page past the last" in result.oddities else "ok"


def test_the_table_names_every_recorded_exchange() -> None:
    assert set(OUTCOMES) == set(RECORDED)


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_recorded_exchange_becomes_the_right_outcome(name: str) -> None:
    assert outcome(RECORDED[name]) == OUTCOMES[name]


def test_recorded_records_arrive_unchanged_in_the_fields_asked_for() -> None:
    for name in ("search_150_fields", "search_fields_star", "search_default"):
        exchange = RECORDED[name]
        page = read(exchange)
        assert isinstance(page, RecordsPage)
        rows = json.loads(exchange["body"])["results"]
        assert list(page.records) == [{k: v for k, v in row.items() if k in FIELDS} for row in rows]


def test_a_recorded_similar_list_keeps_every_score_best_first() -> None:
    exchange = RECORDED["similar_150"]
    page = read(exchange)
    assert isinstance(page, SimilarPage)
    rows = json.loads(exchange["body"])["results"]
    assert dict(page.neighbours) == {row["id"]: row["score"] for row in rows}
    assert [score for _, score in page.neighbours] == sorted((row["score"] for row in rows), reverse=True)
    assert page.count == 198


JSON_ERRORS = [
    (400, "Invalid filter.", "deferred"),
    (400, "The 'similar_to' parameter is not a valid sound ID", "deferred"),
    (400, "Search server error: Error processing sorting target bpm", "deferred"),
    (400, f"Search server error: Solr responded with an error (HTTP 400): [Reason: x]{SUFFIX}", "deferred"),
    (400, f"Search server error: Failed to connect to server at http://x{SUFFIX}", "retry, all of it down"),
    (400, "Search server error: Solr responded with an error (HTTP 500): [Reason: x]", "retry, all of it down"),
    (500, "Search is overloaded, please try again later.", "retry, all of it down"),
    (500, "The search server could not be reached or some unexpected error occurred.", "retry"),
    (500, "There was a problem with the search server, please try again later.", "retry"),
    (401, "User inactive or deleted", "stop: access denied"),
    (403, "This resource requires a secure connection (https)", "not the API"),
    (403, "You do not have permission to perform this action.", "stop: access denied"),
    (403, "", "not the API"),
    (404, "Not found", "deferred"),
    (404, "No Sound matches the given query.", "deferred"),
    (405, 'Method "POST" not allowed.', "deferred"),
    (410, "gone for good", "deferred"),
    (418, "a teapot", "deferred"),
    (451, "", "not the API"),
    (451, "not here", "deferred"),
    (408, "", "retry"),
    (425, "", "retry"),
    (429, "Request was throttled because of exceeding a request limit rate (15000/day)", "refused day 15000"),
    (429, "Request was throttled because of exceeding a request limit rate (300/minute)", "refused burst 300"),
    (429, "exceeding the concurrent ip limit rate (120/hour)", "refused ip 120"),
    (429, "something new", "refused unknown None"),
    (429, "Request was throttled because of exceeding a request limit rate (0/minute)", "refused suspended None"),
    (501, "", "retry"),
    (599, "", "retry"),
    (202, "", "not the API"),
    (204, "", "not the API"),
    (206, "", "not the API"),
    (307, "", "not the API"),
    (304, "", "not the API"),
]


@pytest.mark.parametrize(("status", "detail", "expected"), JSON_ERRORS)
def test_a_status_with_its_sentence_becomes_the_right_outcome(status: int, detail: str, expected: str) -> None:
    exchange = {"path": "/apiv2/search/", "status": status, "headers": {}, "body": json.dumps({"detail": detail})}
    assert outcome(exchange) == expected


BODIES = [
    (200, "<html>maintenance</html>", "not the API"),
    (200, "Success", "not the API"),
    (200, '{"count":1,"results":[{"id":1', "retry"),
    (200, "", "not the API"),
    (200, "[]", "deferred"),
    (200, "null", "deferred"),
    (200, '{"count":3}', "deferred"),
    (200, '{"count":3,"results":{}}', "deferred"),
    (200, '{"count":3,"results":null}', "deferred"),
    (500, "<html>crash</html>", "retry once"),
    (502, "<html>Bad Gateway</html>", "retry, all of it down"),
    (503, "<html></html>", "retry, all of it down"),
    (504, "", "retry, all of it down"),
    (404, "<!doctype html>", "not the API"),
    (400, "[1]", "not the API"),
    (400, "<html>Bad Request</html>", "not the API"),
    (404, "", "not the API"),
    (403, "<html>Forbidden</html>", "not the API"),
    (403, '{"error":"forbidden"}', "not the API"),
    (403, '{"title":"Forbidden","detail":"your token was refused"}', "not the API"),
    (429, "", "refused unknown None"),
    (401, "", "not the API"),
    (401, "<html>Log in</html>", "not the API"),
]


@pytest.mark.parametrize(("status", "body", "expected"), BODIES)
def test_a_body_of_another_shape_is_never_fatal(status: int, body: str, expected: str) -> None:
    assert outcome({"path": "/apiv2/search/", "status": status, "headers": {}, "body": body}) == expected


def test_the_body_of_a_failure_is_kept_for_inspection_but_not_all_of_it() -> None:
    with pytest.raises(FetchFailed) as failed:
        read_body(reply(200, '["' + "x" * 100_000 + '"]'))
    assert failed.value.body == b'["' + b"x" * (64 * 1024 - 2)


def rows_of(*rows: object) -> RawResponse:
    return reply(200, json.dumps({"count": 9, "next": None, "results": rows}))


def test_odd_rows_are_counted_and_the_good_ones_kept() -> None:
    page = read_records(
        rows_of(None, {"id": 1}, {"id": 1}, {"id": "x2"}, {"id": True}, {"id": 0}, {}, 7, "x", {"id": 3}), ("id",), 5
    )
    assert page.records == ({"id": 1}, {"id": 3})
    assert page.oddities == {"null result": 1, "duplicate": 1, "no id": 4, "not an object": 2}


def test_missing_unknown_and_mistyped_fields_are_counted_and_what_cannot_be_converted_is_null() -> None:
    row = {"id": 1, "name": 5, "tags": "a", "shiny": 1, "score": 0.9, "duration": True, "num_downloads": "12"}
    page = read_records(rows_of(row), ("id", "name", "tags", "duration", "username", "num_downloads"), 5)
    assert page.records == ({"id": 1, "name": "5", "tags": ["a"], "duration": None, "num_downloads": 12},)
    assert page.oddities == {"converted field": 3, "mistyped field": 1, "unknown field": 1, "missing field": 1}


def test_rows_that_are_alike_are_judged_each_for_itself() -> None:
    good = {"id": 1, "name": "a", "tags": ["a"], "score": 0.9}
    rows = rows_of(good, {**good, "id": 2, "tags": 7}, {**good, "id": 3, "shiny": 1}, None, {**good, "id": 4})
    page = read_records(rows, ("id", "name", "tags"), 5)
    assert page.records == tuple({"id": i, "name": "a", "tags": None if i == 2 else ["a"]} for i in (1, 2, 3, 4))
    assert page.oddities == {"mistyped field": 1, "unknown field": 1, "null result": 1}


def test_names_that_a_server_invents_are_not_kept_in_memory() -> None:
    kept = judge_of.cache_info().currsize
    for place in range(50):
        read_records(rows_of({"id": 1, f"shiny {place}": 1}), ("id", "a field of this test"), 5)
    assert judge_of.cache_info().currsize <= kept + 1


def test_a_field_nested_too_deep_is_null_and_counted() -> None:
    endless: list[Any] = []
    for _ in range(150):
        endless = [{"a": endless}]
    rows = rows_of({"id": 1, "shiny": endless}, {"id": 2, "shiny": {"a": [[[{"b": [1]}]]]}})
    page = read_records(rows, ("id", "shiny"), 5)
    assert page.records == ({"id": 1, "shiny": None}, {"id": 2, "shiny": {"a": [[[{"b": [1]}]]]}})
    assert page.oddities == {"field nested too deep": 1}


def test_more_rows_than_asked_for_are_dropped_and_counted() -> None:
    rows = rows_of(*({"id": n, "score": 0.9} for n in range(2, 502)))
    similar = read_similar(rows, 1, 25, ("id",), 5)
    records = read_records(rows, ("id",), 5, limit=40)
    assert (len(similar.records), len(similar.neighbours), len(records.records)) == (25, 25, 40)
    assert similar.oddities == {"more rows than asked for": 475}
    assert records.oddities == {"more rows than asked for": 460}


def test_a_text_or_a_float_that_is_an_id_becomes_one() -> None:
    page = read_similar(rows_of({"id": "2", "score": 0.5}, {"id": 3.0, "score": 0.4}), 1, 25, ("id",), 5)
    assert page.records == ({"id": 2}, {"id": 3})
    assert page.neighbours == ((2, 0.5), (3, 0.4))
    assert page.oddities == {"converted id": 2}


ODD_TEXTS = [
    b'"num_downloads": NaN',
    b'"num_downloads": Infinity',
    b'"num_downloads": 1e999',
    b'"num_downloads": ' + b"9" * 400,
    b'"num_downloads": ' + b"9" * 5000,
    b'"name": "a\\ud800"',
    b'"name": "caf\xe9"',
    b'"name": "a\x01b"',
]


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
def test_an_odd_value_that_a_strict_parser_refuses_costs_at_most_its_own_field(odd: bytes) -> None:
    body = b'{"count": 2, "next": null, "results": [{"id": 2, "score": 0.5, %s}, {"id": 3, "score": 0.4}]}' % odd
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(body)
    page = read_similar(RawResponse(200, {}, body), 1, 25, ("id", "name", "num_downloads"), 5)
    assert page.neighbours == ((2, 0.5), (3, 0.4))
    assert page.oddities["repaired JSON"] == 1
    assert page.records[0].get("num_downloads") is None
    page.records[0].get("name", "").encode()


def test_a_byte_order_mark_and_repeated_keys_are_read_over() -> None:
    page = read_records(RawResponse(200, {}, b'\xef\xbb\xbf{"count": 1, "results": [{"id": 2, "id": 3}]}'), ("id",), 5)
    assert page.records == ({"id": 3},)
    assert page.oddities == {"repaired JSON": 1, "repeated key": 1}


@pytest.mark.parametrize(
    ("body", "reason", "late"),
    [
        ('{"count": 1, "resul', "the answer was cut short", True),
        ('{"count": 1, "results": [{"id": 1', "the answer was cut short", True),
        ('{"count": 1, "results": [}]}', "invalid JSON at byte 25", False),
        ('{"café": 1, "results": [}]}', "invalid JSON at byte 25", False),
        ('{"count": 1} and more', "invalid JSON at byte 13", False),
        ('{"count": ' + "[" * 5000 + "]" * 5000 + "}", "JSON is nested too deep", False),
    ],
)
def test_an_unreadable_body_is_named_for_what_it_is(body: str, reason: str, late: bool) -> None:
    with pytest.raises(Transient) as failed:
        read_body(reply(200, body))
    assert (failed.value.reason, failed.value.late) == (reason, late)


def test_a_neighbour_without_a_finite_score_is_dropped_but_its_record_kept() -> None:
    rows = [
        {"id": 2, "score": None},
        {"id": 3, "score": "high"},
        {"id": 4},
        {"id": 5, "score": True},
        {"id": 6, "score": 1},
    ]
    page = read_similar(rows_of(*rows), 1, 25, ("id",), 5)
    assert page.neighbours == ((6, 1.0),)
    assert [record["id"] for record in page.records] == [2, 3, 4, 5, 6]
    assert page.oddities == {"no score": 4}


def test_a_sound_is_never_its_own_neighbour() -> None:
    page = read_similar(rows_of({"id": 1, "score": 1.0}, {"id": 2, "score": 0.8}), 1, 25, ("id",), 5)
    assert page.neighbours == ((2, 0.8),)
    assert page.oddities == {"itself": 1}


def test_neighbours_are_ordered_by_score_then_id_and_cut_at_the_limit() -> None:
    rows = [{"id": 9, "score": 0.8}, {"id": 3, "score": 0.8}, {"id": 5, "score": 0.9}, {"id": 7, "score": 0.7}]
    assert read_similar(rows_of(*rows), 1, 3, ("id",), 5).neighbours == ((5, 0.9), (3, 0.8), (9, 0.8))


def test_no_record_keeps_the_score() -> None:
    page = read_similar(rows_of({"id": 2, "score": 0.8, "name": "x"}), 1, 25, FIELDS, 5)
    assert page.records == ({"id": 2, "name": "x"},)


def test_a_wrong_count_is_replaced_and_counted() -> None:
    page = read_records(reply(200, '{"count":"many","results":[{"id":1}]}'), ("id",), 5)
    assert (page.count, page.oddities) == (1, {"no count": 1})


def test_only_the_sounds_own_404_sentence_says_that_it_is_gone() -> None:
    assert read_sound(reply(404, '{"detail":"No Sound matches the given query."}'), 5, FIELDS) is None
    with pytest.raises(FetchFailed):
        read_sound(reply(404, '{"detail":"Not found"}'), 5, FIELDS)
    for answer in (reply(404, "<html>", "text/html"), reply(410, "{}"), reply(404, "")):
        with pytest.raises(Transient):
            read_sound(answer, 5, FIELDS)


def test_the_record_of_another_sound_is_not_taken() -> None:
    with pytest.raises(FetchFailed, match="not the record of sound 5"):
        read_sound(reply(200, '{"id":6}'), 5, FIELDS)


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
def test_an_impossible_limit_in_a_429_is_not_believed(rate: str, kind: str, limit: int | None) -> None:
    text = f"Request was throttled because of exceeding a request limit rate ({rate})"
    refusal = read_refusal(reply(429, json.dumps({"detail": text})))
    assert (refusal.kind, refusal.limit) == (kind, limit)


def test_the_sentence_of_a_refused_key_helps() -> None:
    with pytest.raises(AccessDenied, match=r"Invalid token.*FREESOUND_API_KEY"):
        raise_for_status(reply(401, '{"detail":"Invalid token"}'))


@pytest.mark.parametrize(("told", "kept"), [(1.0000001, 1.0), (-1e-9, 0.0), (1, 1.0), (0, 0.0)])
def test_a_score_is_kept_between_0_and_1_as_a_float_and_what_was_outside_is_counted(told: float, kept: float) -> None:
    page = read_similar(rows_of({"id": 2, "score": told}, {"id": 3, "score": 0.75}), 1, 25, ("id",), 5)
    assert dict(page.neighbours)[2] == kept
    assert all(type(score) is float for _, score in page.neighbours)
    assert page.oddities.get("score out of range", 0) == (told != kept)


def test_a_score_as_text_is_read_and_one_far_outside_is_none() -> None:
    page = read_similar(rows_of({"id": 2, "score": "0.9"}, {"id": 3, "score": 7}, {"id": 4, "score": "2"}), 1, 9, (), 5)
    assert page.neighbours == ((2, 0.9),)
    assert page.oddities == {"converted score": 1, "no score": 2}

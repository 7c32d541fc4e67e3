"""Every recorded exchange, and the rest of the status/body table, becomes the right outcome."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from harvester.errors import AccessDenied, FetchFailed
from harvester.freesound.fields import record_fields
from harvester.freesound.responses import (
    read_body,
    read_records,
    read_similar,
    read_sound,
)
from harvester.freesound.wire import QuotaRefused, RawResponse, Transient
from harvester.model import RecordsPage, SimilarPage
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


def test_recorded_records_arrive_unchanged_in_the_requested_fields() -> None:
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

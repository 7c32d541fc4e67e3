"""Fields, addresses, the key: what goes into a request, and what never does."""

from __future__ import annotations

import pickle
from urllib.parse import parse_qsl, unquote

import pytest

from harvester.errors import SettingsError
from harvester.filters import build_filter, filter_ids
from harvester.filters.presets import LONGEST_ENCODED
from harvester.freesound.address import API_URL, encode_query, read_api_url
from harvester.freesound.fields import encode_fields, read_extra_fields, record_fields
from harvester.freesound.key import ApiKey
from harvester.graph import OWN_FIELDS
from harvester.model import RECORD_FIELDS


def test_category_rides_with_the_fields_that_are_wrong_without_it() -> None:
    assert {"category", "subcategory", "gen_ai_preference"} <= set(encode_fields().split(","))
    assert " " not in encode_fields(("bpm",), scored=True)


def test_score_is_asked_for_with_lists_and_is_no_field_of_a_record() -> None:
    assert encode_fields(scored=True).split(",")[-1] == "score"
    assert "score" not in record_fields()


def test_extra_fields_are_asked_for_once_and_in_order() -> None:
    assert read_extra_fields(["bpm,loudness", "bpm", "name", ""]) == ("bpm", "loudness")
    assert record_fields(("bpm",)) == (*RECORD_FIELDS, "bpm")


@pytest.mark.parametrize("name", ["BPM", "a b", "sim_bogus", "score", "all_descriptors", "x&token=1", "*", *OWN_FIELDS])
def test_a_name_that_cannot_be_a_field_is_refused(name: str) -> None:
    with pytest.raises(SettingsError):
        read_extra_fields([name])


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://freesound.org/apiv2", "https://freesound.org/apiv2/"),
        ("HTTPS://Freesound.org:443/apiv2/", "https://freesound.org/apiv2/"),
        ("http://127.0.0.1:8000/apiv2/", "http://127.0.0.1:8000/apiv2/"),
        ("http://[::1]:80", "http://[::1]/"),
        ("http://localhost/", "http://localhost/"),
    ],
)
def test_an_address_has_one_normal_form(text: str, normal: str) -> None:
    assert read_api_url(text) == normal


@pytest.mark.parametrize(
    "text",
    [
        "http://freesound.org/apiv2/",
        "http://10.0.0.1/",
        "ftp://x/",
        "https://u:p@h/",
        "https://h/?token=k",
        "",
        "https://h:x/",
    ],
)
def test_the_key_travels_only_over_https_or_to_this_machine(text: str) -> None:
    with pytest.raises(SettingsError):
        read_api_url(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("freesound.org", "'freesound.org'"), (" ", "''"), ("https://h:x/", "'https://h:x/'"), ("ftp://h/", "'ftp://h/'"),
        ("https://u:secret@h/a", "'https://…@h/a'"), ("u:secret@h", "'…@h'"), ("https://u:se/cret@@h/", "'https://…@h/'"),
        ("https://h/?token=secret", "'https://h/?…'"), ("https://h/#secret\nsecret", "'https://h/#…'"),
        ("https://u:a?secret@h/?b=secret", "'https://…@h/?…'"), ("\x1b[1m", "'\\x1b[1m'"),
        ("y" * 81, f"'{'y' * 80}…'"),
    ],
)  # fmt: skip
def test_a_refused_address_is_shown_without_a_secret(text: str, shown: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_api_url(text)
    assert str(caught.value) == f"the API address must look like {API_URL}, not {shown}"


@pytest.mark.parametrize("name", ["query", "filter"])
@pytest.mark.parametrize(
    "text", ["50%25 off", "100%", "a+b & c=d#e", 'tag:"é ü" id:(1 OR 2)', "%41", "%2541", "%%41", "%zz", "%e9"]
)
def test_a_query_and_a_filter_survive_being_decoded_twice(name: str, text: str) -> None:
    assert unquote(dict(parse_qsl(encode_query({name: text})))[name]) == text


def test_other_parameters_are_decoded_once() -> None:
    assert dict(parse_qsl(encode_query({"fields": "a%41"})))["fields"] == "a%41"


def test_150_ids_and_the_longest_filter_fit_into_a_request_line_of_4094_bytes() -> None:
    longest = build_filter("", tags=("x" * (LONGEST_ENCODED - 16),)).text
    for text in ("", longest):
        listed = filter_ids(range(1_000_000, 1_000_150), text)
        query = encode_query(
            {"query": "", "fields": encode_fields(), "sort": "score", "page_size": "150", "filter": listed}
        )
        assert len(f"GET /apiv2/search/?{query} HTTP/1.1") < 4_094


def test_a_key_shows_itself_nowhere() -> None:
    key = ApiKey("verysecretkey")
    assert "verysecret" not in f"{key!r} {key} {vars(type(key))}"
    assert len(key.fingerprint) == 12
    with pytest.raises(TypeError):
        pickle.dumps(key)


@pytest.mark.parametrize("text", ["", "  ", "a b", "schlüssel", "a\nb"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_named(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        ApiKey(text)
    assert not text.strip() or text.strip() not in str(refused.value)

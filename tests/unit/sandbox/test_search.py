"""Search and similar lists as a client sees them: pages, fields, sorting, similarity, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from harvester.sandbox.catalogue import SORTS
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.recorded import RecordedCatalogue

LIST = ["id", "name", "tags", "license", "username"]


def test_pages_neither_overlap_nor_leave_gaps(asker: Any) -> None:
    seen: list[int] = []
    target = "/apiv2/search/?query=rain&page_size=40&fields=id"
    while target:
        page = asker.get(target)
        seen += [row["id"] for row in page["results"]]
        target = (page["next"] or "").removeprefix("https://sandbox.invalid")
    assert len(seen) == len(set(seen)) == page["count"] > 80


@pytest.mark.parametrize(
    ("parameters", "size"),
    [("", 15), ("page_size=500", 150), ("page_size=abc", 15), ("page_size=3", 3), ("page_size=", 15)],
)
def test_page_sizes(asker: Any, parameters: str, size: int) -> None:
    assert len(asker.ids(f"/apiv2/search/?{parameters}")) == size


def test_the_last_page_is_the_last(asker: Any) -> None:
    assert len(asker.ids("/apiv2/search/?page_size=50&page=100")) == 50
    assert asker.get("/apiv2/search/?page_size=50&page=100")["next"] is None
    assert asker.ask("/apiv2/search/?page_size=50&page=101").status == 404


def test_any_page_of_nothing_is_an_empty_page(asker: Any) -> None:
    empty: dict[str, Any] = {"count": 0, "previous": None, "next": None, "results": []}
    assert asker.get("/apiv2/search/?query=zzzznothing&page=7") == empty
    assert asker.get("/apiv2/sounds/999999999/similar/?page=7") == empty


def test_every_sort_orders_by_its_property(new_asker: Callable[..., Any]) -> None:
    asker = new_asker(GeneratedCatalogue(600, 5))
    fields = "fields=score,avg_rating,num_ratings,num_downloads,duration,created"
    names = {"downloads": "num_downloads", "duration": "duration", "created": "created"}
    for sort in SORTS:
        kind, _, direction = sort.partition("_")
        for scope in ("", "&query=rain", "&filter=type:wav"):
            rows = asker.get(f"/apiv2/search/?sort={sort}{scope}&page_size=150&{fields}")["results"]
            if kind == "rating":
                values = [2 * row["avg_rating"] if row["num_ratings"] >= 3 else 0.0 for row in rows]
            elif kind == "score":
                values = [row["score"] for row in rows]
            else:
                values = [row[names[kind]] for row in rows]
            assert values == sorted(values, reverse=direction != "asc"), (sort, scope)


def test_an_unknown_sort_is_by_score(asker: Any) -> None:
    assert asker.ids("/apiv2/search/?sort=bogus") == asker.ids("/apiv2/search/")


def test_a_query_matches_words_of_every_searched_field(new_asker: Callable[..., Any]) -> None:
    sounds = [
        {"id": 11, "tags": ["alpha"], "name": "x"},
        {"id": 12, "tags": [], "name": "alpha"},
        {"id": 13, "description": "an alpha, beta"},
        {"id": 14, "username": "alpha"},
        {"id": 15, "pack_name": "Alpha pack"},
        {"id": 16, "name": "alphabet", "comment": "alpha"},
    ]
    asker = new_asker(RecordedCatalogue(sounds))
    assert asker.ids("/apiv2/search/?query=alpha&fields=id")[:2] == [11, 13]  # tag 4, description 3, …
    assert set(asker.ids("/apiv2/search/?query=ALPHA&fields=id")) == {11, 12, 13, 14, 15}
    assert asker.ids("/apiv2/search/?query=alpha%20beta") == [13]
    assert asker.ids("/apiv2/search/?query=alpha%20-beta%20-pack&sort=created_asc&fields=id") == [14, 12, 11]
    assert asker.ids("/apiv2/search/?query=16") == [16]
    assert asker.ids("/apiv2/search/?query=%2522alpha%2522&fields=id&page_size=1") == [11]  # decoded twice
    assert len(asker.ids("/apiv2/search/?query=%22%20%22")) == 6


def test_fields_come_in_the_serializers_order_and_unknown_ones_are_dropped(asker: Any) -> None:
    def keys(fields: str) -> list[str]:
        return list(asker.get(f"/apiv2/search/?page_size=1&fields={fields}")["results"][0])

    assert keys("") == LIST
    assert keys("username,license,tags,name,id") == LIST
    assert keys("id,doesnotexist,%20name") == ["id"]
    assert keys("doesnotexist") == []
    assert keys("score,id,md5") == ["id", "score", "md5"]
    assert keys("score") == ["score"]
    assert keys("bpm,id,loudness") == ["id", "bpm", "loudness"]
    assert len(keys("*")) == 110
    assert len(keys("all_descriptors")) == 67
    assert keys("all_similarity_spaces,id") == ["id", "sim_laion_clap", "sim_freesound_classic"]


def test_an_unknown_space_among_the_fields_breaks_the_answer_as_it_does_there(asker: Any) -> None:
    assert asker.get("/apiv2/search/?page_size=2&fields=id,sim_bogus")["results"] == [None, None]
    sound_id = asker.ids("/apiv2/search/?page_size=1")[0]
    assert asker.ask(f"/apiv2/sounds/{sound_id}/?fields=sim_bogus").status == 500


def test_the_sound_resource_has_all_fields_but_the_score(asker: Any) -> None:
    sound_id = asker.ids("/apiv2/search/?page_size=1")[0]
    assert len(asker.get(f"/apiv2/sounds/{sound_id}/")) == 40
    assert asker.get(f"/apiv2/sounds/{sound_id}/?fields=id,score") == {"id": sound_id, "score": None}


def test_similar_lists_leave_out_their_sound_and_score_only_when_asked(asker: Any) -> None:
    target = asker.ids("/apiv2/search/?sort=downloads_desc&page_size=1")[0]
    rows = asker.get(f"/apiv2/sounds/{target}/similar/?page_size=150&fields=id,score")["results"]
    assert target not in [row["id"] for row in rows]
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert all(0.7 <= row["score"] <= 1 for row in rows)
    assert list(asker.get(f"/apiv2/sounds/{target}/similar/")["results"][0]) == LIST
    # These parameters do nothing there.
    same = f"/apiv2/sounds/{target}/similar/?page_size=150&fields=id&query=zzz&filter=&similar_to=4&group_by_pack=1"
    assert asker.ids(same) == [row["id"] for row in rows]
    other = asker.ids(f"/apiv2/sounds/{target}/similar/?similarity_space=freesound_classic&fields=id")
    assert other != [row["id"] for row in rows[:15]]
    assert asker.get(f"/apiv2/sounds/{target}/similar/?similarity_space=bogus")["count"] == 0


def test_similar_to_in_a_search_takes_a_filter_and_ignores_the_query(asker: Any) -> None:
    target = asker.ids("/apiv2/search/?sort=downloads_desc&page_size=1")[0]
    alone = asker.get(f"/apiv2/sounds/{target}/similar/?page_size=150&fields=id,score,tags")["results"]
    searched = asker.get(f"/apiv2/search/?query=zzz&similar_to={target}&page_size=150&fields=id,score,tags")
    assert searched["results"] == alone
    tag = alone[-1]["tags"][0]
    filtered = asker.get(
        f"/apiv2/search/?similar_to={target}&filter=tag:%22{tag}%22&page_size=150&fields=id,score,tags"
    )
    wanted = {tag.lower()}
    assert {row["id"] for row in filtered["results"]} >= {
        row["id"] for row in alone if wanted & {one.lower() for one in row["tags"]}
    }
    chosen = [row["id"] for row in alone[3:6]]
    by_id = asker.ids(f"/apiv2/search/?similar_to={target}&filter=id:({'%20OR%20'.join(map(str, chosen))})")
    assert by_id == chosen


def test_similar_to_takes_a_vector(asker: Any, five_thousand: GeneratedCatalogue) -> None:
    target = asker.ids("/apiv2/search/?sort=downloads_desc&page_size=1")[0]
    vector = quote(json.dumps(five_thousand.vector(target, "freesound_classic")))
    rows = asker.ids(f"/apiv2/search/?similar_to={vector}&similarity_space=freesound_classic&page_size=150")
    alone = asker.ids(f"/apiv2/sounds/{target}/similar/?similarity_space=freesound_classic&page_size=150")
    assert rows[0] == target
    assert len(set(rows[1:]) & set(alone)) >= 148
    assert asker.get("/apiv2/search/?similar_to=[1,2]")["count"] == 0
    assert asker.get(f"/apiv2/search/?similar_to={quote(json.dumps([0] * 512))}")["count"] == 0


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/apiv2/search/?similar_to=abc", 400, "The 'similar_to' parameter is not a valid sound ID"),
        ("/apiv2/search/?similar_to=[0.1,", 400, "The 'similar_to' parameter is not a valid serialized vector"),
        ("/apiv2/search/?similar_to=[[1]]", 400, "The 'similar_to' parameter is not a valid serialized vector"),
        ("/apiv2/search/?filter=%20", 400, "Invalid filter."),
        ("/apiv2/search/?page_size=-1", 404, "Not found"),
        ("/apiv2/search/?page=0&filter=foo:bar", 404, "Not found"),
        ("/apiv2/sounds/0/", 404, "No Sound matches the given query."),
        ("/apiv2//", 400, "Invalid url"),
        ("/apiv2/search/?format=bogus", 404, "Not found."),
        ("/apiv2/search/?format=xml", 404, "Not found."),
        ("/apiv2/search/?query=a%00b", 400, "Malformed request."),
        ("/apiv2/search/?filter=+%09", 400, "Invalid filter."),
        ("/apiv2/sounds/0/similar/?sort=bpm:x", 400, "Search server error: Error processing sorting target bpm:x"),
    ],
)
def test_refusals_in_the_servers_words(asker: Any, target: str, status: int, text: str) -> None:
    reply = asker.ask(target)
    assert (reply.status, json.loads(reply.body)) == (status, {"detail": text})


def test_the_format_is_agreed_on_before_the_key_and_the_throttle(new_asker: Callable[..., Any]) -> None:
    asker = new_asker(GeneratedCatalogue(20, 5), burst=1)
    for _ in range(3):
        assert asker.ask("/apiv2/search/?format=bogus", authorization=None).status == 404
    assert asker.ask("/apiv2/search/?format=").status == 200
    assert asker.ask("/apiv2/search/").status == 429


@pytest.mark.parametrize(
    ("accept", "status"),
    [("application/json", 200), ("*/*", 200), ("image/png, application/*;q=0.5", 200), ("image/png", 406), ("", 200)],
)
def test_an_accept_header_leaves_room_for_json(asker: Any, accept: str, status: int) -> None:
    headers = {"Authorization": "Token sandbox", "accept": accept}
    assert asker.sandbox.respond("GET", "/apiv2/search/?page_size=1", headers).status == status


def test_the_path_is_decoded(asker: Any) -> None:
    assert asker.ask("/apiv2/se%61rch/?page_size=1").status == 200
    assert asker.ask("/apiv2/se%61rch?page_size=1").headers["Location"] == "/apiv2/search/?page_size=1"


def test_150_known_ids_come_in_one_answer_and_unknown_ones_are_missing(asker: Any) -> None:
    ids = asker.ids("/apiv2/search/?sort=downloads_desc&page_size=149&fields=id")
    found = asker.ids(
        f"/apiv2/search/?page_size=150&fields=id&filter=id:({'+OR+'.join(map(str, [*ids, 999_999_999]))})"
    )
    assert sorted(found) == sorted(ids)


def test_a_long_number_is_only_an_unknown_sound(asker: Any) -> None:
    assert asker.ask(f"/apiv2/sounds/{'9' * 4_000}/").status == 404
    assert asker.ask(f"/apiv2/search/?page={'9' * 4_000}").status == 404
    assert asker.ask(f"/apiv2/search/?similar_to={'9' * 4_000}").status == 200


def test_a_request_line_has_4094_bytes_at_most(asker: Any) -> None:
    around = len("GET /apiv2/search/?query= HTTP/1.1")
    assert asker.ask(f"/apiv2/search/?query={'x' * (4_094 - around)}").status == 200
    reply = asker.ask(f"/apiv2/search/?query={'x' * (4_095 - around)}", authorization=None)
    assert (reply.status, reply.headers["Content-Type"]) == (400, "text/html")
    assert b"Request Line is too large (4095 &gt; 4094)" in reply.body


def test_plus_signs_and_percents_are_decoded_as_by_the_server(new_asker: Callable[..., Any]) -> None:
    sounds = [{"id": at, "name": name, "tags": [name]} for at, name in enumerate(("c++", "a b", "%20", "c+", " "), 1)]
    asker = new_asker(RecordedCatalogue(sounds))

    def found(filter: str) -> list[int]:
        return sorted(asker.ids(f"/apiv2/search/?fields=id&filter={filter}"))

    assert found("tag:%22a+b%22") == [2]  # a plus sign in an address is a blank
    assert found("tag:%22a%2520b%22") == [2]  # the second decoding
    assert found("tag:%22a%2Bb%22") == []
    assert found("tag:%22%252520%22") == [3]
    assert found("tag:%22c%2B%2B%22") == [4]  # the server makes one plus sign of two
    assert found("tag:%22c%5C%2B%5C%2B%22") == [1]
    assert found("tag:%22c%255C%252B%255C%252B%22") == [1]


def test_links_hold_the_filter_as_it_came_and_leave_its_plus_signs(asker: Any) -> None:
    link = asker.get("/apiv2/search/?query=rain'&filter=%2Bduration:[0%20TO%20*]&sort=created_asc&page_size=1")["next"]
    assert link.endswith("/?&query=rain'&filter=+duration:[0%20TO%20*]&weights=&sort=created_asc&page=2&page_size=1"), (
        link
    )
    # Whoever follows it sends a blank instead of the plus sign.
    assert asker.ask(link.removeprefix("https://sandbox.invalid")).status == 200


def test_the_form_strips_its_texts_but_names_of_fields_keep_their_blanks(asker: Any) -> None:
    plain = asker.get("/apiv2/search/?sort=created_asc&page=2&page_size=3&filter=type:wav&fields=id")
    blanks = "/apiv2/search/?sort=%20created_asc+&page=+2&page_size=%093%0A&filter=%20type:wav+&fields=id"
    assert asker.get(blanks) == plain
    for fields in ("%20id", "id%20", "name,%20id"):
        assert "id" not in asker.get(f"/apiv2/search/?page_size=1&fields={fields}")["results"][0]


def test_a_filter_of_which_rewriting_leaves_nothing_is_none(asker: Any) -> None:
    for text in ("%2B", "%2520"):
        assert asker.get(f"/apiv2/search/?filter={text}")["count"] == 5_000


def test_an_unknown_space_among_the_fields_of_grouped_packs_is_a_list_of_nulls(asker: Any) -> None:
    page = asker.get("/apiv2/search/?group_by_pack=1&page_size=150&fields=sim_bogus")
    assert page["results"] == [None] * 150


def test_deleted_sounds_are_counted_but_null(new_asker: Callable[..., Any], five_thousand: GeneratedCatalogue) -> None:
    asker, whole = new_asker(five_thousand, deleted_share=0.1), new_asker(five_thousand)
    target = "/apiv2/search/?filter=type:wav&sort=created_asc&page_size=150&fields=id"
    some, every = asker.get(target), whole.get(target)
    assert some["count"] == every["count"] > 150
    gone = [row["id"] for row, other in zip(every["results"], some["results"], strict=True) if other is None]
    assert 5 < len(gone) < 30
    assert [row for row in some["results"] if row] == [row for row in every["results"] if row["id"] not in gone]
    for sound_id in gone:
        assert asker.ask(f"/apiv2/sounds/{sound_id}/").status == 404
        for similar in (f"/apiv2/sounds/{sound_id}/similar/", f"/apiv2/search/?similar_to={sound_id}"):
            assert (asker.get(similar)["count"], whole.get(similar)["count"] > 0) == (0, True)
    popular = whole.ids("/apiv2/search/?sort=downloads_desc&page_size=20&fields=id")
    kept = next(one for one in popular if asker.ask(f"/apiv2/sounds/{one}/").status == 200)
    rows = asker.get(f"/apiv2/sounds/{kept}/similar/?page_size=150&fields=id")["results"]
    assert None in rows
    assert asker.ask("/apiv2/search/?group_by_pack=1&page_size=150&fields=id").status == 200
    assert asker.sandbox.digest == whole.sandbox.digest


def test_similar_to_takes_the_filter_as_a_nested_query_on_sounds(asker: Any) -> None:
    target = asker.ids("/apiv2/search/?sort=downloads_desc&page_size=1&fields=id")[0]
    base = f"/apiv2/search/?similar_to={target}&page_size=150&fields=id&filter="
    alone = asker.get(f"/apiv2/search/?similar_to={target}&fields=id")["count"]
    assert asker.get(f"{base}type:*")["count"] == alone > 0
    assert asker.get(f"{base}-type:wav")["count"] == 0
    assert 0 < asker.get(f"{base}-type:wav%20type:*")["count"] < alone
    reply = asker.ask(f"{base}duration:[0%20TO%20*]")
    assert reply.status == 400
    assert b"Solr responded with an error (HTTP 500): [Reason: Parent query must not match" in reply.body
    assert asker.get(f"{base}duration:[0%20TO%20*]%20type:*")["count"] == alone
    reply = asker.ask(f"{base}(type:wav")
    assert b"Cannot parse '((+type:wav)'" in reply.body

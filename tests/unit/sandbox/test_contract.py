"""The sandbox against every recorded exchange it can serve: status, headers, bytes of errors, shape of lists.

The catalogue of these exchanges was not recorded, so ids of its sounds are replaced by those of a generated one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from harvester.sandbox.faults import Fault
from harvester.sandbox.generated import GeneratedCatalogue
from harvester.sandbox.recorded import RecordedCatalogue
from tests.support.recorded import recorded_exchanges

RECORDED = recorded_exchanges()
NOT_SERVED = {
    "format_xml": "the harvester reads JSON only",
    "pack_instance": "packs have no resource of their own: their names come with the sounds",
    "sound_comments": "comments are counted, not invented",
    "user_instance": "users have no resource of their own",
    "user_sounds": "users have no resource of their own",
    "user_sounds_beyond": "users have no resource of their own",
}
KEY = "sandbox"
FAULTS = {
    "results_null_element": "null",
    "solr_500_similar": "400-solr-500",
    "solr_503_search": "400-solr-503",
    "solr_down_search": "400-solr-down",
    "solr_down_similar": "400-solr-down",
    "solr_drops_connection": "400-solr-drops",
    "solr_hangs_search": "500",
    "solr_partial_results": "500",
    "solr_timeout_search": "500",
    "solr_timeout_similar": "500",
}
STANDINGS = {"auth_pending_401": "pending", "auth_revoked_401": "revoked", "auth_suspended_level0_429": "suspended"}
# The requests that came before the recorded one: how many, and seconds between two of them.
BEFORE: dict[str, tuple[tuple[int, float], ...]] = {
    "throttle_burst_ok_60th": ((59, 0.1),),
    "throttle_burst_429": ((60, 0.1),),
    "throttle_daily_ok_2000th": ((1_999, 1.2),),
    "throttle_daily_429": ((2_000, 1.2),),
    "throttle_both": ((2_000, 1.2),),
    "throttle_both_burst_wins": ((2_000, 1.2), (60, 0.0)),
}

DEFAULTS = (("page", 1), ("page_size", 15))
# What holds for every row of a recorded answer holds for ours.
VALUES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "search_filter_created": lambda row: row["created"] >= "2020-01-01T00:00:00Z",
    "search_filter_id_range": lambda row: "1257" <= str(row["id"]) <= "1764",
    "search_filter_ok": lambda row: "rain" in map(str.lower, row["tags"]) and "/by/" in row["license"],
    "similar_150": lambda row: 0.7 <= row["score"] <= 1,
}
ASCENDING = {"search_filter_created": "created", "search_150_fields": "created"}


def _options(name: str) -> dict[str, Any]:
    options: dict[str, Any] = {"tokens": () if name in STANDINGS else (KEY,), "burst": 60, "daily": 2_000}
    if name in STANDINGS:
        options["standings"] = {KEY: STANDINGS[name]}
    if name in FAULTS:
        options["faults"] = (Fault.parse(FAULTS[name]),)
    return options


def _shape(value: Any) -> Any:
    """Return the keys in order and the kinds of values; null fits every kind."""
    if isinstance(value, dict):
        return {name: _shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return list
    return None if value is None else type(value)


def _fits(ours: Any, theirs: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return list(ours) == list(theirs) and all(_fits(ours[name], theirs[name]) for name in theirs)
    return ours is None or theirs is None or ours == theirs


@pytest.mark.parametrize("name", [name for name in RECORDED if name not in NOT_SERVED])
def test_the_sandbox_answers_as_recorded(
    name: str, five_thousand: GeneratedCatalogue, new_asker: Callable[..., Any]
) -> None:
    exchange = RECORDED[name]
    stand_ins = _stand_ins(five_thousand)
    path = re.sub(r"(?<=/sounds/)(\d+)", lambda m: str(stand_ins.get(int(m[1]), m[1])), exchange["path"])
    path = path.replace("<key>", KEY)
    asker = new_asker(five_thousand, **_options(name))
    for count, pause_s in BEFORE.get(name, ()):
        for _ in range(count):
            asker.ask("/apiv2/sounds/1/")
            asker.clock.pass_s(pause_s)
    authorization = {"valid token": f"Token {KEY}", "none": None}.get(
        exchange["authorization"], exchange["authorization"]
    )
    reply = asker.ask(path, method=exchange["method"], authorization=authorization)

    def home(text: str) -> str:
        text = text.replace("https://sandbox.invalid", "https://freesound.org")
        for theirs, ours in stand_ins.items():
            text = re.sub(rf"(?<=/sounds/|ilar_to=){ours}\b", str(theirs), text)
        return text

    assert reply.status == exchange["status"], reply.body
    headers = {field: home(value) for field, value in reply.headers.items() if field != "X-Freesound-Sandbox"}
    assert headers == exchange["headers"]
    if exchange["status"] != 200:
        assert reply.body.decode() == exchange["body"]
        return
    ours, theirs = json.loads(reply.body), json.loads(exchange["body"])
    if "results" not in theirs:
        assert _fits(_shape(ours), _shape(theirs))
        return
    assert list(ours) == list(theirs)
    for link in ("previous", "next"):
        assert (home(ours[link]) if ours[link] else None) == theirs[link]
    assert bool(ours["count"]) == bool(theirs["count"])
    asked = dict(parse_qsl(urlsplit(path).query))
    page, size = (int(asked.get(name, "")) if asked.get(name, "").isdecimal() else start for name, start in DEFAULTS)
    assert len(ours["results"]) == max(0, min(min(size, 150), ours["count"] - (page - 1) * min(size, 150)))
    if name in VALUES:
        assert all(map(VALUES[name], ours["results"]))
    if name in ASCENDING:
        values = [row[ASCENDING[name]] for row in ours["results"]]
        assert values == sorted(values)
    known = {name for row in theirs["results"] if row for name in row}
    if theirs["results"] and "more_from_same_pack" not in known:
        template = next(row for row in theirs["results"] if row)
        assert all(row is None or _fits(_shape(row), _shape(template)) for row in ours["results"])
        assert None not in ours["results"] or name == "results_null_element"
    if name == "results_null_element":
        assert None in ours["results"]


def test_packs_are_grouped_in_the_recorded_form(asker: Any) -> None:
    exchange = RECORDED["search_group_by_pack"]
    theirs = json.loads(exchange["body"])["results"][0]
    rows = asker.get(exchange["path"].replace("page_size=3", "page_size=150"))["results"]
    ours = next(row for row in rows if "n_from_same_pack" in row)
    assert list(ours) == list(theirs)
    more = asker.get(ours["more_from_same_pack"].removeprefix("https://sandbox.invalid"))
    assert more["count"] == ours["n_from_same_pack"]
    pattern = r"https://[^/]+(/apiv2/search/\?&query=&filter=pack_grouping:%22)[^&]*(%22&weights=&page=1)"
    assert re.findall(pattern, ours["more_from_same_pack"]) == re.findall(pattern, theirs["more_from_same_pack"])


def test_recorded_sounds_come_back_byte_for_byte(new_asker: Callable[..., Any]) -> None:
    for name in ("sound_instance", "search_fields_star"):
        body = json.loads(RECORDED[name]["body"])
        sound = body["results"][0] if "results" in body else body
        sound.pop("score", None)
        fields = {field: value for field, value in sound.items() if not field.startswith("sim_")}
        asker = new_asker(RecordedCatalogue([fields]))
        wanted = ",".join(reversed(fields))
        reply = asker.ask(f"/apiv2/sounds/{sound['id']}/?fields={wanted}")
        assert reply.body.decode() == json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    instance = RECORDED["sound_instance"]["body"]
    asker = new_asker(RecordedCatalogue([json.loads(instance)]))
    assert asker.ask("/apiv2/sounds/1548/").body.decode() == instance


def test_what_is_not_served_is_named_and_still_recorded(asker: Any) -> None:
    assert set(NOT_SERVED) <= set(RECORDED)
    for name in set(NOT_SERVED) - {"format_xml"}:
        assert asker.ask(RECORDED[name]["path"]).status == 404


def _stand_ins(catalogue: GeneratedCatalogue) -> dict[int, int]:
    ids = catalogue.ordered("created_asc")
    rich = max(ids[:200], key=lambda one: len(catalogue.neighbours(one, "laion_clap")))
    return {1548: rich, 1257: ids[1], 1870: ids[-1], 377515: ids[3]}

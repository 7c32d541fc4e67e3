"""The sandbox against the recorded filters: the query that reached the index, and the sounds that it found."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from harvester.sandbox.recorded import RecordedCatalogue
from harvester.sandbox.rewriting import rewrite
from tests.support.recorded import FILTER_CATALOGUE, recorded_filters

MANY = "the 150 smallest ids, joined with OR"
ROWS = recorded_filters()


@pytest.fixture(scope="module")
def catalogue() -> RecordedCatalogue:
    return RecordedCatalogue.load([FILTER_CATALOGUE])


@pytest.fixture(scope="module")
def ids() -> str:
    """The ids that stand for the smallest ones: those of them that the catalogue has were found by themselves."""
    return " OR ".join(str(one) for row in ROWS if row["filter"] == f"id:(<{MANY}>)" for one in row["ids_in_catalogue"])


@pytest.mark.parametrize("row", ROWS, ids=[row["filter"][:60] for row in ROWS])
def test_a_recorded_filter_reaches_the_index_and_finds_as_recorded(
    row: dict[str, Any], ids: str, catalogue: RecordedCatalogue, new_asker: Callable[..., Any]
) -> None:
    text = row["filter"].replace(f"<{MANY}>", ids)
    asker = new_asker(catalogue)

    def ask(page: int) -> Any:
        return asker.ask(f"/apiv2/search/?fields=id&page_size=150&page={page}&filter={quote(text, safe='')}")

    if row["status"] != 200:
        reply = ask(1)
        assert reply.status == row["status"]
        theirs, ours = row["body"]["detail"], json.loads(reply.body)["detail"]
        # A stand-in worded what is wrong with the syntax, up to that point it is the index's own text.
        until = theirs.find("Encountered")
        assert ours == theirs if until < 0 else ours.startswith(theirs[:until])
        return
    assert [rewrite(text.strip())] == [one.replace("<ids>", ids) for one in row["solr_fq"]]
    found, page, count = [], 1, None
    while count is None or len(found) < count:
        answer = json.loads(ask(page).body)
        found += [sound["id"] for sound in answer["results"]]
        page, count = page + 1, answer["count"]
    assert sorted(found) == row["ids_in_catalogue"]


def test_all_52_are_there() -> None:
    assert len(ROWS) == 52

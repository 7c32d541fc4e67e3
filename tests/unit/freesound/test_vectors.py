"""Vectors ride along with the records of a page, apart from them; a page that is late is asked for in parts."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import orjson
import pytest

from harvester.errors import FetchFailed, PageTooLarge, SettingsError
from harvester.freesound.fields import encode_fields, read_extra_fields, record_fields
from harvester.freesound.responses import read_records
from harvester.freesound.vectors import read_vector, read_vectors
from harvester.freesound.wire import RawResponse, TransportFailure
from tests.support.client import make_client
from tests.support.fake_transport import Scripted, reply
from tests.support.virtual_time import VirtualClock, run_virtual

SPACE, DIMENSION = "freesound_classic", 100


def body(*vectors: object) -> RawResponse:
    rows = [{"id": number, "name": "x", f"sim_{SPACE}": vector} for number, vector in enumerate(vectors, 1)]
    return reply(200, orjson.dumps({"count": len(rows), "next": None, "results": rows}).decode())


def test_a_vector_is_read_apart_from_its_record_and_made_one_long() -> None:
    page = read_records(body([3.0] * DIMENSION, None), record_fields(), 1, vectors=SPACE)
    assert [set(record) for record in page.records] == [{"id", "name"}, {"id", "name"}]
    assert set(page.vectors) == {1}
    assert math.hypot(*page.vectors[1]) == pytest.approx(1.0, abs=1e-6)
    assert "unknown field" not in page.oddities


def test_vectors_that_nobody_asked_for_are_left_and_counted_as_unknown() -> None:
    page = read_records(body([3.0] * DIMENSION), record_fields(), 1)
    assert not page.vectors
    assert page.oddities["unknown field"] == 1


@pytest.mark.parametrize(
    "value",
    [None, "text", [], [1.0] * 99, [0.0] * 100, [float("nan")] * 100, [float("inf")] * 100, [True] * 100, ["1"] * 100],
)
def test_what_is_no_vector_is_none(value: object) -> None:
    assert read_vector(value, DIMENSION) is None
    oddities = Counter[str]()
    assert read_vectors({1: value}, SPACE, oddities) == {}
    assert oddities == ({} if value is None else {"unusable vector": 1})


def test_vectors_are_asked_for_by_space_and_never_as_a_field_of_a_record() -> None:
    assert encode_fields(vectors="laion_clap").split(",")[-1] == "sim_laion_clap"
    with pytest.raises(SettingsError, match="--vectors"):
        read_extra_fields(["sim_laion_clap"])


@pytest.mark.parametrize(
    "answer",
    [
        TransportFailure("no answer in time", sent=True, late=True),
        reply(504, "<html>", "text/html"),
        reply(200, '{"count": 1, "resul'),
    ],
)
def test_a_late_page_with_vectors_is_not_asked_for_again_as_it_is(answer: RawResponse | Exception) -> None:
    transport = Scripted(lambda _number, _path: answer, VirtualClock())

    async def main() -> None:
        client = make_client(transport, transport.clock)
        with pytest.raises(PageTooLarge):
            await client.search(vectors=True)

    run_virtual(main())
    assert len(transport.sent) == 1


def test_the_smallest_page_and_a_page_without_vectors_are_tried_again() -> None:
    late = TransportFailure("no answer in time", sent=True, late=True)
    each: tuple[dict[str, Any], ...] = ({"vectors": True, "page_size": 5}, {})
    for options in each:
        transport = Scripted(lambda _number, _path: late, VirtualClock())

        async def main(transport: Scripted = transport, options: dict[str, Any] = options) -> None:
            with pytest.raises(FetchFailed) as failed:
                await make_client(transport, transport.clock).search(**options)
            assert not isinstance(failed.value, PageTooLarge)

        run_virtual(main())
        assert len(transport.sent) == 4

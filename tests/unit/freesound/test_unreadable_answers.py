"""A body that stays unreadable is retried only while other bytes come."""

from __future__ import annotations

import pytest

from harvester.errors import FetchFailed
from harvester.freesound.tolerant_json import InvalidJson, read_tolerantly
from harvester.freesound.wire import RawResponse
from tests.support.client import make_client
from tests.support.fake_transport import EMPTY_LIST, Scripted, reply
from tests.support.virtual_time import VirtualClock, run_virtual

WHOLE = (
    b'{"count": 12, "next": null, "results": [{"id": 1, "score": -0.75e-3, "name": "a\\u00e9\\"b \xe9", "x": NaN, '
    b'"t": true, "i": [1, 2], "n": 1e999}]}'
)


def requests_for(*bodies: str) -> tuple[int, str]:
    """Return how many requests one similar list took while these bodies came, and the reason it failed, if it did."""

    def answer(number: int, _path: str) -> RawResponse:
        return reply(200, bodies[number - 1]) if number <= len(bodies) else EMPTY_LIST

    transport = Scripted(answer, VirtualClock())

    async def main() -> str:
        try:
            await make_client(transport, transport.clock).fetch_similar(5, 25)
        except FetchFailed as failure:
            return failure.reason
        return ""

    reason = run_virtual(main())
    return len(transport.sent), reason


def test_the_same_bytes_twice_are_not_cut_short_and_not_requested_a_third_time() -> None:
    cut = '{"count": 1, "resul'
    assert requests_for(cut, cut, cut, cut) == (2, "invalid JSON at byte 13 (the same bytes came twice)")
    invalid = '{"count": 1, "results": [}]}'
    assert requests_for(*[invalid] * 4) == (2, "invalid JSON at byte 25 (the same bytes came twice)")


def test_other_bytes_are_retried_as_often_as_any_failure() -> None:
    cut = ['{"count": 1', '{"count": 1, "re', '{"count": 1, "results": [', '{"count": 1, "results": [{"id']
    assert requests_for(*cut) == (4, "the answer was cut short")
    assert requests_for(*cut[:2]) == (3, "")
    assert requests_for(cut[0], cut[1], cut[0]) == (3, "invalid JSON at byte 11 (the same bytes came twice)")


@pytest.mark.parametrize("length", range(1, len(WHOLE)))
def test_a_body_that_ends_too_early_is_told_from_an_invalid_one_wherever_it_ends(length: int) -> None:
    with pytest.raises(InvalidJson) as cut:
        read_tolerantly(WHOLE[:length])
    assert cut.value.at_end
    assert read_tolerantly(WHOLE)[1] == 0


@pytest.mark.parametrize(
    ("body", "position"),
    [
        (b'{"a": 1}x', 8),
        (b'{"a": foo}', 6),
        (b'{"a": foo', 6),
        (b'{"a": 1 "b": 2}', 8),
        (b'\xef\xbb\xbf{"\xe9": 1, \xe9}', 12),
    ],
)
def test_the_place_of_a_fault_is_given_in_bytes(body: bytes, position: int) -> None:
    with pytest.raises(InvalidJson, match=rf"\Ainvalid JSON at byte {position}\Z") as failed:
        read_tolerantly(body)
    assert not failed.value.at_end

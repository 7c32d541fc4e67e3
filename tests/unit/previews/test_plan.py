"""Which previews of a selection are requested."""

from __future__ import annotations

import math
from typing import Any

from harvester.clock import DAY_US
from harvester.freesound import FileHosts
from harvester.previews import LostPreview, PreviewPlan, StoredPreview, plan_previews
from tests.support.samples import NOW_US
from tests.support.view_samples import make_record, make_state

ADDRESS = "https://cdn.freesound.org/previews/0/{}_7-{}.ogg"


def addresses(sound_id: int) -> dict[str, str]:
    return {f"preview-{quality}-ogg": ADDRESS.format(sound_id, quality) for quality in ("lq", "hq")}


def plan(*changes: dict[str, Any], quality: str = "lq", **known: Any) -> PreviewPlan:
    state = make_state(
        [make_record(one, **{"previews": addresses(one), **more}) for one, more in enumerate(changes, 1)]
    )
    sounds = [state.sound(sound_id) for sound_id in sorted(state.graph)]
    stored, lost = known.get("stored", {}), known.get("lost", {})
    longest_s = known.get("longest_s", math.inf)
    return plan_previews(
        sounds, stored, lost, FileHosts(), quality=quality, format="ogg", longest_s=longest_s, now_us=NOW_US
    )


def stored(quality: str) -> dict[tuple[int, str], StoredPreview]:
    return {(1, "ogg"): StoredPreview(1, "ogg", quality, 9, "0" * 64, ADDRESS.format(1, quality), "", NOW_US)}


def lost(retry_at: int, address: str = ADDRESS.format(1, "lq")) -> dict[tuple[int, str], LostPreview]:
    return {(1, "ogg"): LostPreview(1, "ogg", "lq", address, "HTTP 404", 1, retry_at)}


def test_what_is_here_in_this_quality_or_a_higher_one_is_not_requested() -> None:
    for here, wanted, requested in (("lq", "lq", 0), ("hq", "lq", 0), ("lq", "hq", 1), ("hq", "hq", 0)):
        found = plan({}, quality=wanted, stored=stored(here))
        assert (len(found.wanted), found.here) == (requested, 1 - requested), (here, wanted)


def test_what_was_lost_waits_for_its_time_or_for_a_new_address() -> None:
    waits = plan({}, lost=lost(NOW_US + DAY_US))
    assert (waits.wanted, waits.waiting, waits.next_retry_at) == ((), 1, NOW_US + DAY_US)
    assert len(plan({}, lost=lost(NOW_US)).wanted) == 1
    assert len(plan({}, lost=lost(NOW_US + DAY_US, "https://freesound.org/old")).wanted) == 1
    assert len(plan({}, quality="hq", lost=lost(NOW_US + DAY_US)).wanted) == 1
    # No wait is that long: the clock was ahead when the preview was lost.
    assert plan({}, lost=lost(NOW_US + 27 * DAY_US)).waiting == 1
    assert len(plan({}, lost=lost(NOW_US + 29 * DAY_US)).wanted) == 1


def test_a_sound_is_asked_for_its_own_preview_only() -> None:
    wrong = [
        "https://cdn.freesound.org/previews/0/2_7-lq.ogg", "https://cdn.freesound.org/previews/0/1_7-lq.mp3",
        "https://freesound.org/apiv2/sounds/1_7.ogg", "http://127.0.0.1/previews/0/1_7-lq.ogg", "file:///previews/1_7.ogg",
        "https://cdn.freesound.org/previews/0/11_7-lq.ogg",
    ]  # fmt: skip
    for address in wrong:
        found = plan({"previews": {"preview-lq-ogg": address}})
        assert (found.wanted, set(found.refused)) == ((), {1}), address
    assert plan({"previews": {}}).without_address == 1


def test_the_size_is_estimated_by_length_and_bit_rate() -> None:
    short, long = plan({"duration": 1.0}), plan({"duration": 100.0})
    assert 10_000 <= short.expected_bytes <= 20_000
    assert 1_000_000 <= long.expected_bytes <= 1_010_000
    assert plan({"duration": 100.0}, quality="hq").expected_bytes > 2 * long.expected_bytes
    unknown = plan({"duration": 100.0}, {"duration": None})
    assert unknown.expected_bytes == 2 * long.expected_bytes, "a sound without a length counts as the mean"
    cut = plan({"duration": 100.0}, longest_s=5.0)
    assert cut.expected_bytes == plan({"duration": 5.0}).expected_bytes

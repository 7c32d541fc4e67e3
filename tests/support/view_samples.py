"""Small states for the tests of the views: made-up sounds with everything that is hard about names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harvester.graph import SoundGraph
from harvester.model import CORE_FIELDS, Gone, Known, Linked, Seen, SimilarList
from tests.support.recorded import read_rows

NOW_US = 1_790_000_000_000_000
CC0 = "http://creativecommons.org/publicdomain/zero/1.0/"
BY = "https://creativecommons.org/licenses/by/4.0/"
BY_NC = "http://creativecommons.org/licenses/by-nc/3.0/"
SAMPLING = "http://creativecommons.org/licenses/sampling+/1.0/"
HOSTILE = "</script><script>window.hacked=1</script>\u202e \"quoted\" & 'more' \x00\x08\r\n"


def make_record(sound_id: int, **changes: Any) -> dict[str, Any]:
    """Return a complete record, different for every id."""
    record: dict[str, Any] = dict.fromkeys(CORE_FIELDS)
    record |= {
        "id": sound_id,
        "url": f"https://freesound.org/people/user{sound_id % 3}/sounds/{sound_id}/",
        "name": f"sound {sound_id}",
        "tags": ["rain", f"tag{sound_id % 3}"],
        "license": (CC0, BY, BY_NC, SAMPLING)[sound_id % 4],
        "username": f"user{sound_id % 3}",
        "category": ("Music", "Speech")[sound_id % 2],
        "created": "2012-10-21T14:54:11Z",
        "duration": sound_id / 7,
        "num_downloads": sound_id * 10,
        "previews": {"preview-hq-mp3": f"https://cdn.example/previews/0/{sound_id}_{70 + sound_id % 3}-hq.mp3"},
        "images": {"waveform_m": f"https://cdn.example/displays/0/{sound_id}_{70 + sound_id % 3}_wave_M.png"},
        "gen_ai_preference": ("no-gen-ai", "no-additional-preferences")[sound_id % 2],
    }
    return record | changes


def make_state(
    records: list[dict[str, Any]], neighbours: dict[int, list[tuple[int, float]]] | None = None
) -> SoundGraph:
    """Return a state with these records; `neighbours` are the similar lists."""
    state = SoundGraph("https://freesound.org/apiv2/")
    for record in records:
        state.apply(Seen(record["id"], record, NOW_US))
    for sound_id, pairs in (neighbours or {}).items():
        state.apply(Linked(sound_id, SimilarList(tuple(pairs), NOW_US + 1, 25)))
    return state


def make_library() -> SoundGraph:
    """Return twelve sounds in two components, one without a record, one gone, one hostile, one of odd types."""
    records = [make_record(sound_id) for sound_id in range(1, 11)]
    records[3] |= {"name": HOSTILE, "description": f"a\r\nb{HOSTILE}", "tags": ["a<b", "Ü", "emoji 🎧"]}
    records[4] |= {"duration": 3, "huge": 2**70, "half": "\ud800", "timbre": {"bpm": 120}, "list": [1, {"a": None}]}
    circle = {i: [(i % 6 + 1, 0.9), ((i + 1) % 6 + 1, 0.5 + i / 100)] for i in range(1, 7)}
    state = make_state(records, {**circle, 7: [(8, 0.75), (99, 0.7), (11, 0.25)], 8: []})
    state.apply(Known(11, NOW_US))
    state.apply(Gone(99, NOW_US + 5))
    return state


def load_edge_cases(real_records: Path) -> SoundGraph:
    """Return all real records that break naive code, linked in a circle."""
    records = [row["sound"] for row in read_rows(real_records / "edge_cases.jsonl")]
    ids = [record["id"] for record in records]
    circle = {
        one: [(other, 1 / (place + 2))] for place, (one, other) in enumerate(zip(ids, ids[1:] + ids[:1], strict=True))
    }
    return make_state(records, circle)

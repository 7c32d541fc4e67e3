"""Finding sounds by their words."""

from __future__ import annotations

from harvester.graph import SoundGraph
from harvester.model import Gone
from harvester.reports.find import find_sounds
from tests.support.view_samples import NOW_US, make_library, make_record, make_state


def found(state: SoundGraph, text: str) -> list[int]:
    return [sound["id"] for sound in find_sounds(state, text).best]


def rainy() -> SoundGraph:
    return make_state(
        [
            make_record(1, name="Train station", tags=["station"]),
            make_record(2, name="Heavy_rain-on tent.wav", tags=["weather"]),
            make_record(3, name="Rainstick", tags=["wood"], num_downloads=999),
            make_record(4, name="Storm", tags=["RAIN"], username="Thunder"),
            make_record(5, name="Straße", tags=[], username="Ünal"),
        ]
    )


def test_whole_words_come_before_beginnings_and_those_before_parts_of_words() -> None:
    assert found(rainy(), "rain") == [4, 2, 3, 1]


def test_every_word_must_occur_somewhere_in_name_tags_user_or_id() -> None:
    assert found(rainy(), "rain thunder") == [4]
    assert found(rainy(), "rain 2") == [2]
    assert found(rainy(), "rain absent") == []
    assert found(rainy(), "  ") == []


def test_case_never_matters_in_any_script() -> None:
    assert found(rainy(), "STRASSE ünal") == [5]


def test_a_gone_sound_is_not_found_and_one_without_a_record_only_by_its_id() -> None:
    state = rainy()
    state.apply(Gone(4, NOW_US + 9))
    assert 4 not in found(state, "rain")
    assert found(make_library(), "11") == [11]


def test_the_limit_cuts_what_is_shown_but_not_the_count() -> None:
    hits = find_sounds(rainy(), "rain", limit=1)
    assert (hits.total, len(hits.best)) == (4, 1)
    assert len(find_sounds(rainy(), "rain", limit=None).best) == 4

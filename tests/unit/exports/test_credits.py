"""Credits as each license asks, whatever a title holds."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from lxml import html

from harvester.exports.credits import CREDIT_FORMATS, encode_credits, list_credits
from harvester.graph.selection import Selected, select
from tests.support.view_samples import BY_NC, HOSTILE, load_edge_cases, make_library, make_record, make_state


def text_of(selected: Selected, format: str) -> str:
    return "".join(encode_credits(list_credits(selected), format))


@pytest.mark.parametrize("format", CREDIT_FORMATS)
def test_every_sound_with_a_record_is_credited_once_with_all_a_license_asks_for(
    format: str, real_records: Path
) -> None:
    selected = select(load_edge_cases(real_records))
    text = text_of(selected, format)
    for sound_id in selected.sound_ids:
        record = selected.state.attributes(sound_id)
        assert len(re.findall(re.escape(record["url"]), text)) == 1, sound_id
        assert record["license"] in text
    assert "2026-09-21" in text


def test_sounds_that_are_gone_or_without_a_record_are_not_credited() -> None:
    assert {credit.sound_id for credit in list_credits(select(make_library()))} == set(range(1, 11))


@pytest.mark.parametrize("format", CREDIT_FORMATS)
def test_non_commercial_and_sampling_sounds_are_marked_and_wishes_listed(format: str) -> None:
    text = text_of(select(make_state([make_record(one) for one in range(1, 5)])), format)
    assert text.count("NON-COMMERCIAL") == (1 if format == "csv" else 2)
    assert text.count("SAMPLING+") == (1 if format == "csv" else 2)
    assert "no-gen-ai" in text.replace("\\", "")


def test_a_hostile_title_stays_text_in_html() -> None:
    record = make_record(1, name=HOSTILE, username="<img src=x onerror=alert(1)>", url="javascript:alert(1)")
    tree = html.fromstring(text_of(select(make_state([record])), "html"))
    assert not tree.xpath("//script | //img")
    assert all(link.startswith(("http://", "https://")) for link in tree.xpath("//@href"))
    assert "</script><script>window.hacked=1</script> \"quoted\" & 'more'" in tree.xpath("string(//li)")


def test_a_hostile_title_neither_breaks_markdown_nor_turns_the_reading_direction() -> None:
    record = make_record(1, name="](http://evil) <b>\u202egnp.exe\n# title", license=BY_NC)
    [line] = [line for line in text_of(select(make_state([record])), "md").splitlines() if "user1" in line]
    assert "\\]\\(http://evil\\) \\<b\\>gnp.exe \\# title](https://freesound.org/" in line


def test_a_title_is_never_a_formula_in_a_spreadsheet() -> None:
    record = make_record(1, name='=HYPERLINK("http://evil")', username="@user")
    selected = select(make_state([record]))
    rows = list(csv.DictReader(io.StringIO(text_of(selected, "csv"))))
    assert (rows[0]["title"], rows[0]["author"]) == ('\'=HYPERLINK("http://evil")', "'@user")
    faithful = "".join(encode_credits(list_credits(selected), "csv", faithful=True))
    assert next(csv.DictReader(io.StringIO(faithful)))["title"] == '=HYPERLINK("http://evil")'


@pytest.mark.parametrize("format", CREDIT_FORMATS)
def test_no_address_brings_control_characters_into_credits(format: str) -> None:
    hostile = "https://evil.example/\x1b]0;owned\x07\u202e"
    text = text_of(select(make_state([make_record(1, url=hostile, license=hostile, username="\x9b31m")])), format)
    assert not set(text) & set("\x1b\x07\x9b\u202e")

"""What a terminal would obey is spelled out; everything else that people write stays as it is."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.terminal_text import (
    drop_controls,
    escape,
    escape_json,
    escape_line,
    escape_paragraph,
    escape_xml,
)
from tests.support.hostile_texts import KEPT, SPELLED, read_corpus

OBEYED = set("".join(SPELLED)) - set("".join(map(str, KEPT))) - set("abcdefghijklmnopqrstuvwxyz:;.[]3109 ") | set(
    "\n\t"
)
texts = st.text() | st.text(alphabet=sorted(OBEYED) + list('ab"\\'))


@pytest.mark.parametrize("text", SPELLED)
def test_what_a_terminal_obeys_is_spelled_out(text: str) -> None:
    assert escape(text) == escape_line(text) == escape_paragraph(text) == SPELLED[text]


@pytest.mark.parametrize("text", KEPT)
def test_what_people_write_stays(text: str) -> None:
    assert escape(text) == escape_line(text) == escape_paragraph(text) == drop_controls(text) == text


def test_every_text_of_the_corpus_comes_out_as_told() -> None:
    rows = read_corpus()
    assert len(rows) == 146
    for row in rows:
        assert escape(row["text"]) == row["escaped"], row["name"]
        if not set(row["text"]) & set("\n\t"):
            assert escape_line(row["text"]) == escape_paragraph(row["text"]) == row["escaped"], row["name"]


def test_a_line_has_blanks_for_breaks_and_a_paragraph_keeps_them() -> None:
    text = "one\ntwo\tthree\r\nfour\rfive"
    assert escape(text) == r"one\x0atwo\x09three\x0d\x0afour\x0dfive"
    assert escape_line(text) == r"one two three four\x0dfive"
    assert escape_paragraph(text) == "one\ntwo\tthree\\x0d\nfour\\x0dfive"
    assert drop_controls(text) == "one two three fourfive"


@given(texts)
def test_escaping_again_changes_nothing_and_every_way_agrees_on_what_is_harmless(text: str) -> None:
    for way in (escape, escape_line, escape_paragraph, drop_controls):
        assert way(way(text)) == way(text)
        assert not OBEYED & set(way(text)) - set("\n\t")
    assert not set("\n\t") & (set(escape(text)) | set(escape_line(text)))
    assert (escape(text) == text) == (drop_controls(text) == text)


@given(st.recursive(texts | st.floats(allow_nan=False) | st.none(), lambda inner: st.dictionaries(texts, inner)))
def test_json_is_safe_on_a_terminal_and_of_equal_value(value: object) -> None:
    for written in (json.dumps(value, ensure_ascii=False, indent=1), json.dumps(value)):
        shown = escape_json(written)
        assert json.loads(shown) == json.loads(json.dumps(value))
        assert not OBEYED & set(shown) - set("\n")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
def test_xml_is_safe_on_a_terminal_and_of_equal_value(text: str) -> None:
    text = text.replace("\ufffe", "").replace("\uffff", "") + "\u202e\x9b"
    element = ElementTree.Element("a", b=text)
    shown = escape_xml(ElementTree.tostring(element, encoding="unicode"))
    assert ElementTree.fromstring(shown).get("b") == text
    assert not OBEYED & set(shown)


def test_a_pair_above_the_basic_plane_is_two_units_in_json() -> None:
    assert escape_json('"\U000e0041"') == r'"\udb40\udc41"'
    assert orjson.loads(escape_json('"\U000e0041"')) == "\U000e0041"

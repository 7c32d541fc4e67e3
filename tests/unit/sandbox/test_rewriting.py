"""The server's rewriting of filters: by example, and beside a version that goes character by character."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harvester.sandbox.fields import TRANSLATED
from harvester.sandbox.rewriting import rewrite

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"

EXAMPLES = {
    "tag:rain": "+tag:rain",
    "+tag:rain": "+tag:rain",
    "-tag:rain": "-tag:rain",
    "NOT tag:rain": "NOT +tag:rain",
    "!tag:rain": "!+tag:rain",
    "+ tag:rain": "+ +tag:rain",
    "( tag:a OR tag:b )": "( +tag:a OR +tag:b )",
    "tag : rain": "tag : rain",
    'tag:"c++"': '+tag:"c+"',
    r'tag:"c\+\+"': r'+tag:"c\+\+"',
    'tag:"a:b"': '+tag:"+a:b"',
    r'tag:"a\:b"': r'+tag:"a\:b"',
    'tag:"x-+y"': '+tag:"x-y"',
    "tag:c++": "+tag:c",
    "tag:a+": "+tag:a",
    # Decoded once more; a plus sign stays one.
    'tag:"%20"': '+tag:" "',
    'tag:"%2520"': '+tag:"%20"',
    "tag:%22rain%22": '+tag:"rain"',
    "tag:a+b": "+tag:a+b",
    # Translated only at the start of a piece between blanks, but then everywhere in it.
    'category:"Music"': '+category_s:"Music"',
    'subcategory:"Wind"': '+subcategory_s:"Wind"',
    '(category:"Music")': '(+category:"Music")',
    '( category:"Music" )': '( +category_s:"Music" )',
    '-category:"Music"': '-category:"Music"',
    '-( category:"Music" )': '-( +category_s:"Music" )',
    'category:("A" OR "B")': '+category_s:("A" OR "B")',
    "category:(A category:B)": "+category_s:(A +category_s:B)",
    "category:a,subcategory:b": "+category_s:a,+subcategory_s:b",
    "tag:a\tcategory:b": "+tag:a\t+category:b",
    'tag:"say category:x"': '+tag:"say +category_s:x"',
    "bpm:120 beat_count:3 loopable:true tonality:x birdnet_detected_class:y": (
        "+bpm_d:120 +beat_count_i:3 +loopable_b:true +tonality_s:x +birdnet_detected_class_ls:y"
    ),
    "-bpm:120 (bpm:1": "-bpm:120 (+bpm:1",
    "mfcc:1 birdnet_detections:2": "+mfcc:1 +birdnet_detections:2",  # not indexed
    # `created` has another name everywhere, within longer words and quotes too.
    "created:2016-02": "+created_range:2016-02",
    "-created:[* TO NOW]": "-created_range:[* TO NOW]",
    'tag:"recreated:1"': '+tag:"+recreated_range:1"',
    'geotag:"Intersects(1.5 -2 3 4)"': '+geotag:["-2,1.5" TO "4,3"]',
    # A name starts where a word starts, in any script.
    "x1tag:a": "x1tag:a",
    "ätag:a": "ätag:a",
    "a.tag:b": "a.+tag:b",
    "{!terms f=id}1,2,3": "{!terms f=id}1,2,3",
    "%20": " ",
    "+": "",
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_a_filter_reaches_the_index_as_the_server_writes_it(text: str) -> None:
    assert rewrite(text) == EXAMPLES[text]


def _decoded(text: str) -> str:
    found = bytearray()
    at = 0
    while at < len(text):
        digits = text[at + 1 : at + 3]
        if text[at] == "%" and len(digits) == 2 and all(one in "0123456789abcdefABCDEF" for one in digits):
            found.append(int(digits, 16))
            at += 3
        else:
            found += text[at].encode()
            at += 1
    return found.decode(errors="replace")


def _naive(text: str) -> str:
    pieces = []
    for piece in _decoded(text).split(" "):
        for name, indexed in TRANSLATED.items():
            if piece.startswith(name + ":"):
                piece = (indexed + ":").join(piece.split(name + ":"))
                break
        pieces.append(piece)
    text = "created_range:".join(" ".join(pieces).split("created:"))
    found = ""
    at = 0
    while at < len(text):
        end = at
        while end < len(text) and text[end] in LETTERS:
            end += 1
        starts_word = at == 0 or not (text[at - 1].isalnum() or text[at - 1] == "_")
        if end > at and starts_word and text[end : end + 1] == ":":
            found += "+"
        end = max(end, at + 1)
        found += text[at:end]
        at = end
    once = ""
    for sign in found:
        if not (sign == "+" and once.endswith("+")):
            once += sign
    plain = ""
    for sign in once:
        if not (sign == "+" and plain.endswith("-")):
            plain += sign
    return plain[:-1] if plain.endswith("+") else plain


PARTS = st.sampled_from(
    [*"+-:()\"\\ %[]{}!\t*", "tag", "category", "subcategory", "bpm", "created", "NOT", "OR", "a", "_", "1", "é", "雨",
     "tag:", "category:", "bpm:", "pitch_max:", "created:", "%2B", "%3A", "%20", "%25", "++", "-+", "+-+"]
)  # fmt: skip


@given(st.lists(PARTS, max_size=14).map("".join))
@example("category:+bpm:-+created:+")
def test_rewriting_equals_a_version_that_goes_character_by_character(text: str) -> None:
    assert rewrite(text) == _naive(text)


@given(st.text(max_size=30))
def test_any_text_is_rewritten_and_ends_without_a_plus_sign_twice(text: str) -> None:
    assert rewrite(text) == _naive(text)
    assert "++" not in rewrite(text)

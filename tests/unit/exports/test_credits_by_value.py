"""Credits by value: the whole text in each format, and what each field becomes."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.exports.credits import Credit, encode_credits, list_credits
from harvester.graph.selection import select
from harvester.model import Seen
from tests.support.view_samples import BY, BY_NC, CC0, NOW_US, SAMPLING, make_record, make_state

DAY_US = 86_400_000_000
URL = "https://freesound.org/s/"


def record(sound_id: int, license: str | None, name: str, username: str, **more: Any) -> dict[str, Any]:
    given = {"license": license, "name": name, "username": username, "url": f"{URL}{sound_id}/"}
    return make_record(sound_id, **given) | {"gen_ai_preference": None} | more


RECORDS = [
    record(1, BY, "a*b", "Zoe", gen_ai_preference="no-gen-ai"),
    record(2, BY, "B <c>", "anna"),
    record(3, BY_NC, "=d", "anna"),
    record(4, CC0, "e", "anna"),
    record(5, SAMPLING, "f", "anna"),
    record(6, "https://example.org/mine", "g", "anna"),
    record(7, None, "h", "anna"),
]


def credits_of(records: list[dict[str, Any]], days: int = 0) -> list[Credit]:
    state = make_state(records)
    for back in range(min(days, 2)):
        one = records[-1 - back]
        state.apply(Seen(one["id"], one, NOW_US + (days - back) * DAY_US))
    return list_credits(select(state))


def text_of(format: str, records: list[dict[str, Any]] = RECORDS, days: int = 0, *, faithful: bool = False) -> str:
    return "".join(encode_credits(credits_of(records, days), format, faithful=faithful))


def test_credits_come_by_license_author_title_and_id_whatever_the_letter_case() -> None:
    records = [
        record(1, BY, "b", "anna"), record(2, BY, "A", "Anna"), record(3, BY, "a", "anna"), record(4, CC0, "z", "Zoe"),
        record(5, CC0, "z", "anna"), record(6, BY_NC, "z", "anna"),
    ]  # fmt: skip
    assert [one.sound_id for one in credits_of(records)] == [2, 3, 1, 6, 5, 4]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Credit(1, "rain", "anna", "https://a.b/c", "BY 4.0", BY, "2026-09-21", "no-gen-ai")),
        ({"name": None}, {"title": "sound 1"}), ({"name": " \n "}, {"title": "sound 1"}),
        ({"name": "a\x1b\n  b\u202e "}, {"title": "a b"}),
        ({"username": None}, {"author": "unknown author"}), ({"username": "a\tb"}, {"author": "a b"}),
        ({"url": None}, {"url": "https://freesound.org/s/1/"}),
        ({"url": "http://a.b"}, {"url": "http://a.b"}), ({"url": "ftp://a.b"}, {"url": "https://freesound.org/s/1/"}),
        ({"url": "https://a.b/ c"}, {"url": "https://freesound.org/s/1/"}),
        ({"url": "https://a.b/\u202e"}, {"url": "https://freesound.org/s/1/"}),
        ({"url": "HTTPS://a.b/"}, {"url": "https://freesound.org/s/1/"}),
        ({"license": None}, {"license": "none", "license_url": ""}),
        ({"license": "javascript:x"}, {"license": "javascript:x", "license_url": ""}),
        ({"gen_ai_preference": None}, {"gen_ai": "unknown"}),
    ],
)  # fmt: skip
def test_a_credit_has_title_author_address_license_day_and_wish(
    changes: dict[str, Any], expected: Credit | dict[str, str]
) -> None:
    given = record(1, BY, "rain", "anna", url="https://a.b/c", gen_ai_preference="no-gen-ai") | changes
    [credit] = credits_of([given])
    if isinstance(expected, Credit):
        assert credit == expected
    else:
        assert {name: getattr(credit, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("license", "family", "mark"),
    [("BY 4.0", "BY", ""), ("BY-NC 3.0", "BY-NC", "NON-COMMERCIAL"), ("Sampling+", "Sampling+", "SAMPLING+"),
     ("CC0", "CC0", "")],
)  # fmt: skip
def test_a_licenses_family_decides_its_mark(license: str, family: str, mark: str) -> None:
    credit = Credit(1, "t", "a", "u", license, "", "", "")
    assert (credit.family, credit.mark) == (family, mark)


def test_the_summary_says_that_all_sounds_are_made_up() -> None:
    made_up = [record(one, BY, "a", "anna", url=f"https://sandbox.invalid/people/anna/sounds/{one}/") for one in (1, 2)]
    told = "2 sounds by 1 author; metadata fetched from a sandbox, which made them up, 2026-09-21."
    assert text_of("txt", made_up).splitlines()[2] == told
    assert "from Freesound" in text_of("txt", [*made_up, RECORDS[2]])


@pytest.mark.parametrize(
    ("records", "days", "summary"),
    [
        ([], 0, "No sounds."),
        (RECORDS[:1], 0, "1 sound by 1 author; metadata fetched from Freesound 2026-09-21."),
        (RECORDS[:3], 2, "3 sounds by 2 authors; metadata fetched from Freesound 2026-09-21 to 2026-09-23."),
    ],
)
def test_the_summary_counts_sounds_and_authors_and_says_when(
    records: list[dict[str, Any]], days: int, summary: str
) -> None:
    assert text_of("md", records, days).startswith(f"# Credits\n\n{summary}\n")
    assert f"<p>{summary}</p>" in text_of("html", records, days)


def test_credits_as_markdown() -> None:
    assert (
        text_of("md")
        == """# Credits

7 sounds by 2 authors; metadata fetched from Freesound 2026-09-21.

## BY 4.0

Asks for: credit the author, link the license, say what you changed.

- [B \\<c\\>](https://freesound.org/s/2/) by anna, [BY 4.0](https://creativecommons.org/licenses/by/4.0/), \
fetched 2026-09-21; gen-AI: unknown
- [a\\*b](https://freesound.org/s/1/) by Zoe, [BY 4.0](https://creativecommons.org/licenses/by/4.0/), \
fetched 2026-09-21; gen-AI: no-gen-ai

## BY-NC 3.0 [NON-COMMERCIAL]

Asks for: as BY, and no commercial use.

- [=d](https://freesound.org/s/3/) by anna, [BY-NC 3.0](http://creativecommons.org/licenses/by-nc/3.0/), \
fetched 2026-09-21; gen-AI: unknown [NON-COMMERCIAL]

## CC0

Asks for: nothing; credit is welcome.

- [e](https://freesound.org/s/4/) by anna, [CC0](http://creativecommons.org/publicdomain/zero/1.0/), \
fetched 2026-09-21; gen-AI: unknown

## Sampling\\+ [SAMPLING+]

Asks for: credit the author; parts may be used commercially in new works, the whole only non-commercially; \
not in advertising.

- [f](https://freesound.org/s/5/) by anna, [Sampling\\+](http://creativecommons.org/licenses/sampling+/1.0/), \
fetched 2026-09-21; gen-AI: unknown [SAMPLING+]

## https://example.org/mine

Read the license before use.

- [g](https://freesound.org/s/6/) by anna, [https://example.org/mine](https://example.org/mine), \
fetched 2026-09-21; gen-AI: unknown

## none

Read the license before use.

- [h](https://freesound.org/s/7/) by anna, none, fetched 2026-09-21; gen-AI: unknown

## Wishes about generative AI

- no-gen-ai: 1
- unknown: 6
"""
    )


def test_credits_as_plain_text() -> None:
    assert (
        text_of("txt", [RECORDS[2], RECORDS[0], RECORDS[1]])
        == """CREDITS

3 sounds by 2 authors; metadata fetched from Freesound 2026-09-21.

BY 4.0
https://creativecommons.org/licenses/by/4.0/
Asks for: credit the author, link the license, say what you changed.

"B <c>" by anna
    https://freesound.org/s/2/
    license BY 4.0 https://creativecommons.org/licenses/by/4.0/, fetched 2026-09-21, gen-AI: unknown
"a*b" by Zoe
    https://freesound.org/s/1/
    license BY 4.0 https://creativecommons.org/licenses/by/4.0/, fetched 2026-09-21, gen-AI: no-gen-ai

BY-NC 3.0 [NON-COMMERCIAL]
http://creativecommons.org/licenses/by-nc/3.0/
Asks for: as BY, and no commercial use.

"=d" by anna [NON-COMMERCIAL]
    https://freesound.org/s/3/
    license BY-NC 3.0 http://creativecommons.org/licenses/by-nc/3.0/, fetched 2026-09-21, gen-AI: unknown

Wishes about generative AI
    no-gen-ai: 1
    unknown: 2
"""
    )


@pytest.mark.parametrize(("faithful", "title"), [(False, "'=d"), (True, "=d")])
def test_credits_as_csv(faithful: bool, title: str) -> None:
    assert text_of("csv", [RECORDS[2], RECORDS[0]], faithful=faithful).splitlines() == [
        "id,title,author,url,license,license_url,mark,fetched,gen_ai_preference",
        "1,a*b,Zoe,https://freesound.org/s/1/,BY 4.0,https://creativecommons.org/licenses/by/4.0/,,2026-09-21,no-gen-ai",
        f"3,{title},anna,https://freesound.org/s/3/,BY-NC 3.0,http://creativecommons.org/licenses/by-nc/3.0/,"
        "NON-COMMERCIAL,2026-09-21,unknown",
    ]


def test_a_csv_is_disarmed_unless_it_is_asked_to_be_faithful() -> None:
    assert "".join(encode_credits(credits_of([RECORDS[2]]), "csv")) == text_of("csv", [RECORDS[2]], faithful=False)


def test_credits_as_a_page() -> None:
    text = text_of("html", [RECORDS[2], RECORDS[1], RECORDS[6]])
    assert text.startswith('<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n')
    assert (
        text[text.index("<h1>") :]
        == """<h1>Credits</h1>
<p>3 sounds by 1 author; metadata fetched from Freesound 2026-09-21.</p>
<h2><a href="https://creativecommons.org/licenses/by/4.0/" rel="noreferrer"><bdi>BY 4.0</bdi></a></h2>
<p>Asks for: credit the author, link the license, say what you changed.</p>
<ul>
<li><a href="https://freesound.org/s/2/" rel="noreferrer"><bdi>B &lt;c&gt;</bdi></a> by <bdi>anna</bdi>, \
<a href="https://creativecommons.org/licenses/by/4.0/" rel="noreferrer"><bdi>BY 4.0</bdi></a>, \
fetched 2026-09-21; gen-AI: unknown</li>
</ul>
<h2><a href="http://creativecommons.org/licenses/by-nc/3.0/" rel="noreferrer"><bdi>BY-NC 3.0</bdi></a>\
<strong>NON-COMMERCIAL</strong></h2>
<p>Asks for: as BY, and no commercial use.</p>
<ul>
<li><a href="https://freesound.org/s/3/" rel="noreferrer"><bdi>=d</bdi></a> by <bdi>anna</bdi>, \
<a href="http://creativecommons.org/licenses/by-nc/3.0/" rel="noreferrer"><bdi>BY-NC 3.0</bdi></a>, \
fetched 2026-09-21; gen-AI: unknown<strong>NON-COMMERCIAL</strong></li>
</ul>
<h2><bdi>none</bdi></h2>
<p>Read the license before use.</p>
<ul>
<li><a href="https://freesound.org/s/7/" rel="noreferrer"><bdi>h</bdi></a> by <bdi>anna</bdi>, <bdi>none</bdi>, \
fetched 2026-09-21; gen-AI: unknown</li>
</ul>
<h2>Wishes about generative AI</h2>
<ul>
<li>unknown: 3</li>
</ul>
</html>
"""
    )

"""Whatever a field holds, what comes out obeys its rule, and the judge agrees with the converter."""

from __future__ import annotations

import csv
import json
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.records import RULES, FieldKind, Judge, Rule, convert, created_us, rule_of, value_of
from harvester.records.rules import CREATED_FORM, LARGEST_JSON_BYTES
from tests.support.recorded import DATA, read_rows

FIELDS = (*RULES, "shiny")
JUDGES = {name: Judge(("id",), unjudged=()) if name == "id" else Judge(("id", name)) for name in FIELDS}


def nested(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


ODD_VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 12, 2**31, 2**53 + 1, 2**63, 10**400, -(10**400), 0.0, -0.0, 0.5, 1.0, 12.0, 5.00005,
    1e16, 1e308, math.inf, -math.inf, math.nan, "", " ", "12", "-12", "12.5", "1e3", "nan", "inf", "1e999", "true",
    "9" * 25, "9" * 5000, "\ud800", "a\udfff", "x" * 100, "x" * 3000, "x" * 250_000, "41.3 2.1", "91 0", "1 181",
    "a" * 32, "2014-04-16T20:07:11Z", "2014-02-30T20:07:11Z", [], {}, [1], ["a"], ["a", 1], ["\ud800"], ["x" * 300],
    ["a"] * 2000, [0.5] * 100, [0.5] * 512, [math.nan], [10**400], ["1.5"], [{}], [{"a": 1}, 2], [{"a": nested(4)}],
    [nested(21)],
    {"a": "b"}, {"a": 1}, {1: "a"}, {"a": "\ud800"}, {"\ud800": "a"}, {"x" * 80: "a"}, {"a": "x" * 3000},
    {str(n): "a" for n in range(50)}, nested(20), nested(21), [nested(3)], (1,), {1}, b"a", object(), 1j,
]  # fmt: skip


def obeys(rule: Rule, value: Any) -> bool:
    """State the rules once more, without any code of the converter."""
    if value is None:
        return True
    match rule.kind:
        case FieldKind.ID | FieldKind.INT:
            return type(value) is int and rule.low <= value <= rule.high
        case FieldKind.FLOAT:
            return type(value) in (int, float) and rule.low <= value <= rule.high
        case FieldKind.BOOL:
            return type(value) is bool
        case FieldKind.TEXT:
            is_text = type(value) is str and len(value) <= rule.longest and bool(value.encode() or True)
            return is_text and (rule.form is None or rule.form.fullmatch(value) is not None)
        case FieldKind.TEXTS:
            return type(value) is list and len(value) <= rule.most and all(len(t.encode()) >= 0 for t in value)
        case FieldKind.NUMBERS:
            return rule.fewest <= len(value) <= rule.most and all(
                type(number) in (int, float) and rule.low <= number <= rule.high for number in value
            )
        case FieldKind.TEXTS_BY_NAME:
            texts = all(type(text) is str and len(text) <= rule.longest for text in value.values())
            return len(value) <= rule.most and texts and max(map(len, value), default=0) <= 64
        case FieldKind.OBJECTS | FieldKind.JSON:
            encoded = json.dumps(value, allow_nan=False).encode()
            return len(encoded) <= 6 * LARGEST_JSON_BYTES and depth(value) <= rule.deepest
    raise AssertionError(rule)


def depth(value: Any) -> int:
    if type(value) not in (list, dict):
        return 0
    return 1 + max(map(depth, value if type(value) is list else value.values()), default=0)


def check_laws(name: str, value: Any) -> None:
    rule = rule_of(name)
    accepted = is_json(value) and JUDGES[name].accepts({"id": 1, name: value})
    converted, odd = convert(name, value)
    assert obeys(rule, converted)
    again, still_odd = convert(name, converted)
    assert again is converted
    assert still_odd == ""
    if converted is not None or rule.nullable:
        full = {"id": 1, name: converted}
        # A core field must be there; null is enough.
        assert JUDGES[name].accepts(full)
    if accepted:
        assert converted is value
        assert odd == ""
    if odd == "":
        assert converted is value
    read = value_of({name: value}, name)
    assert read == converted
    assert type(read) is type(converted)


def is_json(value: Any) -> bool:
    """Tell whether a strict parser can have read a value: the judge sees no other."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, TypeError):
        return False
    return type(value) is not tuple


@pytest.mark.parametrize("name", FIELDS)
def test_every_odd_value_of_every_field_becomes_one_that_obeys_or_null(name: str) -> None:
    for value in ODD_VALUES:
        check_laws(name, value)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text("\ud800\udc00a1.eE-", max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
)


@given(st.sampled_from(FIELDS), VALUES)
def test_any_value_of_any_field_becomes_one_that_obeys_or_null(name: str, value: Any) -> None:
    check_laws(name, value)


GOOD = st.just({"id": 1, "num_downloads": 1, "previews": {}, "tags": []})
ROW = (
    GOOD
    | st.just({"id": 2, "shiny": 1})
    | st.none()
    | st.fixed_dictionaries(
        {"id": st.sampled_from([1, 2, "1", None])},
        optional={
            "num_downloads": st.sampled_from([1, "1"]),
            "previews": st.sampled_from([{}, {"a": "b"}, {"`$[0]`": 1}, {"x" * 70: "a"}]),
            "tags": st.sampled_from([[], ["a"], [1]]),
            "shiny": st.sampled_from([1, nested(30)]),
            "`$[0]`": st.just(1),
        },
    )
)


@given(st.lists(ROW | st.just(7), max_size=8))
def test_the_judge_finds_the_odd_rows_of_a_page_as_if_each_stood_alone(rows: list[Any]) -> None:
    for judge in (Judge(("id", "shiny"), unjudged=("tags",)), Judge(("id", "previews", "num_downloads", "tags"))):
        alone = {place for place, row in enumerate(rows) if row is not None and not judge.accepts(row)}
        assert judge.odd_rows(rows) == alone


def test_a_core_field_must_be_there_and_an_undeclared_one_may_not() -> None:
    judge = Judge(("id", "name", "md5"))
    assert judge.accepts({"id": 1, "name": None})
    assert not judge.accepts({"id": 1, "md5": None})
    assert not judge.accepts({"id": 1, "name": None, "shiny": 1})
    assert not judge.accepts(None)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 12, 31)), st.sampled_from(["Z", "", "+02:00", ".25Z"]))
def test_every_time_of_these_years_has_the_form_of_created(moment: datetime, zone: str) -> None:
    assert CREATED_FORM.match(moment.strftime("%Y-%m-%dT%H:%M:%S") + zone)


@pytest.mark.parametrize("year", [1990, 1992, 2000, 2023, 2024, 2096, 2100])
def test_a_date_has_the_form_of_created_exactly_when_the_calendar_has_it(year: int) -> None:
    for month in range(14):
        for day in range(33):
            text = f"{year}-{month:02}-{day:02}T00:00:00Z"
            try:
                datetime.fromisoformat(text)
                exists = True
            except ValueError:
                exists = False
            assert bool(CREATED_FORM.match(text)) is exists, text


KINDS = {
    "bool": FieldKind.BOOL, "int": FieldKind.INT, "float": FieldKind.FLOAT, "text": FieldKind.TEXT,
    "list[text]": FieldKind.TEXTS,
    "list[float]": FieldKind.NUMBERS, "dict[text,text]": FieldKind.TEXTS_BY_NAME, "list[object]": FieldKind.OBJECTS,
}  # fmt: skip


def test_the_table_is_the_one_that_was_measured() -> None:
    with (DATA / "record_fields.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["field"] != "*"]
    assert {row["field"] for row in rows} == set(RULES)
    for row in rows:
        rule = RULES[row["field"]]
        assert rule.kind in {KINDS[row["type"]], FieldKind.ID if row["field"] == "id" else None}, row
        assert rule.nullable is (row["nullable"] == "yes")
        if row["type"] in ("int", "float"):
            assert (rule.low, rule.high) == (float(row["min"]), float(row["max"])), row
        elif row["type"] not in ("text", "bool"):
            assert (rule.fewest, rule.most) == (int(row["min"]), int(row["max"])), row
        assert not row["max_length"] or rule.longest == int(row["max_length"]), row


def test_real_records_are_not_changed(real_records: Path) -> None:
    records = read_rows(real_records / "real_sounds_300.jsonl")
    records += [row["sound"] for row in read_rows(real_records / "edge_cases.jsonl")]
    assert len(records) == 347
    for record in records:
        for name, value in record.items():
            converted, odd = convert(name, value)
            assert converted is value
            assert odd == ""
            assert value_of(record, name) == value


@pytest.mark.parametrize(
    ("created", "moment"),
    [
        ("2016-01-01T00:00:10Z", "2016-01-01T00:00:10+00:00"),
        ("2016-01-01T00:00:10", "2016-01-01T00:00:10+00:00"),
        ("2016-01-01 00:00:10", "2016-01-01T00:00:10+00:00"),
        ("2016-01-01T00:00:10+02:00", "2015-12-31T22:00:10+00:00"),
        ("2016-01-01 00:00:10.000001-23:59", "2016-01-01T23:59:10.000001+00:00"),
        ("2016-01-01T00:00:10.999999Z", "2016-01-01T00:00:10.999999+00:00"),
        ("2100-12-31T23:59:59.999999-23:59", "2101-01-01T23:58:59.999999+00:00"),
        ("1990-01-01T00:00:00+23:59", "1989-12-31T00:01:00+00:00"),
    ],
)
def test_a_sound_was_created_at_one_moment_however_it_is_written(created: str, moment: str) -> None:
    seconds, fraction = divmod(created_us({"created": created}) or 0, 1_000_000)
    wanted = datetime.fromisoformat(moment)
    assert (seconds, fraction) == (int(wanted.replace(microsecond=0).timestamp()), wanted.microsecond)


@pytest.mark.parametrize("odd", [value for value in ODD_VALUES if value != "2014-04-16T20:07:11Z"])
def test_what_is_no_time_was_created_at_none(odd: Any) -> None:
    assert created_us({"created": odd}) is None
    assert created_us({}) is None

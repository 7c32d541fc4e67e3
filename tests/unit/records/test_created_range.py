"""A range of upload times holds its years, months and days wholly, and refuses what is no range."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import SettingsError
from harvester.records import created_us, read_created_range


def us(text: str) -> int:
    """Return microseconds since 1970; a text without an offset is UTC."""
    moment = datetime.fromisoformat(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "within", "without"),
    [
        ("2020", ["2020-01-01T00:00:00", "2020-12-31T23:59:59.999999"], ["2019-12-31T23:59:59.999999", "2021-01-01"]),
        ("2020-02", ["2020-02-01", "2020-02-29T23:59:59"], ["2020-01-31T23:59:59", "2020-03-01"]),
        ("2020-12", ["2020-12-31T23:59:59"], ["2021-01-01", "2020-11-30"]),
        ("2020-02-29", ["2020-02-29T12:00:00"], ["2020-02-28T23:59:59", "2020-03-01"]),
        ("2019..2021", ["2019-01-01", "2020-06-01", "2021-12-31T23:59:59"], ["2018-12-31", "2022-01-01"]),
        (" 2019-05 .. 2019-05-02 ", ["2019-05-01", "2019-05-02T23:59:59"], ["2019-04-30", "2019-05-03"]),
        ("2019..", ["2019-01-01", "9999-12-31"], ["2018-12-31"]),
        ("..2020-12-31", ["1999-01-01", "1969-07-20", "2020-12-31T23:59:59"], ["2021-01-01"]),
        ("1969..1970", ["1969-12-31", "1970-01-01"], ["1968-12-31", "1971-01-01"]),
        ("9999", ["9999-01-01", "9999-12-31T23:59:59"], ["9998-12-31"]),
        ("9999-12", ["9999-12-31"], ["9999-11-30"]),
        ("9999-12-31", ["9999-12-31"], ["9999-12-30"]),
        ("2020", [], ["2019-12-31T23:30:00-00:10"]),
        ("2020", ["2019-12-31T23:30:00-01:00"], ["2020-01-01T00:30:00+01:00"]),
    ],
)
def test_both_ends_are_within_it(text: str, within: list[str], without: list[str]) -> None:
    found = read_created_range(text)
    assert found.text == text.strip()
    assert [one for one in within if not found.holds(us(one))] == []
    assert [one for one in without if found.holds(us(one))] == []
    assert not found.holds(None)


def test_it_holds_upload_times_as_records_have_them() -> None:
    found = read_created_range("2012-10-21")
    assert found.holds(created_us({"created": "2012-10-21T14:54:11Z"}))
    assert found.holds(created_us({"created": "2012-10-22 00:30:00+02:00"}))
    assert not found.holds(created_us({"created": "soon"}))


@pytest.mark.parametrize(
    "text",
    ["20", "2020-13", "2020-00", "2019-02-29", "0000", "2020-1", "2020/01/01", "May 2020", "2020..x", "x..2020",
     "2020-01-01T00:00", "2020...2021", "2019..2020..2021", "2020-01-01..2020-02-30", "\u0662\u0660\u0662\u0660"],
)  # fmt: skip
def test_what_is_no_date_is_named_with_the_way_to_write_one(text: str) -> None:
    with pytest.raises(SettingsError, match=r"is not a date; write years, months or days, such as 2019\.\.2021"):
        read_created_range(text)


def test_a_range_without_a_date_or_the_wrong_way_round_is_refused() -> None:
    for text in ("", "..", " .. "):
        with pytest.raises(SettingsError, match=r"has no date; write"):
            read_created_range(text)
    for text in ("2021..2020", "2020-02..2020-01-31", "2020-01-02..2020-01-01"):
        low, high = text.split("..")
        with pytest.raises(SettingsError, match=rf"ends before it begins; write {high}\.\.{low}$"):
            read_created_range(text)
    assert read_created_range("2020..2020-01-01").holds(us("2020-01-01"))


@settings(max_examples=50, deadline=None)
@given(st.dates(date(1900, 1, 1), date(2200, 1, 1)), st.dates(date(1900, 1, 1), date(2200, 1, 1)))
def test_a_range_of_days_is_every_moment_of_these_days(one: date, other: date) -> None:
    first, last = sorted((one, other))
    found = read_created_range(f"{first}..{last}")
    begin = datetime(first.year, first.month, first.day, tzinfo=UTC)
    end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    step = timedelta(microseconds=1)
    moments = [begin - step, begin, end - step, end]
    assert [found.holds(us(moment.isoformat())) for moment in moments] == [False, True, True, False]

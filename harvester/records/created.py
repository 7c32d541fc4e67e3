"""Read upload times from any form of `created`, and ranges of them.

Times are in microseconds since 1970, UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from harvester.clock import SECOND_US
from harvester.errors import SettingsError
from harvester.records.conversion import value_of


def created_us(record: Mapping[str, Any]) -> int | None:
    """Return the upload time in microseconds UTC, or None.

    A time without an offset is UTC, as in the API.
    """
    text = value_of(record, "created")
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    seconds = round(moment.replace(microsecond=0).timestamp())
    return seconds * SECOND_US + moment.microsecond


@dataclass(frozen=True, slots=True)
class CreatedRange:
    """A range of upload times, from `from_us` up to but without `until_us`.

    None is an open end. `text` is what the caller wrote.
    """

    text: str
    from_us: int | None
    until_us: int | None

    def holds(self, stamp_us: int | None) -> bool:
        """Tell whether an upload time is in the range; None never is."""
        return (
            stamp_us is not None
            and (self.from_us is None or self.from_us <= stamp_us)
            and (self.until_us is None or stamp_us < self.until_us)
        )


def read_created_range(text: str) -> CreatedRange:
    """Return the range that a text such as `2019..2021` means.

    Also `2019-05..`, `..2020-12-31` and `2020`: an end may be open, and one date is both ends. A year, month or day is
    wholly in the range. Raises `SettingsError` for any other text, and for a range that ends before it begins.
    """
    low, dots, high = (part.strip() for part in text.partition(".."))
    if not (low or high):
        raise SettingsError(f"{_shown(text)} has no date; {_HOW}")
    first, last = _read_date(low), _read_date(high if dots else low)
    if first and last and first[0] > last[0]:
        raise SettingsError(f"the range {_shown(text)} ends before it begins; write {high}..{low}")
    return CreatedRange(text.strip(), first and first[0], last and last[1])


_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?(?:-([0-9]{2}))?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOW = "write years, months or days, such as 2019..2021, 2019-05.. or ..2020-12-31"


def _read_date(text: str) -> tuple[int, int | None] | None:
    """Return where a year, month or day begins, and the next one.

    The end of the last date of all is None. An open end is None.
    """
    if not text:
        return None
    parts = _DATE.fullmatch(text)
    try:
        year, month, day = (int(part or 1) for part in parts.groups()) if parts else (0, 0, 0)
        begin = datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise SettingsError(f"{_shown(text)} is not a date; {_HOW}") from None
    try:
        if parts and parts[3]:
            end = begin + timedelta(days=1)
        elif parts and parts[2]:
            end = begin.replace(year=year + month // 12, month=month % 12 + 1)
        else:
            end = begin.replace(year=year + 1)
    except (ValueError, OverflowError):  # the end of the year 9999
        return _stamp(begin), None
    return _stamp(begin), _stamp(end)


def _stamp(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _shown(text: str) -> str:
    return f"'{text[:40]}'"

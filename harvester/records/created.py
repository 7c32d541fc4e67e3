"""Read a sound's upload time from any form of `created`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from harvester.clock import SECOND_US
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

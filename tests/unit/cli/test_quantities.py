"""Durations, ages, moments and sizes as people read them, by value."""

from __future__ import annotations

import time
from datetime import datetime

import pytest

from harvester.cli.console import age_text, clock_text, duration_text, size_text
from harvester.clock import local, local_iso

NOW_US = 1_790_000_000_000_000  # Mon 2026-09-21 14:13:20 UTC


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.4, "0 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h 0 min"),
        (12_000, "3 h 20 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
        (187_200, "2 d 4 h"),
        (31_536_000, "365 d 0 h"),
    ],
)
def test_a_duration(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("stamp_us", "text"),
    [
        (None, "never"),
        (NOW_US, "0 s ago"),
        (NOW_US - 90_000_000, "1 min ago"),
        (NOW_US - 7_200_000_000, "2 h 0 min ago"),
        (NOW_US + 5_000_000, "0 s ago"),
    ],
)
def test_an_age(stamp_us: int | None, text: str) -> None:
    assert age_text(stamp_us, NOW_US) == text


@pytest.mark.usefixtures("utc")
@pytest.mark.parametrize(
    ("after_s", "text"),
    [
        (0, "14:13 UTC"),
        (3_600, "15:13 UTC"),
        (9 * 3_600 + 46 * 60 + 39, "23:59 UTC"),
        (9 * 3_600 + 46 * 60 + 40, "Tue 00:00 UTC"),
        (6 * 86_400, "Sun 14:13 UTC"),
        (7 * 86_400, "2026-09-28 14:13 UTC"),
        (-86_400, "Sun 14:13 UTC"),
        (-7 * 86_400, "2026-09-14 14:13 UTC"),
    ],
)
def test_a_moment(after_s: int, text: str) -> None:
    assert clock_text(NOW_US + after_s * 1_000_000, NOW_US) == text


@pytest.mark.parametrize(
    ("zone", "text"),
    [("Europe/Madrid", "16:13 CEST"), ("Asia/Kolkata", "19:43 IST"), ("America/Sao_Paulo", "11:13 -03")],
)
def test_a_moment_has_the_zone_of_its_reader(zone: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        assert clock_text(NOW_US, NOW_US) == text
        assert local(NOW_US) == f"2026-09-21 {text[:5]}:20{text[5:]}"
        assert datetime.fromisoformat(local_iso(NOW_US + 5)).timestamp() == (NOW_US + 5) / 1e6
    time.tzset()


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (12_340, "12.3 kB"),
        (999_900, "999.9 kB"),
        (1_000_000, "1.0 MB"),
        (12_300_000, "12.3 MB"),
        (1_000_000_000, "1.0 GB"),
        (2_500_000_000_000, "2500.0 GB"),
    ],
)
def test_a_size(size_bytes: float, text: str) -> None:
    assert size_text(size_bytes) == text

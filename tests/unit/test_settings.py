"""What a person sets: the key, durations, `harvester.toml`."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.errors import SettingsError
from harvester.settings import parse_duration_s, read_contact, read_key


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("FREESOUND_API_KEY=fromfile\n")
    assert read_key({"FREESOUND_API_KEY": " fromenv "}, tmp_path) == "fromenv"
    assert read_key({}, tmp_path) == "fromfile"
    assert read_key({"FREESOUND_API_KEY": "  "}, tmp_path) == "fromfile"


@pytest.mark.parametrize(
    "line",
    [
        "FREESOUND_API_KEY=abc123",
        "export FREESOUND_API_KEY = 'abc123'",
        'FREESOUND_API_KEY="abc123" # mine',
        "# a note\n\nOTHER=1\nFREESOUND_API_KEY=abc123 # mine",
        "\ufeffFREESOUND_API_KEY=abc123\r\nOTHER='two\r\nFREESOUND_API_KEY=lines'\r\n",
        "FREESOUND_API_KEY=abc123\rFREESOUND_API_KEY=",
        "'FREESOUND_API_KEY'=abc123",
    ],
)
def test_a_dotenv_file_is_read_in_its_usual_spellings(tmp_path: Path, line: str) -> None:
    (tmp_path / ".env").write_text(line + "\n", newline="")
    assert read_key({}, tmp_path) == "abc123"


def test_no_key_anywhere_is_none_and_a_broken_one_is_refused_without_being_shown(tmp_path: Path) -> None:
    assert read_key({}, tmp_path) is None
    with pytest.raises(SettingsError) as refused:
        read_key({"FREESOUND_API_KEY": "se cret\x07"}, tmp_path)
    assert "se cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("90", 90),
        ("10s", 10),
        ("0.5s", 0.5),
        ("5m", 300),
        ("5min", 300),
        ("2h", 7_200),
        ("1.5d", 129_600),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1h30m", 5_400),
        ("1h 30m 5s", 5_405),
        (" 1D ", 86_400),
        ("36500d", 3_153_600_000),
    ],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "soon", "2 fortnights", "-5s", "5x", "h", "1.s", "36501d", "36500d1s", "5 s x", "1e3", "1:30"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="duration"):
        parse_duration_s(text)


def test_who_runs_it_may_be_told_but_never_break_the_header() -> None:
    assert read_contact({}) == ""
    assert read_contact({"HARVESTER_CONTACT": " https://example.org/me "}) == "https://example.org/me"
    with pytest.raises(SettingsError, match="HARVESTER_CONTACT"):
        read_contact({"HARVESTER_CONTACT": "me\r\nX: y"})

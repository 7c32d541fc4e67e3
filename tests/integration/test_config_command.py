"""`harvester config` and misspelt variables: every setting with its place, and no key anywhere."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import call

KEY = "abcdefghij" * 4


def _own(text: str) -> Path:
    path = Path(os.environ["XDG_CONFIG_HOME"]) / "harvester" / "config.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _facts(folder: Path, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = call("config", "--json", *arguments, cwd=folder)
    assert ended.code == code, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


def test_each_value_of_a_setting_has_its_place_in_order_of_precedence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = _own("[harvest]\nsamples = 1\n\nconcurrency = 2\n")
    (tmp_path / "harvester.toml").write_text("[harvest]\nconcurrency = 3\n[map]\nout = 'a.html'\n", encoding="utf-8")
    monkeypatch.setenv("HARVESTER_HARVEST_CONCURRENCY", "4")
    monkeypatch.setenv("HARVESTER_HARVEST_TAG", "rain tent")
    monkeypatch.setenv("HARVESTER_QUIET", "0")
    expected = [
        "FREESOUND_API_KEY: not set: the embedded sandbox is used",
        f"HARVESTER_STATE: {os.environ['HARVESTER_STATE']}",
        "file: harvester.toml (in the working folder)",
        f"file: {own}",
        "harvester quiet = false        HARVESTER_QUIET",
        "harvest samples = 1            " + f"{own}:2",
        'harvest tag = ["rain","tent"]  HARVESTER_HARVEST_TAG',
        "harvest concurrency = 4        HARVESTER_HARVEST_CONCURRENCY",
        "harvest concurrency = 3        harvester.toml:2, overridden",
        f"harvest concurrency = 2        {own}:4, overridden",
        'map output = "a.html"          harvester.toml:4',
    ]
    lines = call("config", cwd=tmp_path).out.splitlines()
    assert lines[:5] == expected[:5]
    assert sorted(lines) == sorted(expected)
    at = lines.index("harvest concurrency = 4        HARVESTER_HARVEST_CONCURRENCY")
    assert lines[at : at + 3] == expected[7:10]
    facts = _facts(tmp_path, "harvest")
    [found] = [one for one in facts["settings"] if one["setting"] == "concurrency"]
    assert found == {
        "command": "harvest", "setting": "concurrency", "value": 4, "source": "environment",
        "from": "HARVESTER_HARVEST_CONCURRENCY",
        "overrides": [
            {"value": 3, "source": "file", "from": "harvester.toml:2"},
            {"value": 2, "source": "file", "from": f"{own}:4"},
        ],
    }  # fmt: skip
    assert facts["files"] == [{"file": "harvester.toml", "trusted": False}, {"file": str(own), "trusted": True}]


def test_a_named_file_is_the_only_one_and_the_option_comes_before_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _own("[map]\ndepth = 1\n")
    (tmp_path / "harvester.toml").write_text("[map]\ndepth = 2\n")
    for name, depth in (("a.toml", 3), ("b.toml", 4)):
        (tmp_path / name).write_text(f"[map]\ndepth = {depth}\n")
    monkeypatch.setenv("HARVESTER_CONFIG", "a.toml")
    assert _facts(tmp_path)["files"] == [{"file": "a.toml", "trusted": True}]
    told = call("--config", "b.toml", "config", "map", cwd=tmp_path).out.splitlines()
    assert told[-1] == "map depth = 4  b.toml:2"
    for line in (["--config", "none.toml", "config"], ["--config", "", "config"]):
        ended = call(*line, cwd=tmp_path)
        assert ended.code == 2
        assert ended.err.count("\n") == 1
    assert call("--config", "none.toml", "status", cwd=tmp_path).err == "harvester: none.toml: there is no such file\n"


def test_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = call("config", cwd=tmp_path)
    assert ended.err == "no option is set; `harvester config --all` shows the defaults\n"
    lines = call("config", "--all", cwd=tmp_path).out.splitlines()
    assert [line for line in lines if line.startswith("harvest concurrency = 4 ") and line.endswith(" default")]
    assert [line for line in lines if line.startswith("harvest seed is not set ")]
    assert [line for line in lines if line.startswith('status library = "freesound_library, here or in data/" ')]


@pytest.mark.parametrize("place", ["environment", ".env"])
def test_the_key_is_never_shown(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "environment":
        monkeypatch.setenv("FREESOUND_API_KEY", KEY)
    else:
        (tmp_path / ".env").write_text(f"FREESOUND_API_KEY={KEY}\n", encoding="utf-8")
    # Values that hold the key by mistake, a wrong one among them.
    monkeypatch.setenv("HARVESTER_MAP_TITLE", f"my {KEY}")
    monkeypatch.setenv("HARVESTER_SANDBOX_TOKEN", "another-key")
    monkeypatch.setenv("HARVESTER_CONTACT", KEY)
    monkeypatch.setenv("HARVESTER_MAP_DEPTH", KEY)
    (tmp_path / "harvester.toml").write_text(f"[plan]\ntag = ['{KEY}']\n[sandbox]\ntoken = 'third-key'\n")
    where = "the environment" if place == "environment" else ".env:1"
    for arguments in ((), ("--json",), ("--all",), ("--all", "--json")):
        ended = call("config", *arguments, cwd=tmp_path)
        assert ended.code == 2
        for secret in (KEY, "another-key", "third-key"):
            assert secret not in ended.out + ended.err
    facts = _facts(tmp_path, "map", code=2)
    assert facts["key"] == {"set": True, "from": where, "fingerprint": facts["key"]["fingerprint"]}
    assert len(facts["key"]["fingerprint"]) == 12


def test_an_address_with_a_password_is_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_HARVEST_API_URL", "https://me:hush@api.example/apiv2/")
    for arguments in ((), ("--json",)):
        ended = call("config", *arguments, cwd=tmp_path)
        assert ended.code == 2
        assert "hush" not in ended.out + ended.err
        assert "(hidden)" in ended.out


def test_a_wrong_value_of_a_variable_is_shown_and_ends_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_MAP_DEPTH", "deep")
    monkeypatch.setenv("HARVESTER_HARVEST_CC0", "perhaps")
    monkeypatch.setenv("FREESOUND_API_KEY", "a b")
    ended = call("config", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "HARVESTER_HARVEST_CC0: expected true or false, got 'perhaps'",
        "HARVESTER_MAP_DEPTH: expected a whole number, got 'deep'",
        "harvester: FREESOUND_API_KEY in the environment holds characters that no key has; copy the key again",
    ]
    assert 'map depth = "deep"' in ended.out
    assert "FREESOUND_API_KEY: cannot be used" in ended.out


# --- misspelt variables ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HARVESTER_HARVEST_SAMPELS", "; did you mean HARVESTER_HARVEST_SAMPLES?"),
        ("HARVESTER_BACKUPS_KEEP_BACKUPS", "; did you mean HARVESTER_BACKUPS_PRUNE_KEEP_BACKUPS?"),
        ("HARVESTER_CONTAKT", "; did you mean HARVESTER_CONTACT?"),
        ("HARVESTER_API_KEY", "; did you mean FREESOUND_API_KEY?"),
        ("HARVESTER_XYZ", ""),
        ("HARVESTER_VERSION", ""),
    ],
)
def test_a_variable_that_sets_nothing_is_reported_without_its_value(
    name: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1" * 40)
    ended = call("--quiet", "guide", "settings", cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.startswith("# Settings")
    assert ended.err == f"{name}: this variable sets nothing{hint} (see `harvester guide settings`)\n"


def test_a_variable_that_sets_something_is_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "HARVESTER_HARVEST_SAMPLES": "3", "HARVESTER_EXPORT_LICENCE": "CC0", "HARVESTER_EXPORT_OUT": "a",
        "HARVESTER_EXPORT_OUTPUT": "a", "HARVESTER_GIT_SETUP_LFS": "1", "HARVESTER_STATUS_AS_JSON": "1",
        "HARVESTER_BACKUPS_PRUNE_KEEP_BACKUPS": "3", "HARVESTER_CONTACT": "a", "HARVESTER_QUIET": "0",
        "HARVESTER_VERBOSE": "0", "HARVESTER_CONFIG": "a.toml", "_HARVESTER_OTHER": "1", "HARVESTER_EMPTY": "",
    }  # fmt: skip
    (tmp_path / "a.toml").touch()
    for name, value in known.items():
        monkeypatch.setenv(name, value)
    assert call("guide", "terms", cwd=tmp_path).err == ""


def test_a_completion_is_not_disturbed_by_a_misspelt_variable_or_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARVESTER_XYZ", "1")
    monkeypatch.setenv("_HARVESTER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "harvester ha")
    monkeypatch.setenv("COMP_CWORD", "1")
    (tmp_path / "harvester.toml").write_text("[harvest\n")
    ended = call(cwd=tmp_path)
    assert (ended.out.split(), ended.err) == (["harvest"], "")


def test_the_help_and_the_version_are_shown_beside_a_broken_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "harvester.toml").write_text("[harvest\n")
    monkeypatch.setenv("HARVESTER_VERSION", "1")
    for option in ("--help", "--version"):
        ended = call(option, cwd=tmp_path)
        assert (ended.code, ended.err) == (0, "")
    assert call("status", cwd=tmp_path).err.startswith("harvester: harvester.toml:1: ")

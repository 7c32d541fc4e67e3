"""What the options of `config` and `--config` are for: which settings are shown, and which file is read."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.options.place import Place
from tests.integration.options.table import proves


def _settings(place: Place, *arguments: object, given: Any = None) -> list[tuple[str, str, Any]]:
    facts = json.loads(place.run("--json", *arguments, given=given).out)
    return [(one["command"], one["setting"], one["value"]) for one in facts["settings"]]


@proves("config", "command")
def _the_settings_of_this_command_are_shown(place: Place) -> None:
    place.patch.setenv("HARVESTER_MAP_DEPTH", "3")
    place.patch.setenv("HARVESTER_BACKUPS_PRUNE_KEEP_BACKUPS", "4")
    assert _settings(place, "backups", "prune") == [("backups prune", "keep-backups", 4)]
    assert _settings(place, "backups") == [("backups prune", "keep-backups", 4)]
    assert ("map", "depth", 3) in _settings(place)
    assert "did you mean harvest?" in place.run("harvets", code=2).err


@proves("config", "--all")
def _the_defaults_are_shown_too(place: Place) -> None:
    place.patch.setenv("HARVESTER_MAP_DEPTH", "3")
    assert _settings(place, "map") == [("map", "depth", 3)]
    assert {("map", "depth", 3), ("map", "output", "map.html")} <= {*map(tuple, _settings(place, "map", given=True))}


@proves("config", "--json")
def _the_settings_are_json(place: Place) -> None:
    place.patch.setenv("HARVESTER_MAP_DEPTH", "3")
    assert "map depth = 3  HARVESTER_MAP_DEPTH" in place.run("map").out.splitlines()
    [depth] = json.loads(place.run("map", given=True).out)["settings"]
    assert depth == {
        "command": "map", "setting": "depth", "value": 3, "source": "environment", "from": "HARVESTER_MAP_DEPTH",
        "overrides": [],
    }  # fmt: skip


@proves("", "--config")
def _only_this_file_is_read(place: Place) -> None:
    (place.folder / "harvester.toml").write_text("[find]\nlimit = 2\n", encoding="utf-8")
    (place.folder / "mine.toml").write_text("[find]\nlibrary = 'shelf'\nlimit = 3\n", encoding="utf-8")
    assert len(place.run("find", "rain", given="mine.toml").out.splitlines()) == 3

"""Each setting comes from each of its sources, through the real command line, in the documented order.

The first of these that has the option decides: command line, environment, the file that the user names, else
`harvester.toml` in the working folder and then the user's own file, the default. What the option then does is shown by
the table of the cases.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.integration.options.place import Place, variable_of
from tests.integration.options.table import declared, load_cases
from tests.support.command import build_tree_once, call
from tests.support.hostile_server import HostileServer

DEFAULTS: dict[str, dict[str, object]] = {
    "harvest": {
        "--neighbours": 25, "--order": "popular", "--random-seed": 0, "--checkpoint-interval": 16, "--level": 1,
        "--concurrency": 4, "--backup-every": 100, "--keep-backups": 5,
    },
    "plan": {"--neighbours": 25, "--level": 1},
    "refresh": {
        "--older-than": "30d", "--neighbours": 25, "--level": 1, "--concurrency": 4, "--backup-every": 100,
        "--keep-backups": 5,
    },
    "link": {"--neighbours": 25, "--min-score": 0.7, "--verify": 0, "--random-seed": 0, "--jobs": 1, "--level": 1},
    "analyse": {"--random-seed": 0, "--seed": 0, "--betweenness-sources": 256, "--save": True},
    "relate": {"--by": "user,pack,tags", "--min-jaccard": 0.15, "--max": 25},
    "status": {"--max-age": "26h"},
    "find": {"--limit": 20},
    "export": {"--format": "md", "--jobs": 1},
    "map": {
        "--output": Path("map.html"), "--depth": 2, "--size-mm": "180x180", "--dpi": 300, "--layout": "auto",
        "--jobs": 1,
    },
    "browse": {"--port": 0, "--depth": 2},
    "previews": {
        "--quality": "lq", "--format": "ogg", "--max-files": 1000, "--max-size": "500MB", "--concurrency": 2,
    },
    "check": {"--jobs": 1},
    "import": {"--relation": "related"},
    "sandbox": {
        "--port": 0, "--sounds": 5000, "--random-seed": 7, "--burst": 60, "--daily": 2000, "--deleted-share": 0,
        "--latency-ms": 0,
    },
    "backups prune": {"--keep-backups": 5},
}  # fmt: skip
"""What each option is without any source; an option that is not here is off (None, False or empty)."""

ARGUMENTS = {
    "show": ["1"],
    "find": ["rain"],
    "export": ["jsonl"],
    "merge": ["a"],
    "import": ["a"],
    "init": ["a"],
}
REQUIRED = {"--print"}
"""Options without which their command does not begin."""

DURATIONS = {"--older-than", "--max-age", "--time-limit", "--min-duration", "--max-duration", "--since"}
OF_THE_USER = {"--i-have-permission", "--scheduler"}
NUMBERS = {"--min-jaccard", "--min-score", "--deleted-share"}
SPECIAL = {
    "--api-url": ("http://127.0.0.1:1/", "http://127.0.0.1:2/"),
    "--dpi": (100, 200),
    "--source": ("http://127.0.0.1:1/", "http://127.0.0.1:2/"),
    "--filter": ("tag:a", "tag:b"),
    "--limits": ("1/2", "3/4"),
    "--max-size": ("1MB", "2MB"),
    "--created": ("2019..2021", "2020"),
    "--gen-ai": (["unknown"], ["no-gen-ai"]),
    "--fault": (["500"], ["503"]),
    "--edges": (["similar"], ["relation"]),
    "--by": ("user", "tags"),
    "--scheduler": ("tcp://127.0.0.1:1", "tls://[::1]:2"),
}
"""Values of options that take only some texts."""

OPTIONS = [
    (command, option)
    for (command, option), parameter in declared().items()
    if command and option == next((one for one in parameter.opts if one.startswith("--")), None)
]
"""Each option once, by its first long name."""


def _pair(command: str, option: str) -> tuple[Any, Any]:
    """Return two values for an option, as a file spells them; neither is its default."""
    parameter = declared()[command, option]
    if parameter.is_flag:
        return True, False
    if option in DURATIONS:
        return "5m", "6m"
    if option in SPECIAL:
        return SPECIAL[option]
    if option in NUMBERS:
        return 0.25, 0.75
    kind = type(parameter.type).__name__ if hasattr(parameter, "type") else ""
    whole = "IntRange" in kind or "Int" in kind or type(DEFAULTS.get(command, {}).get(option)) is int
    one, other = (2, 3) if whole or option in WHOLE else ("a", "b")
    return ([one], [other]) if parameter.multiple else (one, other)


WHOLE = {
    "--per-minute",
    "--pack",
    "--seed",
    "--samples",
    "--max-requests",
    "--last",
    "--limit",
    "--partition-rows",
    "--ego",
    "--min-downloads",
    "--community",
}


class Parsed:
    """Runs a command up to its own function, and keeps what that function is given."""

    def __init__(self, command: str, folder: Path) -> None:
        self._words = command.split()
        self._folder = folder
        self._arguments = ARGUMENTS.get(command, [])

    def values(self, *options: str) -> dict[str, Any]:
        """Return the values of all parameters."""
        found: dict[str, Any] = {}
        node = _command(self._words)
        # What a command needs comes first: of an option that is given twice, the last one counts.
        line = [*self._words, *self._arguments, *options]
        with mock.patch.object(node, "callback", lambda **given: found.update(given)):
            ended = call(*line, cwd=self._folder)
        assert ended.code == 0, ended.err
        return found


def _command(words: list[str]) -> Any:
    node = build_tree_once()
    for word in words:
        node = node.commands[word]
    return node


def _write(path: Path, command: str, values: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{option[2:]} = {json.dumps(value)}" for option, value in values.items()]
    path.write_text("\n".join([f"[{command}]", *lines, ""]), encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return a value as a file spells it."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


@pytest.mark.parametrize("command", dict.fromkeys(command for command, _ in OPTIONS))
def test_each_setting_comes_from_the_first_source_that_has_it(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [option for of, option in OPTIONS if of == command]
    pairs = {option: _pair(command, option) for option in options}
    ones, others = ({option: pair[at] for option, pair in pairs.items()} for at in (0, 1))
    parsed = Parsed(command, tmp_path)

    def values(*line: str) -> dict[str, Any]:
        found = parsed.values(*line)
        return {option: _plain(found[declared()[command, option].name]) for option in options}

    defaults, needed = DEFAULTS.get(command, {}), [f"{option}=cron" for option in options if option in REQUIRED]
    known = {option: value or None for option, value in values(*needed).items() if option not in REQUIRED}
    assert known == {option: _plain(defaults.get(option)) or None for option in known}
    if not command.startswith("backups"):  # its table has no settings
        _write(Path(os.environ["XDG_CONFIG_HOME"]) / "harvester" / "config.toml", command, ones)
        assert values() == ones, "the user's own file"
        # What came with a clone must not give a permission in the user's name.
        here = {option: value for option, value in others.items() if option not in OF_THE_USER}
        _write(tmp_path / "harvester.toml", command, here)
        assert values() == ones | here, "harvester.toml in the working folder"
        _write(tmp_path / "named.toml", command, ones)
        monkeypatch.setenv("HARVESTER_CONFIG", "named.toml")
        assert values() == ones, "the file that the user names"
        _write(tmp_path / "named.toml", command, others)
    for option, one in ones.items():
        monkeypatch.setenv(variable_of(command, option), str(one[0] if isinstance(one, list) else one))
    assert values() == ones, "the environment"
    flags = [option for option, one in ones.items() if one is True]
    for option in flags:
        monkeypatch.setenv(variable_of(command, option), "0")
    assert values() == ones | dict.fromkeys(flags, False), "the environment"
    line = [*flags]
    for option, other in others.items():
        if option not in flags:
            line += [option, str(other[0] if isinstance(other, list) else other)]
    assert values(*line) == others | dict.fromkeys(flags, True), "the command line"


MOST = 1_000_000_000
BOUNDS: dict[str, tuple[str, float, float]] = {
    # option: the commands that have it, its least and its largest value
    "--backup-every": ("harvest, refresh", 1, MOST),
    "--betweenness-sources": ("analyse", 0, MOST),
    "--burst": ("sandbox", 0, MOST),
    "--checkpoint-interval": ("harvest", 1, MOST),
    "--community": ("analyse, browse, export, map, previews, relate, sql", 1, MOST),
    "--concurrency": ("harvest, refresh", 1, 64),
    "--daily": ("sandbox", 0, MOST),
    "--deleted-share": ("sandbox", 0, 1),
    "--depth": ("map, browse", 1, 10),
    "--jobs": ("link, check, export", -1, 64),
    "--keep-backups": ("harvest, refresh, backups prune", 1, MOST),
    "--last": ("history", 1, MOST),
    "--latency-ms": ("sandbox", 0, 3_600_000),
    "--limit": ("refresh", 1, MOST),
    "--max-files": ("previews", 1, MOST),
    "--per-minute": ("previews", 1, 60_000),
    "--max-requests": ("harvest, refresh", 1, MOST),
    "--min-score": ("link, export, map, browse", 0, 1),
    "--neighbours": ("harvest, plan, refresh, link", 1, 150),
    "--pack": ("harvest, plan", 1, 9_007_199_254_740_991),
    "--partition-rows": ("export", 1, MOST),
    "--port": ("sandbox, browse", 0, 65_535),
    "--random-seed": ("harvest, link, analyse, sandbox", 0, 4_294_967_295),
    "--samples": ("harvest, plan", 0, MOST),
    "--seed": ("harvest, plan", 1, 9_007_199_254_740_991),
    "--ego": ("map, browse", 1, 9_007_199_254_740_991),
    "--verify": ("link", 0, MOST),
}


@pytest.mark.parametrize("option", BOUNDS)
def test_a_number_is_accepted_up_to_its_bounds(option: str, tmp_path: Path) -> None:
    commands, least, most = BOUNDS[option]
    step = 0.001 if option in NUMBERS else 1
    for command in commands.split(", "):
        parsed, name = Parsed(command, tmp_path), declared()[command, option].name
        for bound in (least, most):
            value = parsed.values(f"{option}={bound}")[name]
            assert value in (bound, [bound], (bound,)), command
        for outside in (least - step, most + step):
            ended = call(*command.split(), f"{option}={outside}", *ARGUMENTS.get(command, []), cwd=tmp_path)
            assert ended.code == 2, (command, outside)
            assert ended.err.count("\n") == 1


EFFECTS = {
    "harvest": "--samples", "plan": "--seed", "refresh": "--older-than", "link": "--neighbours", "status": "--deferred",
    "analyse": "--random-seed", "relate": "--by",
    "history": "--json",
    "show": "--json", "find": "--limit", "export": "--output", "map": "--title",
    "browse": "--title", "sql": "--format",
    "previews": "--dry-run", "check": "--repair",
    "restore": "--library", "merge": "--output", "import": "--source", "forget": "--user", "git-setup": "--undo",
    "init": "--sandbox", "service": "--library", "sandbox": "--sounds", "config": "--all",
    "plugins": "--json",
    "backups prune": "--keep-backups", "backups list": "--json",
}  # fmt: skip
"""One option of each command, whose case is run with the option in a file and in the environment."""


def test_each_command_with_options_has_an_effect_by_other_sources() -> None:
    assert set(EFFECTS) == {command for command, _ in OPTIONS}


@pytest.mark.parametrize("command", EFFECTS)
@pytest.mark.parametrize("source", ["environment", "file"])
def test_an_option_from_elsewhere_does_what_it_is_for(command: str, source: str, place: Place) -> None:
    place.command, place.option = command, EFFECTS[command]
    place.source = "environment" if command.startswith("backups") else source  # type: ignore[assignment]
    load_cases()[command, place.option](place)


def test_the_contact_is_sent_with_each_request(place: Place) -> None:
    place.command = "harvest"
    place.patch.setenv("HARVESTER_CONTACT", "https://example.org/me")
    with HostileServer({}) as server:
        place.run("--api-url", server.url, "--level", 99, "--samples", 1)
    assert server.agents
    assert all("(https://example.org/me)" in agent for agent in server.agents)


def test_the_state_folder_holds_the_ledger(place: Place) -> None:
    place.command = "harvest"
    place.patch.setenv("HARVESTER_STATE", str(place.folder / "mine"))
    place.ask("--samples", 1)
    assert [path.suffix for path in (place.folder / "mine").rglob("*") if path.is_file()]
    place.patch.delenv("HARVESTER_STATE")
    place.patch.setenv("XDG_STATE_HOME", str(place.folder / "xdg"))
    place.ask("--samples", 1)
    assert list((place.folder / "xdg" / "harvester").iterdir())


def test_the_key_of_the_environment_comes_before_the_one_of_the_folder(place: Place) -> None:
    place.command = "plan"
    (place.folder / ".env").write_text("FREESOUND_API_KEY=unknown\n", encoding="utf-8")
    ask = ("--api-url", place.sandbox.url, "--level", 99, "--query", "drum")
    place.run(*ask)
    place.patch.delenv("FREESOUND_API_KEY")
    assert "Invalid token" in place.run(*ask, code=10).err
    (place.folder / ".env").write_text("FREESOUND_API_KEY=sandbox\n", encoding="utf-8")
    place.run(*ask)


def test_an_option_before_the_command_and_an_older_name_come_from_the_environment_too(place: Place) -> None:
    place.command = "backups prune"
    assert place.run("--library", "shelf").err
    place.patch.setenv("HARVESTER_QUIET", "1")
    assert place.run("--library", "shelf").err == ""
    place.command = "status"
    # The name of a parameter in the code, which version 0.1.0 read.
    place.patch.setenv("HARVESTER_STATUS_AS_JSON", "1")
    assert json.loads(place.run("--library", "shelf").out)["nodes"] == 10


def test_one_variable_names_the_scheduler_for_all_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARVESTER_SCHEDULER", "tcp://a:1")
    for command in ("link", "check", "export"):
        assert Parsed(command, tmp_path).values()["scheduler"] == "tcp://a:1"
    monkeypatch.setenv("HARVESTER_CHECK_SCHEDULER", "tcp://b:2")
    assert Parsed("check", tmp_path).values()["scheduler"] == "tcp://b:2"
    monkeypatch.setenv("HARVESTER_SCHEDULER", "b")
    ended = call("link", cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.startswith("harvester: HARVESTER_SCHEDULER: 'b' is no scheduler of Dask")

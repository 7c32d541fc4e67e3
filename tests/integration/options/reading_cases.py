"""What the options of the commands that only read are for, and those before a command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from harvester.clock import DAY_US, SystemClock
from harvester.library import add_run
from harvester.version import __version__
from tests.integration.options.place import Place
from tests.integration.options.table import proves
from tests.support.past_runs import past_run
from tests.support.plugins import write_package
from tests.support.processes import ROOT, environment

ARGUMENTS: dict[str, tuple[object, ...]] = {"find": ("rain",), "show": (10,)}


@proves("status, find, show, backups list, check", "--library")
def _this_library_is_read(place: Place) -> None:
    facts = json.loads(place.run("--json", *ARGUMENTS.get(place.command, ()), given="shelf").out)
    if place.command == "status":
        assert facts["nodes"] == 10
    elif place.command == "find":
        assert facts["total"] == 9
    elif place.command == "show":
        assert facts["id"] == 10
    elif place.command == "check":
        assert facts["library"] == "shelf"
    else:
        assert [row["nodes"] for row in facts] == [10]


@proves("status, find, show, backups list, check", "--json")
def _what_it_tells_is_json(place: Place) -> None:
    arguments = ("--library", "shelf", *ARGUMENTS.get(place.command, ()))
    assert not place.run(*arguments).out.startswith(("{", "["))
    assert json.loads(place.run(*arguments, given=True).out)


def _with_a_history(place: Place) -> None:
    now_us = SystemClock().time_us()
    for number in (1, 2, 3):
        add_run(place.folder / "shelf", past_run(number, ended_at=now_us - 2 * number * DAY_US))


@proves("history", "--library")
def _the_runs_of_this_library_are_told(place: Place) -> None:
    _with_a_history(place)
    assert len(place.run(given="shelf").out.splitlines()) == 3


@proves("history", "--json")
def _the_runs_are_json(place: Place) -> None:
    _with_a_history(place)
    told = place.run("--library", "shelf").out.splitlines()
    assert told[0].endswith("harvest  +9 processed, +100 sounds; 10 requests: target reached")
    rows = json.loads(place.run("--library", "shelf", given=True).out)
    assert [row["run"] for row in rows] == [past_run(number).run for number in (3, 2, 1)]


@proves("history", "--last")
def _the_newest_runs_are_told(place: Place) -> None:
    _with_a_history(place)
    rows = json.loads(place.run("--json", "--library", "shelf", given=2).out)
    assert [row["run"] for row in rows] == [past_run(number).run for number in (2, 1)]


@proves("history", "--since")
def _the_runs_since_then_are_told(place: Place) -> None:
    _with_a_history(place)
    rows = json.loads(place.run("--json", "--library", "shelf", given="3d").out)
    assert [row["run"] for row in rows] == [past_run(1).run]


@proves("status", "--deferred")
def _the_deferred_sounds_are_told(place: Place) -> None:
    [_, row] = place.run("--library", "shelf", given=True).out.splitlines()
    assert row.split()[:2] == ["9", "3"]
    assert row.endswith("server error 500")


@proves("status", "--exit-code", "--max-age")
def _a_library_is_judged_by_its_age(place: Place) -> None:
    # The sounds of the shelf are years old.
    if place.option == "--exit-code":
        assert "is stale: " in place.run("--library", "shelf", given=True, code=1).err
    else:
        freshness = json.loads(place.run("--json", "--library", "shelf", given="36500d").out)["freshness"]
        assert freshness["fresh"] is True
        assert freshness["max_age_s"] == 36_500 * 86_400


@proves("status", "--plot")
def _pictures_are_drawn_there(place: Place) -> None:
    place.run("--library", "shelf", given="pictures")
    names = {path.name for path in (place.folder / "pictures").iterdir()}
    pictures = ("degrees", "durations", "growth", "licenses", "tags")
    assert names == {f"{picture}.{kind}" for picture in pictures for kind in ("png", "svg")}


@proves("status", "--watch")
def _it_is_told_again_and_again(place: Place) -> None:
    ours, theirs = os.pipe()
    program = "import sys; from harvester.cli import watch, main; watch.EVERY_S = 0.05; main()"
    options = [] if place.source != "option" else ["--watch"]
    environ = environment(place.folder / "state") | {"PYTHONPATH": str(ROOT)}
    if place.source == "environment":
        environ["HARVESTER_STATUS_WATCH"] = "1"
    elif place.source == "file":
        (place.folder / "harvester.toml").write_text("[status]\nwatch = true\n")
    with subprocess.Popen(
        [sys.executable, "-c", program, "status", "--json", "--library", "shelf", *options],
        cwd=place.folder, env=environ, stdout=theirs, stderr=subprocess.PIPE,
    ) as process, os.fdopen(ours) as told:  # fmt: skip
        os.close(theirs)
        first, second = (json.loads(told.readline()) for _ in range(2))
        assert first["nodes"] == second["nodes"] == 10
        assert first["at"] < second["at"]
        process.terminate()


@proves("show", "sound_id")
def _this_sound_is_shown(place: Place) -> None:
    assert place.run("--library", "shelf", 3).out.startswith("sound 3   [3, ")


@proves("find", "text")
def _all_words_must_occur(place: Place) -> None:
    found = [int(line.split()[0]) for line in place.run("rain", "tag2", "--library", "shelf").out.splitlines()]
    assert sorted(found) == [2, 5, 8]


@proves("find", "--limit")
def _no_more_are_shown(place: Place) -> None:
    assert len(place.run("rain", "--library", "shelf", given=4).out.splitlines()) == 4


@proves("find", "--like")
def _the_sounds_are_ranked_by_likeness(place: Place) -> None:
    swept = place.swept()
    (found,) = json.loads(place.run("--limit", 1, "--json", "--library", swept, "rain").out)["sounds"]
    told = json.loads(place.run("--json", "--library", swept, given=[found["id"]]).out)
    assert (told["query"], told["like"]) == ("", [found["id"]])
    scores = [one["score"] for one in told["sounds"]]
    assert scores == sorted(scores, reverse=True)
    assert found["id"] not in {one["id"] for one in told["sounds"]}
    assert 20 == len(scores) < told["total"]


@proves("guide", "topic")
def _this_topic_is_shown(place: Place) -> None:
    assert place.run("exit-codes").out.startswith("# Exit codes\n")


@proves("plugins", "--json")
def _the_plugins_are_json(place: Place) -> None:
    write_package(place.folder, "mine", "[harvester.exports]\ncsv = mine:A\n")
    place.patch.syspath_prepend(place.folder)
    says = "left out: harvester has one of this name"
    assert place.run().out == f"format  csv  mine 1.0  {says}\n"
    [row] = json.loads(place.run(given=True).out)
    assert row == {
        "kind": "format", "name": "csv", "package": "mine", "version": "1.0", "help": None, "problem": says,
    }  # fmt: skip


@proves("", "--verbose", "-v")
def _each_request_is_told(place: Place) -> None:
    work = ("harvest", "--api-url", place.sandbox.url, "--level", 99, "--samples", 1, "--library", "new")
    assert "GET " not in place.run(*work).err
    told = place.run(*work, given=True).err
    asked = place.requests()
    assert f"GET sounds/{asked[-1].sound_id}/similar/ similarity_space=laion_clap page_size=25: HTTP 200, " in told
    assert "fields=" not in told


@proves("", "--log-json")
def _each_message_is_a_json_object(place: Place) -> None:
    work = ("harvest", "--api-url", place.sandbox.url, "--level", 99, "--samples", 1, "--library", "new")
    assert not place.run(*work).err.startswith("{")
    told = [json.loads(line) for line in place.run(*work, given=True).err.splitlines()]
    logged = [json.loads(line) for line in (place.folder / "new" / "harvest.log").read_text().splitlines()[-2:]]
    assert {*told[0]} == {"time", "level", "kind", "text", "fields"}
    assert (logged[-1]["kind"], logged[-1]["text"]) == ("end", "end: target reached")


@proves("", "--quiet", "-q")
def _only_errors_and_warnings_are_told(place: Place) -> None:
    work = ("harvest", "--api-url", place.sandbox.url, "--level", 99, "--samples", 1, "--library", "new")
    assert place.run(*work).err
    assert place.run(*work, given=True).err == ""
    assert place.run("--verbose", *work).err
    assert place.run("--verbose", *work, given=True).err == ""


@proves("", "--version")
def _the_version_is_told(place: Place) -> None:
    assert place.run(given=True).out == f"harvester {__version__}\n"


def _from_bash(place: Place, option: str) -> subprocess.CompletedProcess[str]:
    """Run the option from bash, which is found as the shell to serve, with a home of its own."""
    environ = environment(place.folder / "state") | {"HOME": str(place.folder), "PYTHONPATH": str(ROOT)}
    line = f"{sys.executable} -m harvester {option}; exit $?"
    return subprocess.run(
        ["bash", "-c", line], cwd=place.folder, env=environ, capture_output=True, text=True, timeout=60
    )


@proves("", "--show-completion")
def _the_script_for_this_shell_is_told(place: Place) -> None:
    ended = _from_bash(place, place.option)
    assert ended.returncode == 0, ended.stderr
    assert "complete -o default -F _harvester_completion harvester\n" in ended.stdout


@proves("", "--install-completion")
def _the_script_is_installed_for_this_shell(place: Place) -> None:
    ended = _from_bash(place, place.option)
    assert ended.returncode == 0, ended.stderr
    script = place.folder / ".bash_completions" / "harvester.sh"
    assert f"source '{script}'" in (place.folder / ".bashrc").read_text()
    assert "_HARVESTER_COMPLETE=complete_bash" in script.read_text()

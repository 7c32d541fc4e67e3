"""What a library, a server or a file's name holds is shown by every command and obeyed by no terminal."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from harvester.clock import DAY_US, SystemClock
from harvester.model import Deferral, Event, Linked, Seeded, Seen, SimilarList
from harvester.storage.lock import WriterLock
from tests.support.command import call
from tests.support.hostile_texts import FORGED, SPELLED, assert_harmless, read_corpus
from tests.support.processes import run
from tests.support.samples import NOW_US, grow, make_record, open_store

ALL = "".join(SPELLED) + FORGED
EVERYTHING, OTHER = 9_999_999, 10_000_000

Texts = list[str]


@pytest.fixture(scope="session")
def texts() -> Texts:
    """The literal table and the recorded corpus."""
    return [*dict.fromkeys([*SPELLED, FORGED, *(row["text"] for row in read_corpus())])]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, texts: Texts) -> Path:
    """A library in which every text of a record, the source, and the reasons of deferrals are hostile."""
    folder = tmp_path_factory.mktemp("hostile") / "lib"
    events: list[Event] = [Seeded((1,))]
    for place, text in enumerate(texts):
        sound_id = place + 1
        events.append(Seen(sound_id, hostile_record(sound_id, text), NOW_US))
        neighbours = ((place or len(texts), 0.9),)
        events.append(Linked(sound_id, SimilarList(neighbours, NOW_US, 25, filter=text)))
    everyone = tuple((place + 1, 0.9) for place in range(len(texts)))
    events.append(Seen(EVERYTHING, hostile_record(EVERYTHING, ALL), NOW_US))
    events.append(Linked(EVERYTHING, SimilarList(everyone, NOW_US, 150)))
    waiting = [Seen(OTHER + place, hostile_record(OTHER + place, text), NOW_US) for place, text in enumerate(texts)]
    tomorrow_us = SystemClock().time_us() + DAY_US
    with open_store(folder) as store:
        store.set_source(ALL)
        grow(store, [*events, *waiting])
        store.append((), deferrals=[Deferral(OTHER + place, text, 1, tomorrow_us) for place, text in enumerate(texts)])
        store.checkpoint(backup=True)
    return folder


def hostile_record(sound_id: int, text: str) -> dict[str, object]:
    names = ("name", "username", "license", "category", "subcategory", "pack", "pack_name", "description", "created")
    record = make_record(sound_id, tags=[text, f"{text}2"], **dict.fromkeys(names, text))
    links = {"url": f"https://evil.example/{text}", "previews": {text: text, "preview-hq-mp3": f"https://a.b/{text}"}}
    return record | links | {"type": text, "gen_ai_preference": text, "geotag": text, "md5": text, text: text}


def commands(texts: Texts) -> list[tuple[object, ...]]:
    written: list[tuple[object, ...]] = [("export", format) for format in ("graphml", "gexf", "jsonl", "node-link")]
    written += [("export", "credits", "--format", format) for format in ("md", "txt", "csv", "html")]
    saved = [("export", format, "-o", f"out.{format}") for format in ("csv", "parquet", "jsonl")]
    shown = [("show", sound_id) for sound_id in (1, 2, len(texts), EVERYTHING)]
    return [
        ("status",), ("status", "--json"), ("status", "--deferred"), ("status", "--deferred", "--json"),
        *shown, ("show", 1, "--json"), ("find", "a", "--limit", 0),
        ("find", "owned", "--json"), *written, *saved, ("map", "-o", "map.html"), ("check",), ("check", "--json"),
        ("backups", "list"), ("backups", "list", "--json"), ("backups", "prune"), ("plan", "--sandbox", "--samples", 1),
        ("link",), ("link", "--json"), ("merge", "lib", "-o", "other"),
        ("forget", "--user", "\x1b]0;owned\x07", "--yes"), ("restore",),
        ("harvest", "--sandbox", "--samples", 1), ("refresh", "--sandbox"),
    ]  # fmt: skip


def test_no_command_over_a_hostile_library_lets_a_terminal_obey_it(made: Path, texts: Texts, tmp_path: Path) -> None:
    copy_library(made, tmp_path / "lib")
    for command in commands(texts):
        ended = call(*command, *(() if command[0] == "merge" else ("--library", "lib")), cwd=tmp_path)
        assert ended.code == {"harvest": 23, "refresh": 23, "link": 2}.get(str(command[0]), 0), (
            command,
            ascii(ended.err),
        )
        assert_harmless(ended.out, ended.err)
    ended = call("git-textconv", made / "freesound_library.pkl", cwd=tmp_path)
    assert ended.code == 0
    assert_harmless(ended.out, ended.err)


def test_json_of_a_hostile_library_has_the_values_themselves(made: Path, texts: Texts, tmp_path: Path) -> None:
    shown = json.loads(call("show", EVERYTHING, "--json", "--library", made, cwd=tmp_path).out)
    names = [one["name"] for one in shown["neighbours"]]
    assert names == [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")[:512] for text in texts]
    lines = call("export", "jsonl", "--library", made, cwd=tmp_path).out.splitlines()
    (tmp_path / "lib.jsonl").touch()
    call("export", "jsonl", "--library", made, "-o", "lib.jsonl", cwd=tmp_path)
    saved = (tmp_path / "lib.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert list(map(json.loads, lines)) == list(map(json.loads, saved))


@pytest.mark.parametrize("name", ["a\x1b]0;owned\x07\r\u202e\x9b31m", "new\nharvester: all is well"])
def test_a_file_name_is_shown_and_not_obeyed(made: Path, tmp_path: Path, name: str) -> None:
    copy_library(made, tmp_path / name)
    (tmp_path / name / "freesound_library.journal").write_bytes(b"no journal")
    named: tuple[tuple[str, ...], ...] = (
        ("status",),
        ("status", "--json"),
        ("check",),
        ("check", "--repair"),
        ("backups", "list", "--json"),
        ("export", "jsonl", "-o", f"{name}/{name}"),
        ("map", "-o", name),
        ("restore", name),
        ("import", name),
    )
    for command in named:
        ended = call(*command, "--library", name, cwd=tmp_path)
        assert_harmless(ended.out, ended.err)


def test_a_file_name_that_is_no_text_ends_no_command(made: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"lib\xff")
    copy_library(made, tmp_path / name)
    for command in (
        ("status",),
        ("status", "--json"),
        ("check", "--json"),
        ("backups", "list", "--json"),
        ("find", "a"),
    ):
        ended = call(*command, "--library", name, cwd=tmp_path)
        assert ended.code == 0, (command, ascii(ended.err))
        assert_harmless(ended.out, ended.err)
    assert call("export", "csv", "-o", os.fsdecode(b"\xfe.csv"), "--library", name, cwd=tmp_path).code == 0


@pytest.mark.parametrize("text", ["\x1b]0;owned\x07", "\x9b31m\u202e\u2028", "ok\rbad"])
def test_an_argument_that_is_refused_is_not_obeyed(tmp_path: Path, text: str) -> None:
    if "\0" in text or (not text.isprintable() and "\ud800" in text):
        return
    for command in (
        (text,), ("status", f"--{text}"), ("show", text), ("export", text), ("harvest", "--order", text),
        ("harvest", "--samples", text), ("plan", "--level", text), ("harvest", "--api-url", f"http://{text}/"),
        ("harvest", "--filter", text, "--sandbox", "--samples", 1), ("refresh", "--older-than", text),
    ):  # fmt: skip
        ended = call(*command, cwd=tmp_path)
        assert ended.code, command
        assert_harmless(ended.out, ended.err)


def test_a_settings_file_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    for setting in ('order = "TEXT"', '"TEXT" = 1', "samples = 'TEXT'"):
        text = "\\u001b]0;owned\\u0007\\u202e" if '"' in setting else "\x9b\u202e"
        (tmp_path / "harvester.toml").write_text(f"[harvest]\n{setting.replace('TEXT', text)}\n", encoding="utf-8")
        for command in (("harvest", "--sandbox", "--samples", 1), ("harvest", "--help")):
            ended = call(*command, cwd=tmp_path)
            assert_harmless(ended.out, ended.err)


def test_what_a_running_harvest_says_of_itself_is_not_obeyed(made: Path, tmp_path: Path) -> None:
    copy_library(made, tmp_path / "lib")
    lock = WriterLock(tmp_path / "lib")
    lock.acquire(NOW_US)
    try:
        owner = {"host": ALL.encode("utf-8", "ignore").decode(), "pid": 1, "started": NOW_US}
        (tmp_path / "lib" / "freesound_library.lock").write_text(json.dumps(owner))
        run = {"samples": 1, "target": None, "requests": 1, "waiting_for": FORGED, "waiting_until": None}
        (tmp_path / "lib" / "status.json").write_text(json.dumps(run))
        for command in (("status",), ("status", "--json"), ("harvest", "--sandbox", "--samples", 1)):
            ended = call(*command, "--library", "lib", cwd=tmp_path)
            assert_harmless(ended.out, ended.err)
    finally:
        lock.release()


def test_a_bug_of_ours_shows_a_traceback_that_is_not_obeyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_given: object) -> None:
        raise RuntimeError(ALL)

    monkeypatch.setattr("harvester.actions.status_facts.ask", explode)
    ended = call("status", cwd=tmp_path)
    assert ended.code == 70
    assert "Traceback" in ended.err
    assert_harmless(ended.err.replace("harvester: all is well", ""))


def test_real_processes_write_the_same(made: Path, tmp_path: Path) -> None:
    for command in (
        ("status",),
        ("find", "a"),
        ("show", 3),
        ("export", "jsonl"),
        ("status", "--watch-not-there\x1b[2J"),
    ):
        ended, called = (one(*command, "--library", made, cwd=tmp_path) for one in (run, call))
        assert_harmless(ended.out, ended.err)
        assert (ended.code, ended.out.count("\n")) == (called.code, called.out.count("\n"))


def copy_library(source: Path, target: Path) -> None:
    shutil.copytree(source, target)

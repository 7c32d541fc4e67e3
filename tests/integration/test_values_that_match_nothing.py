"""A value of a filter that matches nothing is named, with what was meant, by every command that takes one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harvester import Library, SettingsError
from harvester.filters import build_filter
from harvester.model import Seen
from harvester.records import CATEGORIES, FILE_TYPES, LICENSES
from harvester.sandbox import vocabulary
from tests.support.command import call
from tests.support.processes import SandboxProcess, sandbox_process
from tests.support.samples import NOW_US, SOURCE, files_of, grow, open_store
from tests.support.view_samples import make_record


def write_library(folder: Path, sound_ids: range, source: str = SOURCE, **values: Any) -> None:
    with open_store(folder) as store:
        store.set_source(source)
        grow(store, [Seen(one, make_record(one, **values), NOW_US) for one in sound_ids])
        store.checkpoint()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the library of a few sounds."""
    folder = tmp_path_factory.mktemp("place")
    write_library(folder / "lib", range(1, 5), tags=["rain", "reverb"], username="Anna")
    (folder / "nine.txt").write_text("9\n")
    (folder / "mixed.txt").write_text("".join(f"{one}\n" for one in (3, 4, 5, 6, 7, 8, 9, 10, 11)))
    return folder


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with sandbox_process(tmp_path_factory.mktemp("sandbox"), "--no-throttle", "--sounds", 300) as one:
        yield one


SELECTING = ("export jsonl", "export csv -o out.csv", "export credits", "map -o out.html")


@pytest.mark.parametrize("command", SELECTING)
@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--license GPL", "--license: Freesound has no license 'GPL'; there are 'CC0', 'BY', 'BY-NC', 'Sampling+'"),
        ("--licence CC1", "--license: Freesound has no license 'CC1'; did you mean 'CC0'?"),
        ("--category Musik", "--category: Freesound has no category 'Musik'; did you mean 'Music'?"),
        ("--gen-ai no-genai", "--gen-ai: 'no-genai' is not a wish about generative AI; did you mean 'no-gen-ai'?"),
        ("--created 2019-13", "--created: '2019-13' is not a date; write years, months or days, such as 2019..2021"),
        ("--ids nosuch.txt", "nosuch.txt: it cannot be read (No such file or directory)"),
        ("--category x --license CC0", "--category: Freesound has no category 'x'; there are 'Music', 'Instrument"),
        ("--category Persussion", "--category: Freesound has no category 'Persussion'; did you mean 'Percussion' "),
    ],
)
def test_a_value_outside_a_closed_vocabulary_is_refused_before_anything_is_written(
    command: str, option: str, told: str, place: Path
) -> None:
    before = files_of(place)
    ended = call(*command.split(), *option.split(), "--library", "lib", cwd=place)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"harvester: {told}")
    assert files_of(place) == before


@pytest.mark.parametrize("command", SELECTING)
@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--user Nobody", "no sound matches: no sound has the user 'Nobody'; there are 'Anna'"),
        (
            "--user Ana --user Anna",
            "a part of the selection matches nothing: no sound has the user 'Ana'; did you mean",
        ),
        ("--tag reverbb", "no sound matches: no sound has the tag 'reverbb'; did you mean 'reverb'?"),
        ("--license Sampling+ --user Nobody", "no sound matches: no sound has the user 'Nobody'"),
        ("--query rian", "no sound matches: no sound has the word 'rian'; did you mean 'rain'?"),
        ("--created ..2011", "no sound matches: no sound was uploaded in ..2011; the uploads are from 2012-10-21 to"),
        ("--min-downloads 41", "no sound matches: no sound has 41 downloads or more; the most downloads are 40"),
        ("--max-duration 0.1s", "no sound matches: no sound lasts 0.1 s or less; the shortest has 0.142857 s"),
        ("--gen-ai unknown", "no sound matches: no sound has the gen-AI wish 'unknown'; there are 'no-additional-"),
        ("--ids nine.txt", "no sound matches: of 1 id the library lacks 1 (9)"),
        ("--ids mixed.txt", "a part of the selection matches nothing: of 9 ids the library lacks 7 (5, 6, 7, 8, 9, 10"),
        ("--exclude-tag rian", "a part of the selection matches nothing: no sound to exclude has the tag 'rian'; did"),
        ("--exclude-user Ana --user Anna", "a part of the selection matches nothing: no sound to exclude has the user"),
        (
            "--category Speech --license Sampling+ --exclude-tag rian --ids mixed.txt --gen-ai no-gen-ai",
            "no sound matches: no sound meets all conditions together; of 9 ids",
        ),
        ("--category Speech --tag reverb --min-duration 99h", "no sound matches: no sound lasts 356,400 s or longer; "),
    ],
)
def test_a_value_that_no_sound_of_the_library_has_is_a_notice(
    command: str, option: str, told: str, place: Path
) -> None:
    ended = call("--quiet", *command.split(), *option.split(), "--library", "lib", cwd=place)
    assert ended.code == 0, ended.err
    [line] = ended.err.splitlines()
    assert line.startswith(told)


def test_a_program_gets_the_same(place: Path) -> None:
    library = Library.open(place / "lib")
    with pytest.raises(SettingsError, match="license: Freesound has no license 'GPL'"):
        library.select(license="GPL")
    with pytest.raises(SettingsError, match="category: Freesound has no category 'Musik'"):
        library.select(tag="rain").select(category=["Music", "Musik"])
    [told] = library.select(user=["Anna", "Nobody"]).notices
    assert "no sound has the user 'Nobody'" in told


def test_find_names_the_word_that_no_sound_has(place: Path) -> None:
    ended = call("find", "rain", "reverrb", "--library", "lib", cwd=place)
    assert ended.code == 0
    assert ended.err.splitlines()[0] == "no sound has the word 'reverrb'; did you mean 'reverb'?"
    assert call("find", "rain", "Anna", "--library", "lib", cwd=place).err.count("\n") == 1


def test_forget_names_the_user_that_was_meant(place: Path) -> None:
    ended = call("forget", "--user", "Ana", "--library", "lib", cwd=place)
    assert ended.code == 2
    assert "is by 'Ana'; did you mean 'Anna'?" in ended.err


@pytest.mark.parametrize("command", ["harvest", "plan"])
@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--type wave", "--type: no sound has the type 'wave'; did you mean 'wav'?"),
        ("--filter license:GPL", "no sound has the license 'GPL'; there are 'Creative Commons 0', 'Attribution', "),
        ("--filter category:Musik", "no sound has the category 'Musik'; did you mean 'Music'?"),
        ("--filter -category:music", "no sound has the category 'music'; did you mean 'Music'?"),
    ],
)
def test_a_harvest_of_an_impossible_value_is_refused_before_a_request(
    command: str, option: str, told: str, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    asked = len(sandbox.requests())
    ended = call(command, "--api-url", sandbox.url, *option.split(), cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert len(sandbox.requests()) == asked
    assert not list(tmp_path.iterdir())


NOTHING = (
    ("--tag reverbb", "no sound has the tag 'reverbb'; did you mean 'reverb'?", 0),
    ("--query xyzzyq", "no sound has the words of the query 'xyzzyq'", 0),
    ("--query xyzzyq --tag rain", "no sound has the words of the query 'xyzzyq'", 1),
    ("--tag rain --tag reverbb", "no sound has the tag 'reverbb'; did you mean 'reverb'?", 1),
    ("--filter pack:nosuch", "no sound has the pack 'nosuch'", 0),
    ("--filter duration:[90000 TO *]", "no sound meets `duration:[90000 TO *]`", 0),
)
"""Searches without a hit, the line for each, and how many more requests it takes."""


@pytest.mark.parametrize("command", ["harvest --samples 2 --no-progress", "plan"])
@pytest.mark.parametrize(("options", "told", "more"), NOTHING)
def test_a_search_that_finds_nothing_names_what_emptied_it(
    command: str, options: str, told: str, more: int, place: Path, sandbox: SandboxProcess, tmp_path: Path
) -> None:  # fmt: skip
    write_library(tmp_path / "mine", range(1, 2), _source(sandbox, place), tags=["reverb"])
    asked = sandbox.counted()
    words = options.split(" ", 1)
    line = [*command.split(), "--level", "99", "--api-url", sandbox.url, "--library", tmp_path / "mine"]
    given = words if words[0] == "--filter" else options.split()
    ended = call(*line, *given, cwd=place)
    assert ended.code == 0, ended.err
    assert f"the search finds nothing: {told}" in ended.err.splitlines()
    # With a query, a plan also counts the catalogue.
    spent = sandbox.counted() - asked
    assert spent == 1 + more + (command == "plan" and "--query" in options)
    assert command == "plan" or f"cost: {spent} request{'s' if spent > 1 else ''} in " in ended.err


def _source(sandbox: SandboxProcess, place: Path) -> str:
    if not (place / "source").exists():
        call("harvest", "--api-url", sandbox.url, "--samples", 1, "--library", place / "probe", cwd=place)
        (place / "source").write_text(Library.open(place / "probe").metadata["source"])
    return (place / "source").read_text()


def test_every_value_that_the_sandbox_has_is_possible() -> None:
    known = {name.casefold() for top, below in CATEGORIES.items() for name in (top, *below)}
    for theme in vocabulary.THEMES:
        assert {theme.category.casefold(), theme.subcategory.casefold()} <= known
        assert theme.subcategory in CATEGORIES[theme.category]
    for one in LICENSES:
        assert build_filter(f'license:"{one.index_name}"').text
    for kind in FILE_TYPES:
        assert build_filter("", types=[kind.upper()]).text == f'type:"{kind}"'
    assert build_filter("category:Musi* license:Attr*").text, "a pattern is the way round"

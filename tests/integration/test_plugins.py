"""Plugins as users install them: with pip, beside the harvester, driven through the real command line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.plugins import PLUGINS, install
from tests.support.processes import ROOT, Ended, environment, run

GUIDE = ROOT / "harvester" / "guide" / "plugins.md"
OURS = "graphml, gexf, jsonl, node-link, csv, parquet, sqlite"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed example."""
    return install("example", tmp_path_factory.mktemp("example") / "site")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed package in which everything is wrong."""
    return install("broken", tmp_path_factory.mktemp("broken") / "site")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small library in `lib/`, grown offline without a plugin."""
    folder = tmp_path_factory.mktemp("library")
    assert harvester("harvest", "--samples", 20, "--library", "lib", cwd=folder).code == 0
    return folder


def harvester(*arguments: object, cwd: Path, sites: tuple[Path, ...] = (), **environ: str) -> Ended:
    """Run the command line in a process that finds the packages in `sites` too."""
    return run(*arguments, cwd=cwd, environ=_finding(sites, cwd) | environ)


def _finding(sites: tuple[Path, ...], cwd: Path) -> dict[str, str]:
    return environment(cwd / "state", key=None) | {"PYTHONPATH": os.pathsep.join(map(str, (*sites, ROOT)))}


def completed(line: str, *, cwd: Path, sites: tuple[Path, ...]) -> list[str]:
    """Return the words that bash offers after `harvester LINE`; nothing may be said beside them."""
    words = f"harvester {line}"
    asked = {"_HARVESTER_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    ended = harvester(cwd=cwd, sites=sites, **asked)
    assert ended.err == ""
    return ended.out.split()


def help_of(command: str, *, cwd: Path, sites: tuple[Path, ...]) -> tuple[str, list[str]]:
    ended = harvester(command, "--help", cwd=cwd, sites=sites)
    assert ended.code == 0
    # A line may break after the hyphen of a package's name.
    return re.sub(r"(?<=\w)- (?=\w)", "-", " ".join(ended.out.split())), ended.err.splitlines()


def test_formats_and_orders_appear_in_help_completion_and_errors(example: Path, tmp_path: Path) -> None:
    found = {"cwd": tmp_path, "sites": (example,)}
    told, said = help_of("export", **found)  # type: ignore[arg-type]
    assert f"{OURS}, credits or dataset; added: pairs (harvester-example 1.0); tags (harvester-example 1.0)." in told
    assert said == []
    assert "--order popular|breadth|random|shortest" in help_of("harvest", **found)[0]  # type: ignore[arg-type]
    assert completed("export ", **found) == [*OURS.split(", "), "pairs", "tags", "credits", "dataset"]  # type: ignore[arg-type]
    assert completed("harvest --order s", **found) == ["shortest"]  # type: ignore[arg-type]
    refused = harvester("export", "bee", cwd=tmp_path, sites=(example,))
    assert (refused.code, refused.err) == (
        2, f"harvester: 'bee' is not a format; use {OURS}, pairs, tags, credits or dataset\n"
    )  # fmt: skip
    refused = harvester("harvest", "--order", "bee", cwd=tmp_path, sites=(example,))
    assert refused.code == 2
    assert refused.err.endswith("choose from popular, breadth, random, shortest\n")


def test_without_a_plugin_help_and_completion_name_only_ours(tmp_path: Path) -> None:
    assert f"{OURS}, credits or dataset." in help_of("export", cwd=tmp_path, sites=())[0]
    assert completed("export ", cwd=tmp_path, sites=()) == [*OURS.split(", "), "credits", "dataset"]


def test_a_text_format_goes_to_stdout_or_to_a_file(example: Path, folder: Path, tmp_path: Path) -> None:
    select = ("--library", folder / "lib", "--max-duration", "30s")
    rows = [json.loads(line) for line in harvester("export", "jsonl", *select, cwd=tmp_path).out.splitlines()]
    expected = dict(Counter(tag for row in rows for tag in row["tags"] or ()))
    assert len(expected) > 10
    told = harvester("export", "tags", *select, cwd=tmp_path, sites=(example,))
    assert (told.code, told.err) == (0, "")
    assert json.loads(told.out) == expected
    saved = harvester("export", "tags", "-o", "tags.json", *select, cwd=tmp_path, sites=(example,))
    assert saved.code == 0
    assert saved.err.startswith(f"tags.json: {len(rows)} sounds, ")
    assert json.loads((tmp_path / "tags.json").read_text(encoding="utf-8")) == expected


def test_a_format_of_files_writes_all_of_them(example: Path, folder: Path, tmp_path: Path) -> None:
    select = ("--library", folder / "lib")
    refused = harvester("export", "pairs", *select, cwd=tmp_path, sites=(example,))
    assert (refused.code, refused.err) == (2, "harvester: pairs writes files; name the first with -o OUT\n")
    saved = harvester("export", "pairs", "-o", "out.txt", *select, cwd=tmp_path, sites=(example,))
    assert saved.code == 0
    assert saved.err.startswith("out.txt and out.pairs.txt: ")
    rows = [json.loads(line) for line in harvester("export", "jsonl", *select, cwd=tmp_path).out.splitlines()]
    pairs = (tmp_path / "out.pairs.txt").read_bytes()
    numbers = [int.from_bytes(pairs[place : place + 8]) for place in range(0, len(pairs), 8)]
    ends = [number for row in rows for one in row["neighbours"] for number in (row["id"], one["id"])]
    assert numbers == ends
    lines = (tmp_path / "out.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 1)[0] for line in lines] == [str(row["id"]) for row in rows]


def test_a_harvest_follows_the_order_of_a_plugin(example: Path, tmp_path: Path) -> None:
    """The sound that is processed next is the shortest of those that wait."""
    run = ("harvest", "--library", "lib", "--order", "shortest", "--concurrency", 1, "--samples")
    waiting: list[tuple[float, int]] = []
    for samples in (5, 1):
        ended = harvester(*run, samples, cwd=tmp_path, sites=(example,))
        assert ended.code == 0, ended.err
        told = harvester("export", "jsonl", "--library", "lib", cwd=tmp_path).out.splitlines()
        rows = {row["id"]: row for row in map(json.loads, told)}
        if waiting:
            assert rows[min(waiting)[1]]["processed"]
        waiting = [(row["duration"], row["id"]) for row in rows.values() if not row["processed"]]
    assert len(waiting) > 20


@pytest.mark.parametrize(
    ("format", "problem"),
    [
        (
            "unimportable",
            "cannot be imported: the package a_package_that_is_not_installed is not installed, "
            "harvester_broken/unimportable.py:5",
        ),
        ("leaving", "cannot be imported: harvester_broken ends the process, harvester_broken/leaving.py:7"),
        ("absent", "cannot be imported: harvester_broken has no ABSENT"),
        ("wrong", "cannot be used: it is of type dict, not harvester.TextFormat or harvester.FilesFormat"),
        ("raising", "failed while exporting (no sound is loud enough, harvester_broken/__init__.py:16)"),
        ("numbers", "failed while exporting (it gave a piece of type int)"),
        ("no-out", "failed while exporting (its files are 'edges', not '' and names like edges)"),
        ("outside", "failed while exporting (its files are '', '/../../outside', not '' and names like edges)"),
        ("late", "failed while exporting (too late, harvester_broken/__init__.py:25)"),
    ],
)
def test_a_format_that_fails_is_one_line_with_its_package_and_keeps_the_earlier_files(
    broken: Path, folder: Path, tmp_path: Path, format: str, problem: str
) -> None:
    (tmp_path / "out.txt").write_text("earlier")
    (tmp_path / "out.edges.txt").write_text("earlier edges")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    ended = harvester("export", format, "-o", "out.txt", "--library", folder / "lib", cwd=tmp_path, sites=(broken,))
    assert ended.code == 29, ended.err
    assert ended.out == ""
    *_, last = ended.err.splitlines()
    assert last.startswith(f"harvester: the format '{format}' of harvester-broken 2.0 {problem}; ")
    assert last.endswith(f"; update or uninstall the package, or use {OURS}, credits, dataset")
    assert "Traceback" not in ended.err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_names_that_are_left_out_are_told_where_they_are_missed(
    example: Path, broken: Path, folder: Path, tmp_path: Path
) -> None:
    left_out = {
        "the format 'csv' of harvester-broken 2.0 is left out: harvester has one of this name",
        "the format 'credits' of harvester-broken 2.0 is left out: harvester has one of this name",
        "the format 'CAPITALS' of harvester-broken 2.0 is left out: "
        "a name has small letters, digits, - and _ only",
        "the format 'tags' is left out: it is in harvester-broken 2.0 and harvester-example 1.0, "
        "and only one may have this name",
    }  # fmt: skip
    sites = (example, broken)
    told, said = help_of("export", cwd=tmp_path, sites=sites)
    assert set(said) == left_out
    assert "tags" not in told.split("added: ")[1]
    assert "halves (harvester-broken 2.0)" in told
    saved = harvester("export", "csv", "-o", "out.csv", "--library", folder / "lib", cwd=tmp_path, sites=sites)
    assert saved.code == 0
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("id,")
    assert set(saved.err.splitlines()[:-1]) == left_out
    refused = harvester("export", "tags", "--library", folder / "lib", cwd=tmp_path, sites=sites)
    assert refused.code == 2
    assert set(refused.err.splitlines()[:-1]) == left_out
    assert help_of("harvest", cwd=tmp_path, sites=sites)[1] == [
        "the order 'popular' of harvester-broken 2.0 is left out: harvester has one of this name"
    ]
    assert harvester("--help", cwd=tmp_path, sites=sites).err == ""
    assert harvester("status", "--library", folder / "lib", cwd=tmp_path, sites=sites).err == ""


def test_plugins_are_listed_with_their_help_or_their_problem(example: Path, broken: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harvester", "plugins"]
    told = subprocess.run(command, cwd=tmp_path, env=_finding((example,), tmp_path), capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines() == [
        "format  pairs     harvester-example 1.0  Names as text, and edges as pairs of 64-bit numbers",
        "format  tags      harvester-example 1.0  Tags with counts",
        "order   shortest  harvester-example 1.0  Rank the shortest sounds first.",
    ]
    ended = harvester("plugins", "--json", cwd=tmp_path, sites=(example, broken))
    assert (ended.code, ended.err) == (0, "")
    rows = json.loads(ended.out)
    assert Counter((row["kind"], row["package"], row["version"]) for row in rows) == {
        ("format", "harvester-example", "1.0"): 2, ("order", "harvester-example", "1.0"): 1,
        ("format", "harvester-broken", "2.0"): 14, ("order", "harvester-broken", "2.0"): 10,
    }  # fmt: skip
    problems = {(row["kind"], row["name"]): row["problem"] for row in rows if row["package"] == "harvester-broken"}
    assert {name: problem for name, problem in problems.items() if problem} == {
        ("format", "unimportable"): "cannot be imported: the package a_package_that_is_not_installed is not installed, "
        "harvester_broken/unimportable.py:5",
        ("format", "leaving"): "cannot be imported: harvester_broken ends the process, harvester_broken/leaving.py:7",
        ("format", "absent"): "cannot be imported: harvester_broken has no ABSENT",
        ("format", "wrong"): "cannot be used: it is of type dict, not harvester.TextFormat or harvester.FilesFormat",
        ("format", "csv"): "left out: harvester has one of this name",
        ("format", "credits"): "left out: harvester has one of this name",
        ("format", "CAPITALS"): "left out: a name has small letters, digits, - and _ only",
        ("format", "tags"): "left out: it is in harvester-broken 2.0 and harvester-example 1.0, and only one may have "
        "this name",
        ("order", "unimportable"): "cannot be imported: the package a_package_that_is_not_installed is not installed, "
        "harvester_broken/unimportable.py:5",
        ("order", "not-an-order"): "cannot be used: it is of type dict, not a function",
        ("order", "popular"): "left out: harvester has one of this name",
    }
    assert all((row["help"] is None) == (row["problem"] is not None) for row in rows if row["kind"] == "format")
    ended = harvester("plugins", cwd=tmp_path)
    assert (ended.code, ended.out) == (0, "")
    assert ended.err.startswith("no installed package adds a format or an order; ")


def test_a_text_is_written_as_utf_8_and_escaped_on_stdout(broken: Path, folder: Path, tmp_path: Path) -> None:
    told = harvester("export", "halves", "--library", folder / "lib", cwd=tmp_path, sites=(broken,))
    assert told.code == 0, told.err
    assert told.out == "half a pair: \ufffd, an escape: \\x1b[2J\n"
    saved = harvester("export", "halves", "-o", "out.txt", "--library", folder / "lib", cwd=tmp_path, sites=(broken,))
    assert saved.code == 0, saved.err
    assert (tmp_path / "out.txt").read_text(encoding="utf-8") == "half a pair: \ufffd, an escape: \x1b[2J\n"


@pytest.mark.parametrize("order", ["half", "nan", "leaving", "failing-start"])
def test_a_failing_order_does_not_stop_a_harvest(broken: Path, tmp_path: Path, order: str) -> None:
    ended = harvester("harvest", "--samples", 8, "--order", order, "--library", "lib", cwd=tmp_path, sites=(broken,))
    assert ended.code == 0, ended.err
    assert ended.err.count(f"the order '{order}' of harvester-broken 2.0 failed") == 1
    assert "Traceback" not in ended.err
    told = harvester("export", "jsonl", "--processed-only", "--library", "lib", cwd=tmp_path)
    assert len(told.out.splitlines()) == 8
    assert harvester("check", "--library", "lib", cwd=tmp_path).code == 0


@pytest.mark.parametrize("order", ["unimportable", "not-an-order"])
def test_a_harvest_does_not_start_with_an_order_that_cannot_be_loaded(broken: Path, tmp_path: Path, order: str) -> None:
    ended = harvester("harvest", "--order", order, "--library", "lib", cwd=tmp_path, sites=(broken,))
    assert ended.code == 29
    assert f"the order '{order}' of harvester-broken 2.0 cannot be " in ended.err.splitlines()[-1]
    assert not (tmp_path / "lib").exists()


def test_the_help_imports_no_plugin(broken: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom harvester.cli import main\nsys.argv = ['harvester', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print('imported:', *(name for name in sys.modules if 'broken' in name))"
    )
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (broken, ROOT)))}
    for command in ("export", "harvest"):
        ended = subprocess.run(
            [sys.executable, "-c", program, command, "--help"],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ("raising" if command == "export" else "half") in ended.stdout
        assert ended.stdout.splitlines()[-1] == "imported:"


def test_the_guide_shows_the_example() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for language, name in (("python", "harvester_example/__init__.py"), ("toml", "pyproject.toml")):
        shown = re.findall(rf"```{language}\n(.*?)```", guide, re.DOTALL)
        source = (PLUGINS / "example" / name).read_text(encoding="utf-8")
        assert shown
        assert all(one in source for one in shown)

"""The documents are true where a program can tell: links lead somewhere, paths exist, commands that they show parse."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from harvester.cli import app

ROOT = Path(__file__).resolve().parents[2]
GUIDE = sorted((ROOT / "harvester" / "guide").iterdir())
LIBRARY = ROOT / "data" / "freesound_library" / "README.md"
DOCUMENTS = [
    *(ROOT / "README.md", LIBRARY),
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted((ROOT / "harvester").rglob("*.md")),
]
LONGEST_README = 1_200
WIDEST_CODE = 78
"""Columns of code in the guide, so that an ordinary terminal wraps none of it."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_PATH = re.compile(r"(?:harvester|tests|\.github|\.ci|[a-z]+)(?:/[\w.-]+)*/(?:[\w.-]+\.(?:py|md|js|yml)|__init__\.py)")
_FOLDER = re.compile(r"(?:harvester|tests)/(?:[\w.-]+/)*")
_ENDING = re.compile(r"\s+#\s.*|\s*…\s*$")
_FOREIGN = {"--markdown", "--no-rebase", "--no-edit", "--include"}
"""Options of other programs that the documents name."""


def shown(path: Path, *kinds: str) -> Iterator[str]:
    """Give each line of code of a document, in blocks without a language or of these, and the code in its text."""
    text = path.read_text(encoding="utf-8")
    for kind, code in _FENCE.findall(text):
        if kind in ("", *kinds):
            yield from (line.strip() for line in code.splitlines())
    yield from re.findall(r"`([^`\n]+)`", _FENCE.sub("", text))


def commands(path: Path) -> Iterator[list[str]]:
    """Give the arguments of each `harvester …` and each `make harvest ARGS="…"` that a document shows."""
    for line in shown(path, "yaml"):
        made = re.match(r'make harvest ARGS="([^"]*)"', line)
        called = re.match(r"(?:\.venv/bin/)?harvester (.+)", _ENDING.sub("", line))
        if made:
            yield ["harvest", *shlex.split(made[1])]
        elif called:
            yield shlex.split(called[1])


def check_command(arguments: list[str]) -> None:
    """Parse arguments as the command line does, and run nothing. Raises what the command line would show.

    A command without anything is only named: it may lack what it requires.
    """
    command, name, rest = _command_line(), "harvester", [re.sub(r"^ID…?$", "1", one) for one in arguments]
    assert not {"--install-completion", "--show-completion"} & set(rest), "parsing it would run it"
    while True:
        try:
            context = command.make_context(name, rest)
        except typer.Exit:
            return  # --help
        if not hasattr(command, "commands"):
            return
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        if not rest:
            return


@cache
def _command_line() -> Any:
    return typer.main.get_command(app)


def options(command: Any) -> set[str]:
    """Return every option of a command and of those below it."""
    found = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return found.union(*(options(one) for one in getattr(command, "commands", {}).values()))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if not target.startswith(("http://", "https://")):
            file, _, heading = target.partition("#")
            linked = (path.parent / file).resolve() if file else path
            assert linked.is_file(), target
            if heading:
                headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
                assert heading in {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_every_file_and_folder_that_is_named_exists(path: Path) -> None:
    for code in shown(path):
        for name in (word for word in code.split() if _PATH.fullmatch(word) or _FOLDER.fullmatch(word)):
            assert any((top / name).exists() for top in (ROOT, ROOT / "harvester")), name


@pytest.mark.parametrize("path", [ROOT / "README.md", LIBRARY, *GUIDE], ids=name_of)
def test_every_command_that_is_shown_parses(path: Path) -> None:
    for arguments in commands(path):
        try:
            check_command(arguments)
        except Exception as error:
            raise AssertionError(f"harvester {shlex.join(arguments)}: {error}") from error


@pytest.mark.parametrize(
    "arguments",
    [
        ["harvest", "--sampels", "3"],
        ["harvets"],
        ["show", "one"],
        ["show", "--json"],
        ["backups", "prune", "--keep", "2"],
    ],
)
def test_a_command_that_does_not_exist_would_be_noticed(arguments: list[str]) -> None:
    with pytest.raises(Exception, match=r"."):
        check_command(arguments)


@pytest.mark.parametrize("path", [ROOT / "README.md", LIBRARY, *GUIDE], ids=name_of)
def test_every_option_that_is_named_exists(path: Path) -> None:
    named = {name for code in shown(path) if code.startswith("--") for name in re.findall(r"(?<!\S)--[\w-]+", code)}
    assert named - _FOREIGN <= options(_command_line())


def test_every_target_of_make_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {found[1] for path in DOCUMENTS for code in shown(path) if (found := re.match(r"make ([a-z]+)", code))}
    assert {"harvest", "test"} <= named <= targets


def test_packages_of_others_are_imported_where_the_architecture_says() -> None:
    text = (ROOT / "harvester" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("| package | imported in | why |")[1].split("\n\n")[0]
    rows = dict(re.findall(r"^\| ([a-z]+) \| (.+?) \|", table, re.MULTILINE))
    assert {"networkx", "aiohttp", "tenacity"} <= rows.keys()
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "harvester").rglob("*.py")}
    for package, places in rows.items():
        statement = re.compile(rf"^\s*(?:import|from) {package}\b", re.MULTILINE)
        importing = {
            name_of(path).removeprefix("harvester/") for path, code in sources.items() if statement.search(code)
        }
        listed = set(re.findall(r"`([^`]+)`", places))
        assert {one for one in importing if not one.startswith(tuple(listed))} == set(), package
        assert {one for one in listed if not any(name.startswith(one) for name in importing)} == set(), package


def test_the_readme_is_one_page_and_names_every_topic() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= LONGEST_README
    assert {target for target in _LINK.findall(text) if "/guide/" in target} == {name_of(path) for path in GUIDE}


@pytest.mark.parametrize("path", GUIDE, ids=name_of)
def test_code_of_the_guide_fits_a_terminal(path: Path) -> None:
    code = [line for _, block in _FENCE.findall(path.read_text(encoding="utf-8")) for line in block.splitlines()]
    assert [line for line in code if len(line) > WIDEST_CODE] == []

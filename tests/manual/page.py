"""The manual page: every command with its options, as roff for `man`.

Made from the tree of commands, the table of exit codes, and tables of the guide, so that each fact has one owner. The
macros are those of man(7), which groff and mandoc both read; the page is plain ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from harvester.actions import guide_topics
from harvester.cli import app
from harvester.errors import exit_code_table
from harvester.version import __version__

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "harvester" / "man" / "harvester.1"

_RELEASE = re.compile(r"^## \[[^\]]+\] - (\d{4}-\d\d-\d\d)$", re.MULTILINE)
_ROW = re.compile(r"^\| (.+?) \| (.+?) \|$", re.MULTILINE)
_MARK = re.compile(r"`([^`]+)`|\[([^\]]+)\]\([^)]*\)")
_FACT = re.compile(r"(?:\([^)]*\)|[^;(])+")
"""One fact of `default: 5; required`; in brackets, a default may hold a semicolon."""

_EXAMPLES = (
    ("Process 50 sounds; without an API key, from the embedded sandbox:", "harvester harvest"),
    ("See what the library holds:", "harvester status"),
    ("Draw it as a page for a browser:", "harvester map -o map.html"),
    ("Export what is in the public domain as a table:", "harvester export csv --license CC0 -o sounds.csv"),
)


def manual_page() -> str:
    """Return the page. It changes only with what it is made from: its date is that of the latest release."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    command = typer.main.get_command(app)
    date = _RELEASE.search((ROOT / "harvester/CHANGELOG.md").read_text(encoding="utf-8"))
    assert date is not None, "the changelog names no release"
    yield r".\" Made by `make manual` from the commands and the guide: change those."
    # No paragraph is justified and no word is hyphenated: an option must be found by a search.
    yield from (".nh", ".ad l")
    yield f'.TH HARVESTER 1 {date[1]} "harvester {__version__}" "User Commands"'
    purpose, _, more = (command.help or "").partition("\n\n")
    yield from (".SH NAME", f"harvester \\- {_text(purpose[0].lower() + purpose[1:].rstrip('.'))}")
    yield from (".SH SYNOPSIS", r".B harvester", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]")
    yield from (".SH DESCRIPTION", _text(more))
    context = typer.Context(command, info_name="harvester", **command.context_settings)
    yield from (".SH OPTIONS", *_parameters(command, context), ".SH COMMANDS")
    yield r"Each of them also takes \fB\-h\fR and \fB\-\-help\fR."
    for name, child in _commands_of(command, "harvester"):
        yield from _command(name, child)
    yield from (".SH EXIT STATUS", *_pairs((str(one.code), one.meaning) for one in exit_code_table()))
    yield from (".SH ENVIRONMENT", *_pairs(_table("settings", "variable")))
    yield from (".SH FILES", *_pairs(_table("installation", "file")))
    yield ".SH EXAMPLES"
    for what, line in _EXAMPLES:
        yield from (".TP", _text(what), _text(f"`{line}`"))
    topics = ", ".join(guide_topics())
    yield from (".SH SEE ALSO", _text("`harvester guide` explains it topic by topic: ") + _text(f"{topics}."))


def _commands_of(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give each command that is not hidden, with its full name; a group before its commands."""
    for name, child in group.commands.items():
        if not child.hidden:
            yield f"{path} {name}", child
            if hasattr(child, "commands"):
                yield from _commands_of(child, f"{path} {name}")


def _command(name: str, command: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f".SS {_text(name)} {_text(usage)}"
    first, *further = (command.help or "").split("\n\n")
    yield _text(" ".join(first.split()))
    for paragraph in further:
        yield from (".PP", _text(" ".join(paragraph.split())))
    if not hasattr(command, "commands"):
        yield from _parameters(command, context, command.params)


def _parameters(command: Any, context: Any, parameters: Any = None) -> Iterator[str]:
    """Give the arguments and options, with the texts of `--help`; by default all, with `--help` itself."""
    for parameter in command.get_params(context) if parameters is None else parameters:
        record = parameter.get_help_record(context)
        if record is None:
            continue
        names, help = record
        text, _, facts = help.partition("  [")  # as click joins them
        sentences = [text, *map(_fact, _FACT.findall(facts.removesuffix("]")))]
        yield from (".TP", _names(names), _text(" ".join(sentences)))


def _fact(fact: str) -> str:
    """Return a fact of an option as a sentence: its default, its range, that it is required."""
    fact = fact.strip()
    bounds = re.fullmatch(r"(-?\d+)<=x<=(\d+)", fact)
    if bounds:
        return f"From {int(bounds[1]):,} to {int(bounds[2]):,}."
    default = re.fullmatch(r"default: \(?(.+?)\)?", fact)
    return f"Default: {default[1]}." if default else f"{fact.capitalize()}."


def _names(names: str) -> str:
    """Return names and values of an option: names are bold, values are italic."""
    marked = [
        f"\\fB{_escaped(word)}\\fR" if word.startswith("-") else f"\\fI{_escaped(word)}\\fR"
        for word in re.split(r"(?:, | / | )", names)
    ]
    between = re.findall(r", | / | ", names)
    return "".join(word + gap for word, gap in zip(marked, [*between, ""], strict=True))


def _table(topic: str, heading: str) -> Iterator[tuple[str, str]]:
    """Give the rows of the table with this heading in a topic of the guide."""
    _, _, rest = guide_topics()[topic].partition(f"| {heading} |")
    rows = rest.split("\n\n")[0]
    assert rows, f"the topic {topic} has no table of each {heading}"
    yield from _ROW.findall(rows.partition("| --- | --- |")[2])


def _pairs(rows: Any) -> Iterator[str]:
    for name, meaning in rows:
        bare = name.replace("`", "")
        yield from (".TP", f"\\fB{_escaped(bare)}\\fR", _text(meaning))


def _text(markdown: str) -> str:
    """Return one paragraph: code is bold, of a link only its words stay."""
    out, place = "", 0
    for mark in _MARK.finditer(markdown):
        out += _escaped(markdown[place : mark.start()])
        out += f"\\fB{_escaped(mark[1])}\\fR" if mark[1] else _escaped(mark[2])
        place = mark.end()
    out += _escaped(markdown[place:])
    return f"\\&{out}" if out.startswith((".", "'")) else out


def _escaped(text: str) -> str:
    text = (
        text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga").replace("~", r"\(ti")
    )
    return re.sub(r"[^\x00-\x7f]", lambda letter: rf"\[u{ord(letter[0]):04X}]", text)

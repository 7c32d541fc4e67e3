"""Complete a command line: values of options, the answer to a shell.

A person waits for the answer while typing. So a library at hand is read only if its files are small, and a failure
gives no words instead of a message. The words of a library may come from anyone, and zsh evaluates what it is given:
only plain words are offered.
"""

from __future__ import annotations

import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import typer

from harvester.cli.console import print_document
from harvester.terminal_text import escape_paragraph

MOST_WORDS = 200
_VARIABLE = "_HARVESTER_COMPLETE"
_PLAIN = re.compile(r"\w[\w +.,/&-]*")
_SPECIAL_IN_BASH = re.compile(r"[^\w+./:@,\n-]")


def completing(names: str | Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return the completion of an option whose metavar is `a|b|c`."""

    def complete(incomplete: str) -> list[str]:
        offered = names.split("|") if isinstance(names, str) else names()
        return [name for name in offered if name.startswith(incomplete)]

    return complete


def complete_backup(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the library's backups, newest first."""
    from harvester.actions import backup_names

    return [name for name in backup_names(context.params.get("library")) if name.startswith(incomplete)]


def complete_license(context: typer.Context, incomplete: str) -> list[str]:
    """Return the library's licenses; all of Freesound's if it is not read."""
    from harvester.records import LICENSES, license_name

    names = list(map(license_name, _values(context, "license")))
    families = [name.split(" ")[0] for name in names]
    return _commonest([*families, *names], incomplete) or [
        license.short_name for license in LICENSES if license.short_name.startswith(incomplete)
    ]


def complete_category(context: typer.Context, incomplete: str) -> list[str]:
    """Return the library's categories and subcategories by frequency."""
    return _commonest([*_values(context, "category"), *_values(context, "subcategory")], incomplete)


def complete_tag(context: typer.Context, incomplete: str) -> list[str]:
    """Return the tags in the library, the most frequent first."""
    return _commonest((tag for tags in _values(context, "tags") for tag in tags), incomplete)


def complete_user(context: typer.Context, incomplete: str) -> list[str]:
    """Return the users in the library, those with the most sounds first."""
    return _commonest(_values(context, "username"), incomplete)


def asking_shell(environment: Mapping[str, str] = os.environ) -> str:
    """Return the shell that asks for completion; empty if none does."""
    instruction, _, shell = environment.get(_VARIABLE, "").partition("_")
    return shell if instruction == "complete" else ""


def completion_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether a shell asks for words, or for the script that asks."""
    return bool(environment.get(_VARIABLE))


def answer_shell(shell: str, run: Callable[[], object]) -> int:
    """Run the completion, print its words, and return the exit code.

    If it fails, there are no words and no message: either would land in the line that the person is typing.
    """
    words, code = io.StringIO(), 0
    try:
        with redirect_stdout(words), redirect_stderr(io.StringIO()):
            run()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except Exception:  # also a bug: it is reported where the command itself runs
        return 1
    text = words.getvalue()
    print_document([_quoted_for_bash(text) if shell == "bash" else text], escape_paragraph)
    return code


def _quoted_for_bash(words: str) -> str:
    """Return words as bash inserts them; the other shells quote alone."""
    given = os.environ.get("COMP_WORDS", "").split("\n")
    place = os.environ.get("COMP_CWORD", "")
    within_quotes = place.isdecimal() and int(place) < len(given) and given[int(place)].startswith(('"', "'"))
    return words if within_quotes else _SPECIAL_IN_BASH.sub(r"\\\g<0>", words)


def _commonest(words: Iterable[str], incomplete: str) -> list[str]:
    counts = Counter(word for word in words if word.startswith(incomplete) and _PLAIN.fullmatch(word))
    return [word for word, _ in counts.most_common(MOST_WORDS)]


def _values(context: typer.Context, field: str) -> Iterator[Any]:
    from harvester.actions import values_in

    return values_in(context.params.get("library"), field)

"""Shell completion: the values that options offer, and the answer to a shell.

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
from typing import TYPE_CHECKING, Any

import typer

from harvester.cli.console import print_document
from harvester.errors import HarvesterError
from harvester.terminal_text import escape_paragraph

if TYPE_CHECKING:
    from harvester.graph import Selected

LARGEST_BYTES = 4_000_000
"""A checkpoint, backup or journal up to this size is read: about 8,000 sounds, in 1.1 s of processor time."""

MOST_WORDS = 200
_VARIABLE = "_HARVESTER_COMPLETE"
_PLAIN = re.compile(r"\w[\w +.,/&-]*")
_SPECIAL_IN_BASH = re.compile(r"[^\w+./:@,\n-]")


def completing(names: str) -> Callable[[str], list[str]]:
    """Return the shell completion of an option with these values, spelled as its metavar: `a|b|c`."""
    return lambda incomplete: [name for name in names.split("|") if name.startswith(incomplete)]


def complete_backup(context: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the library's backups, newest first."""
    from harvester.cli.default_library import find_library
    from harvester.library import list_backups

    names = (backup.path.name for backup in list_backups(find_library(context.params.get("library"))))
    return [name for name in names if name.startswith(incomplete)]


def complete_license(context: typer.Context, incomplete: str) -> list[str]:
    """Return the licenses in the library; all that Freesound has if the library is not read."""
    from harvester.records import LICENSES, license_name

    names = list(map(license_name, _values(context, "license")))
    families = [name.split(" ")[0] for name in names]
    return _commonest([*families, *names], incomplete) or [
        license.short_name for license in LICENSES if license.short_name.startswith(incomplete)
    ]


def complete_category(context: typer.Context, incomplete: str) -> list[str]:
    """Return the categories and subcategories in the library, the most frequent first."""
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
    """Return words as bash must insert them: the other shells quote by themselves."""
    given = os.environ.get("COMP_WORDS", "").split("\n")
    place = os.environ.get("COMP_CWORD", "")
    within_quotes = place.isdecimal() and int(place) < len(given) and given[int(place)].startswith(('"', "'"))
    return words if within_quotes else _SPECIAL_IN_BASH.sub(r"\\\g<0>", words)


def _commonest(words: Iterable[str], incomplete: str) -> list[str]:
    counts = Counter(word for word in words if word.startswith(incomplete) and _PLAIN.fullmatch(word))
    return [word for word, _ in counts.most_common(MOST_WORDS)]


def _values(context: typer.Context, field: str) -> Iterator[Any]:
    """Give a field of each sound of the library at hand; nothing where it is too large, or cannot be read."""
    from harvester.records import value_of

    try:
        selected = _load_small(context)
    except (HarvesterError, OSError):  # the command itself reports it
        return
    if selected is None:
        return
    for sound_id in selected.sound_ids:
        value = value_of(selected.state.graph.nodes[sound_id], field)
        if value is not None:
            yield value


def _load_small(context: typer.Context) -> Selected | None:
    """Return the sounds of the library at hand, or None if a file that might be read is too large."""
    from harvester.cli.default_library import find_library
    from harvester.graph import select
    from harvester.library import list_backups, load_view
    from harvester.storage import CHECKPOINT, JOURNAL_PARTS

    folder = find_library(context.params.get("library"))
    read = [folder / name for name in (CHECKPOINT, *JOURNAL_PARTS)]
    sizes_bytes = [path.stat().st_size for path in read if path.is_file()]
    # A missing or corrupt checkpoint is replaced by a backup.
    sizes_bytes += [backup.size_bytes for backup in list_backups(folder)]
    return select(load_view(folder).state) if max(sizes_bytes, default=0) <= LARGEST_BYTES else None

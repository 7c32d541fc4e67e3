"""Ask before a command does what a person may regret.

Owns the options `--dry-run` and `--yes`, when a command asks, what it does without a terminal, and which answers mean
yes. A question comes after the lines that say what would be done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from harvester.cli.console import note
from harvester.cli.terminal import ask_line, has_terminal, output_on_stderr
from harvester.errors import NotConfirmed, SettingsError

T = TypeVar("T")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do it without a question.")]

_YES = {"y", "yes"}


def with_consent(
    change: Callable[[bool], T],
    show: Callable[[T], None],
    question: Callable[[T], str],
    *,
    dry_run: bool,
    yes: bool,
    final: bool,
) -> T:
    """Do `change` once the person agrees; show and return its report.

    `change(True)` is a dry run. `question` returns what to ask, or an empty text where nothing needs an answer. Without
    a terminal, a change that is `final`, because nothing brings back what it removes, needs `yes`; any other is done.

    Raises `NotConfirmed` after any answer but yes, and `SettingsError` for a final change without a terminal or `yes`;
    then nothing was changed.
    """
    if not (dry_run or yes) and (final or has_terminal()):
        planned = change(True)
        asked = question(planned)
        if asked and has_terminal():
            # Only what was done belongs to the output.
            with output_on_stderr():
                show(planned)
            if ask_line(f"{asked} [y/N] ").strip().casefold() not in _YES:
                raise NotConfirmed("not confirmed; nothing was changed")
        elif asked:
            raise SettingsError(
                f"{asked} This cannot be undone: confirm it with --yes, or see what it does with --dry-run; "
                "nothing was changed"
            )
    report = change(dry_run)
    if dry_run:
        note("dry run: this is what would be done, and nothing is changed")
    show(report)
    return report

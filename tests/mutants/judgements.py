"""Mutants that no test can or should notice: the list in `judgements.toml`, with a reason for each.

A mutant is known by its function and by the lines it changes, not by its number, which moves with every edit.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.mutants.groups import GROUPS
from tests.mutants.results import Mutant

LISTED = Path(__file__).with_name("judgements.toml")
ANY = "*"
"""As `was`: whichever lines of the function are changed."""
LETTER_CASE = "letter case"
"""As `now`: any change of capital letters to small ones, or back, and of nothing else."""
Kind = Literal["equivalent", "accepted"]
_KINDS: dict[str, Kind] = {"equivalent": "equivalent", "accepted": "accepted"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A change that survives: `equivalent` behaves like the original, `accepted` differs but costs no user anything."""

    group: str
    function: str
    was: str
    now: str
    kind: Kind
    reason: str

    def concerns(self, group: str, mutant: Mutant) -> bool:
        """Tell whether `mutant` is the listed change."""
        if (self.group, self.function) != (group, mutant.function) or self.was not in (mutant.was, ANY):
            return False
        return self.now == mutant.now or (self.now == LETTER_CASE and mutant.was.lower() == mutant.now.lower())

    def __str__(self) -> str:
        return f"{self.group} {self.function}: {self.was!r} -> {self.now!r}"


def read_judgements(path: Path = LISTED) -> list[Judgement]:
    """Return the listed changes: a `now` with several texts is several changes of the same lines."""
    found: list[Judgement] = []
    for kind, entries in tomllib.loads(path.read_text(encoding="utf-8")).items():
        if kind not in _KINDS:
            raise ValueError(f"{path.name}: {kind!r} is neither equivalent nor accepted")
        for entry in entries:
            if entry["group"] not in {group.name for group in GROUPS} or not entry["reason"].strip():
                raise ValueError(f"{path.name}: an entry without a known group or without a reason: {entry}")
            texts = entry["now"] if isinstance(entry["now"], list) else [entry["now"]]
            found += [
                Judgement(entry["group"], entry["function"], entry["was"], text, _KINDS[kind], entry["reason"])
                for text in texts
            ]
    return found


def outdated(judgements: list[Judgement], group: str, mutants: list[Mutant]) -> list[str]:
    """Return a line for each listed change of `group` that no longer exists or that a test notices by now."""
    lines = []
    for judgement in judgements:
        if judgement.group != group:
            continue
        concerned = [mutant for mutant in mutants if judgement.concerns(group, mutant)]
        if not concerned:
            lines.append(f"no longer exists: {judgement}")
        elif all(mutant.killed for mutant in concerned):
            lines.append(f"is killed by now: {judgement}")
    return lines

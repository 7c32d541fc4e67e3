"""Read what mutmut left in a group's folder: its mutants, what each changes, and whether a test noticed."""

from __future__ import annotations

import ast
import difflib
import json
from dataclasses import dataclass
from pathlib import Path

_KILLED = {1, 3}
_TIMED_OUT = {36, -24, 24, 152, 255, -9, -11}
_SURVIVED, _UNREACHED = {0}, {5, 33}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function, by the lines it replaces; `end` is how its tests ended."""

    function: str
    was: str
    now: str
    end: int | None

    @property
    def killed(self) -> bool:
        """Tell whether a test noticed, or ran without end."""
        return self.end in _KILLED or self.timed_out

    @property
    def timed_out(self) -> bool:
        """Tell whether its tests had to be stopped."""
        return self.end in _TIMED_OUT

    @property
    def unreached(self) -> bool:
        """Tell whether no near test calls its function."""
        return self.end in _UNREACHED


def read_mutants(mutated: Path) -> list[Mutant]:
    """Return the mutants of one mutated file. Raises `ValueError` for one whose tests did not run to an end."""
    ends: dict[str, int | None] = json.loads(Path(f"{mutated}.meta").read_text(encoding="utf-8"))["exit_code_by_key"]
    text = mutated.read_text(encoding="utf-8")
    lines, spans = text.splitlines(), {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut_" in node.name:
            spans[node.name] = lines[node.lineno - 1 : node.end_lineno]
    found = []
    for key, end in ends.items():
        name = key.rpartition(".")[2]
        mutant = _mutant(name, spans[f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"], spans[name], end)
        if not (mutant.killed or mutant.unreached or end in _SURVIVED):
            raise ValueError(f"{key}: its tests ended with {end}, which is neither a pass nor a failure")
        found.append(mutant)
    return found


def _mutant(name: str, original: list[str], changed: list[str], end: int | None) -> Mutant:
    # The first line holds the function's own name, which mutmut changes.
    compared = list(difflib.ndiff(original[1:], changed[1:]))
    was, now = ("\n".join(line[2:].strip() for line in compared if line.startswith(sign)) for sign in ("- ", "+ "))
    if original[0].rpartition("(")[2] != changed[0].rpartition("(")[2]:
        was, now = f"{original[0].rpartition('(')[2]}\n{was}", f"{changed[0].rpartition('(')[2]}\n{now}"
    function = name.rpartition("__mutmut_")[0].removeprefix("x").removeprefix("_").replace("ǁ", ".").strip(".")
    return Mutant(function, was.strip(), now.strip(), end)

"""The Python blocks of a topic of the guide, as the cells that a reader runs one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", re.DOTALL | re.MULTILINE)
_CELL_ENDED = "== a cell has ended =="


@dataclass(frozen=True)
class Cell:
    """A block of code, and the block of text below it: what it prints, where `…` stands for any text."""

    code: str
    output: str

    def check(self, printed: str) -> None:
        """Raise AssertionError unless the cell prints what the page shows; blanks at the end of a line do not count."""
        shown, found = (
            "\n".join(line.rstrip() for line in text.strip().splitlines()) for text in (self.output, printed)
        )
        pattern = ".*".join(map(re.escape, shown.split("…")))
        assert re.fullmatch(pattern, found, re.DOTALL), f"{self.code}\nshould print\n{shown}\nand prints\n{found}"


def read_cells(page: Path) -> list[Cell]:
    """Return the cells of a page, in order."""
    return [Cell(code, output) for code, output in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def as_script(cells: list[Cell]) -> str:
    """Return the script that the page tells a reader to make of its cells; it prints a line after each cell."""
    body = "\n".join(f"{cell.code}\nprint({_CELL_ENDED!r})" for cell in cells)
    return f"import asyncio\n\n\nasync def main() -> None:\n{indent(body, '    ')}\n\n\nasyncio.run(main())\n"


def split_output(printed: str) -> list[str]:
    """Return what each cell of a script printed."""
    *outputs, rest = printed.split(f"{_CELL_ENDED}\n")
    assert rest == ""
    return outputs

"""A table fits the terminal; elsewhere nothing of it is cut."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from harvester.cli.tables import table_lines


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(columns: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None = None, most: int = 9) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        if width is not None:
            patch.setattr(sys, "stdout", Terminal())
            patch.setenv("COLUMNS", str(width))
        return table_lines(columns, rows, most)


ROWS = [
    (7, "a long name of a sound", ["rain", "wind"], None, 0.1 + 0.2, True),
    (12345, "東京", [], datetime(2020, 2, 1, 1, tzinfo=UTC), 2.0, False),
]
COLUMNS = ("id", "name", "tags", "at", "score", "ok")


def test_numbers_stand_right_and_nulls_lists_and_times_have_their_own_form() -> None:
    assert drawn(COLUMNS, ROWS) == [
        "   id  name                    tags          at                    score  ok",
        "─────  ──────────────────────  ────────────  ────────────────────  ─────  ─────",
        "    7  a long name of a sound  [rain, wind]  NULL                    0.3  true",
        "12345  東京                    []            2020-02-01 01:00:00Z      2  false",
    ]


def test_the_widest_columns_are_cut_first() -> None:
    lines = drawn(COLUMNS, ROWS, width=64)
    assert lines[2] == "    7  a long name …  [rain, wind]  NULL             0.3  true"
    assert drawn(COLUMNS, ROWS, width=56)[3] == "12345  東京        []          2020-02-0…      2  false"


def test_a_row_is_a_block_of_lines_where_no_column_would_be_readable() -> None:
    lines = drawn(COLUMNS, ROWS, width=30)
    assert lines[:4] == ["── row 1", "id     7", "name   a long name of a sound", "tags   [rain, wind]"]
    assert len(lines) == 14


def test_no_more_rows_are_drawn_than_asked() -> None:
    assert len(drawn(("n",), [(number,) for number in range(50)], most=9)) == 11
    assert drawn(("n",), []) == ["n", "─"]


def test_a_plan_keeps_its_lines() -> None:
    assert drawn(("explain_key", "explain_value"), [("physical_plan", "a\nb\n")], width=40) == ["a", "b"]


CELLS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=60), st.lists(st.text()))


@given(st.data(), st.integers(1, 12), st.integers(20, 120))
def test_no_line_is_wider_than_the_terminal(data: st.DataObject, count: int, width: int) -> None:
    columns = data.draw(st.lists(st.text(min_size=1, max_size=40), min_size=count, max_size=count))
    rows = data.draw(st.lists(st.lists(CELLS, min_size=count, max_size=count), max_size=4))
    lines = drawn(columns, rows, width)
    assert all(cell_len(line) <= width for line in lines), lines
    assert not any("\n" in line for line in lines)

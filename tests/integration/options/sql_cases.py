"""What the options of `sql` are for: which statement on which part of a library, in which form, into which file."""

from __future__ import annotations

import csv
import json
from typing import Any

from tests.integration.options.export_cases import LISTED, SELECTED
from tests.integration.options.place import Place
from tests.integration.options.table import proves

IDS = "SELECT id FROM sounds ORDER BY id"
EDGES = "SELECT count(*) AS edges FROM edges"


def _rows(place: Place, statement: str, given: Any = None) -> list[dict[str, Any]]:
    told = place.run(statement, "--format", "json", "--library", "shelf", given=given).out
    rows: list[dict[str, Any]] = json.loads(told)
    return rows


@proves("sql", *SELECTED)
def _only_these_sounds_are_in_the_tables(place: Place) -> None:
    value, expected = SELECTED[place.option]
    (place.folder / "listed.csv").write_text(LISTED)
    assert [row["id"] for row in _rows(place, IDS, value)] == expected


@proves("sql", "--column")
def _the_sounds_of_this_column_are_in_the_tables(place: Place) -> None:
    (place.folder / "listed.csv").write_text(LISTED)
    told = place.run(IDS, "--format", "csv", "--library", "shelf", "--ids", "listed.csv", given="fname").out
    assert told.split() == ["id", "3", "4", "5"]


@proves("sql", "--edges")
def _edges_of_these_kinds_are_in_the_tables(place: Place) -> None:
    assert [_rows(place, EDGES, kind) for kind in ("similar", "relation")] == [[{"edges": 13}], [{"edges": 0}]]


@proves("sql", "--min-score")
def _only_these_edges_are_in_the_tables(place: Place) -> None:
    assert [_rows(place, EDGES, score) for score in (0.5, 0.95)] == [[{"edges": 13}], [{"edges": 0}]]


@proves("sql", "--library")
def _this_library_is_asked(place: Place) -> None:
    assert place.run(EDGES, given="shelf").out.split() == ["edges", "─────", "13"]


@proves("sql", "statement")
def _the_statement_is_run_and_without_one_the_columns_are_listed(place: Place) -> None:
    assert place.run(EDGES, "--library", "shelf").out.split() == ["edges", "─────", "13"]
    listed = [line.split() for line in place.run("--library", "shelf").out.splitlines()]
    assert listed[0] == ["table", "column", "type"]
    assert ["edges", "kind", "VARCHAR"] in listed
    wrong = place.run("SELECT nam FROM sounds", "--library", "shelf", code=2)
    assert wrong.err.startswith('harvester: Binder Error: Referenced column "nam" not found in FROM clause! ')


@proves("sql", "--format")
def _the_rows_have_this_form(place: Place) -> None:
    statement = "SELECT id, NULL AS n, tags FROM sounds WHERE id = 1"
    told = {form: place.run(statement, "--library", "shelf", given=form).out for form in ("table", "csv", "json")}
    assert told["table"].splitlines()[-1] == " 1  NULL  [rain, tag1]"
    assert told["csv"] == "id,n,tags\n1,,rain|tag1\n"
    assert json.loads(told["json"]) == [{"id": 1, "n": None, "tags": ["rain", "tag1"]}]


@proves("sql", "--output", "-o")
def _the_rows_are_written_there(place: Place) -> None:
    assert place.run(IDS, "--library", "shelf", given="out.csv").out == ""
    with (place.folder / "out.csv").open(encoding="utf-8", newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == [str(one) for one in range(1, 11)]
    place.run(IDS, "--library", "shelf", "--format", "json", given="out.txt")
    assert len(json.loads((place.folder / "out.txt").read_text())) == 10
    refused = place.run(IDS, "--library", "shelf", given="out.xlsx", code=2)
    assert "--format must be csv or json, or the file must end in .csv or .json" in refused.err

"""A SQL statement reads three tables of the library and reaches nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from harvester.errors import SettingsError
from harvester.exports import SqlResult, query
from harvester.graph import Selected, Selection, select
from harvester.model import Related
from tests.support.view_samples import NOW_US, make_library


@pytest.fixture(scope="module")
def ask() -> Callable[..., SqlResult]:
    state = make_library()
    state.apply(Related(1, 2, "same user", NOW_US, 0.5))

    def asked(statement: str = "", selected: Selected | None = None) -> SqlResult:
        return query(select(state) if selected is None else selected, statement)

    return asked


Ask = Callable[..., SqlResult]


def test_without_a_statement_the_rows_are_the_columns_of_the_tables(ask: Ask) -> None:
    rows = list(ask())
    assert list(dict.fromkeys(table for table, *_ in rows)) == ["sounds", "edges", "tags"]
    assert rows[0] == ("sounds", "id", "BIGINT")
    assert [row[1:] for row in rows if row[0] == "edges"] == [
        ("source", "BIGINT"), ("target", "BIGINT"), ("kind", "VARCHAR"), ("score", "DOUBLE"), ("weight", "DOUBLE"),
    ]  # fmt: skip
    assert [row[1:] for row in rows if row[0] == "tags"] == [("sound_id", "BIGINT"), ("tag", "VARCHAR")]


READS: dict[str, list[tuple[Any, ...]]] = {
    "SELECT id, tags, created, timbre_bpm FROM sounds WHERE id = 5": [
        (5, ["rain", "tag2"], datetime(2012, 10, 21, 14, 54, 11, tzinfo=UTC), 120),
    ],
    "SELECT name, tags, fetched_at FROM sounds WHERE id = 11": [(None, None, None)],
    "SELECT kind, score, weight FROM edges WHERE source = 1 AND target = 2 ORDER BY kind": [
        ("relation:same user", None, 0.5), ("similar", 0.9, None),
    ],
    "SELECT tag, count(*) FROM tags GROUP BY tag ORDER BY 2 DESC, 1 LIMIT 2;": [("rain", 9), ("tag0", 3)],
    "SELECT sum(num_downloads) a, avg(0.5) AS a FROM sounds -- all": [(550, 0.5)],
    "WITH near AS (SELECT target FROM edges WHERE source = 7) SELECT * FROM near ORDER BY 1": [(8,), (11,)],
    "FROM tags SELECT tag WHERE sound_id = 1": [("rain",), ("tag1",)],
    "SHOW TABLES": [("edges",), ("sounds",), ("tags",)],
    "SELECT column_name FROM (DESCRIBE tags)": [("sound_id",), ("tag",)],
    "VALUES (1, NULL)": [(1, None)],
    "SELECT current_setting('TimeZone')": [("UTC",)],
}  # fmt: skip


@pytest.mark.parametrize("statement", READS)
def test_a_statement_that_reads_gives_its_rows(ask: Ask, statement: str) -> None:
    assert list(ask(statement)) == READS[statement]


REFUSED = {
    "SELEC 1": 'Parser Error: syntax error at or near "SELEC"',
    "SELECT nam FROM sounds": '"nam" not found in FROM clause! Candidate bindings: "name"',
    "SELECT * FROM elsewhere": "`harvester sql` lists the tables and columns",
    "SELECT 1; SELECT 2": "give one SQL statement, not 2",
    "-- nothing": "give one SQL statement, not an empty text",
    "SELECT error('two\nlines')": "two lines",
    "SELECT 'infinity'::DATE": "CAST its column to VARCHAR",
    "SELECT '\udc80'": "not valid UTF-8",
    # what a statement must not reach
    "SELECT * FROM read_text('{file}')": "reads the tables sounds, edges and tags, nothing else",
    "SELECT * FROM '{file}'": "reads the tables sounds, edges and tags, nothing else",
    "SELECT * FROM glob('{folder}/*')": "reads the tables sounds, edges and tags, nothing else",
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'": "reads the tables sounds, edges and tags, nothing else",
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')": "reads the tables sounds, edges and tags",
    "SELECT * FROM selected": "Table with name selected does not exist",
    "COPY sounds TO '{folder}/out.csv'": "COPY is not a statement that only reads",
    "EXPORT DATABASE '{folder}/out'": "EXPORT is not a statement that only reads",
    "ATTACH '{folder}/out.db'": "ATTACH is not a statement that only reads",
    "INSTALL httpfs": "is not a statement that only reads",
    "LOAD httpfs": "is not a statement that only reads",
    "SET enable_external_access = true": "SET is not a statement that only reads",
    "INSERT INTO tags VALUES (1, 'x')": "INSERT is not a statement that only reads",
    "CREATE TEMP TABLE t AS SELECT 1": "CREATE is not a statement that only reads",
    "DROP TABLE sounds": "DROP is not a statement that only reads",
    "EXPLAIN ANALYZE DELETE FROM sounds": "read-only mode",
    "EXPLAIN ANALYZE COPY sounds TO '{folder}/out.csv'": "",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_that_is_wrong_or_reaches_further_is_one_line(ask: Ask, statement: str, tmp_path: Path) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a\n1\n")
    with pytest.raises(SettingsError) as raised:
        list(ask(statement.format(file=file, folder=tmp_path)))
    assert REFUSED[statement] in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "LINE 1" not in str(raised.value)
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]


def test_only_the_selection_is_in_the_tables(ask: Ask) -> None:
    selected = select(make_library(), Selection(users=("user1",)))
    counts = "SELECT (SELECT count(*) FROM sounds), (SELECT count(*) FROM edges), (SELECT count(*) FROM tags)"
    assert list(ask(counts, selected)) == [(4, 0, 9)]
    assert list(ask(counts, Selected(make_library(), []))) == [(0, 0, 0)]


def test_the_result_is_a_table_for_other_programs(ask: Ask) -> None:
    result = ask("SELECT id, id AS id, created FROM sounds ORDER BY 1 LIMIT 3")
    assert result.columns == ("id", "id_2", "created")
    assert result.types == ("BIGINT", "BIGINT", "TIMESTAMP WITH TIME ZONE")
    assert (len(result), repr(result)) == (3, "<SqlResult 3 rows × 3 columns>")
    assert result.to_arrow().column("id").to_pylist() == [1, 2, 3]
    assert pl.DataFrame(result)["id_2"].to_list() == [1, 2, 3]
    assert str(pd.DataFrame.from_arrow(result)["created"].dtype) == "datetime64[us, UTC]"


def test_values_have_one_form_in_csv_and_in_json(ask: Ask) -> None:
    result = ask(
        "SELECT 1 AS i, NULL AS n, ['a', 'b'] AS l, [1, NULL] AS m, {'k': 0.5::DOUBLE, 'd': DATE '2020-02-01'} AS s,"
        " TIMESTAMPTZ '2020-02-01 01:00:00+01' AS t, TIMESTAMP '2020-02-01 01:00:00.5' AS u, '=1+1' AS f,"
        " 1.25::DECIMAL(5, 2) AS d, 'x''y,\"z\"' AS q, true AS b, 2::HUGEINT ** 100 AS h, 'ab'::BLOB AS y,"
        " 'nan'::DOUBLE AS e, INTERVAL '14 months 3 days 1.5 s' AS v"
    )
    header, row = "".join(result.text("csv")).splitlines()
    assert header == "i,n,l,m,s,t,u,f,d,q,b,h,y,e,v"
    assert row == (
        '1,,a|b,"[1,null]","{""k"":0.5,""d"":""2020-02-01""}",2020-02-01T00:00:00Z,2020-02-01T01:00:00.500000,'
        '\'=1+1,1.25,"x\'y,""z""",true,1.2676506002282294e+30,6162,,'
        "P14M3DT1.5S"
    )
    (value,) = json.loads("".join(result.text("json")))
    assert value["l"] == ["a", "b"]
    assert value["s"] == {"k": 0.5, "d": "2020-02-01"}
    assert [value[name] for name in "intfdb"] == [1, None, "2020-02-01T00:00:00Z", "=1+1", 1.25, True]
    assert value["e"] is None
    assert json.loads("".join(ask("SELECT 1 WHERE false").text("json"))) == []

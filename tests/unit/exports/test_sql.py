"""A SQL statement reads three tables of the library and reaches nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from harvester.errors import SettingsError
from harvester.exports import SqlResult, query, query_tables, write_tables
from harvester.graph import Selected, Selection, select
from harvester.index import IndexUnusable
from harvester.model import Related
from harvester.storage import opened
from tests.support.view_samples import NOW_US, make_library

Ask = Callable[..., SqlResult]


@pytest.fixture(scope="module")
def whole() -> Selected:
    state = make_library()
    state.apply(Related(1, 2, "same user", NOW_US, 0.5))
    return select(state)


@pytest.fixture(scope="module")
def tables(whole: Selected, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the tables of the library."""
    path = tmp_path_factory.mktemp("tables") / "it's kept.duckdb"
    write_tables(path, whole)
    return path


@pytest.fixture(scope="module", params=["in memory", "in a file"])
def ask(request: pytest.FixtureRequest, whole: Selected, tables: Path) -> Ask:
    def ask_memory(statement: str = "", selected: Selected | None = None) -> SqlResult:
        return query(whole if selected is None else selected, statement)

    def ask_file(statement: str = "", selected: Selected | None = None) -> SqlResult:
        if selected is None:
            return ask_tables(tables, statement)
        with TemporaryDirectory() as folder:
            write_tables(Path(folder, "other.duckdb"), selected)
            return ask_tables(Path(folder, "other.duckdb"), statement)

    return ask_memory if request.param == "in memory" else ask_file


def ask_tables(path: Path, statement: str) -> SqlResult:
    with opened(path) as descriptor:
        return query_tables(path, descriptor, statement)


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


NOTHING_ELSE = "a statement reads the tables sounds, edges and tags, nothing else"
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
    "SELECT * FROM read_text('{file}')": NOTHING_ELSE,
    "SELECT * FROM '{file}'": NOTHING_ELSE,
    "SELECT * FROM glob('{folder}/*')": NOTHING_ELSE,
    "SELECT * FROM 'http://127.0.0.1:1/x.parquet'": NOTHING_ELSE,
    "SELECT * FROM query('SELECT * FROM read_text(''{file}'')')": NOTHING_ELSE,
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
    "EXPLAIN ANALYZE DELETE FROM sounds": f"{NOTHING_ELSE} (it would write, in a transaction in read-only mode)",
    "EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1": f"{NOTHING_ELSE} (it would write",
    "EXPLAIN ANALYZE DROP TABLE tags": f"{NOTHING_ELSE} (it would write",
    "EXPLAIN ANALYZE COPY sounds TO '{folder}/out.csv'": NOTHING_ELSE,
    "EXPLAIN ANALYZE COPY sounds TO '/dev/stdout'": NOTHING_ELSE,
    # the file of the tables itself, and those that DuckDB knows beside it
    "SELECT * FROM read_blob('{tables}')": NOTHING_ELSE,
    "SELECT * FROM read_text('{tables}.wal')": NOTHING_ELSE,
    "SELECT * FROM read_text('{tables}.wal.recovery')": NOTHING_ELSE,
    "SELECT * FROM read_text('{tables}.wal.checkpoint')": NOTHING_ELSE,
    "SELECT * FROM glob('{tables}*')": NOTHING_ELSE,
    "SELECT * FROM sniff_csv('{tables}')": NOTHING_ELSE,
    "EXPLAIN ANALYZE COPY tags TO '{tables}'": NOTHING_ELSE,
    "EXPLAIN ANALYZE COPY tags TO '{tables}.wal'": NOTHING_ELSE,
    "EXPLAIN ANALYZE COPY tags TO '{tables}.wal.recovery'": NOTHING_ELSE,
    "EXPLAIN ANALYZE COPY tags TO '{tables}.wal.checkpoint'": NOTHING_ELSE,
}


@pytest.mark.parametrize("statement", REFUSED)
def test_a_statement_that_is_wrong_or_reaches_further_is_one_line(
    ask: Ask, statement: str, tables: Path, tmp_path: Path
) -> None:
    file, kept = tmp_path / "secret.csv", tables.read_bytes()
    file.write_text("a\n1\n")
    with pytest.raises(SettingsError) as raised:
        list(ask(statement.format(file=file, folder=tmp_path, tables=str(tables).replace("'", "''"))))
    assert (list(tables.parent.iterdir()), tables.read_bytes()) == ([tables], kept)
    assert REFUSED[statement] in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "LINE 1" not in str(raised.value)
    assert [one.name for one in tmp_path.iterdir()] == ["secret.csv"]


ALIKE = (
    "SELECT * FROM sounds", "SELECT * FROM edges", "SELECT * FROM tags", "SELECT id FROM sounds LIMIT 3 OFFSET 4",
    "SUMMARIZE sounds", "DESCRIBE sounds", "SHOW ALL TABLES", "SHOW DATABASES", "SELECT count(*) FROM memory.main.tags",
    "SELECT current_database(), current_schema()", "SELECT * FROM information_schema.tables ORDER BY 3",
    "PIVOT tags ON tag USING count(*) ORDER BY ALL", "EXPLAIN SELECT id FROM sounds WHERE id = 3",
    "SELECT id.x FROM tags",
    "SELECT * FROM other.main.tags", "SELECT count(*) FROM main.nothing", "SELECT unnest(tags) FROM sounds",
    "SELECT 1 / 'a'",
    "SELECT max(created), min(fetched_at), typeof(created) FROM sounds GROUP BY ALL ORDER BY ALL",
    "SELECT source, target FROM edges ORDER BY score DESC NULLS LAST, ALL",
    "SELECT rowid, tag FROM tags WHERE rowid < 3",
    "SELECT name, value FROM duckdb_settings() WHERE name <> 'allowed_paths' ORDER BY 1",
)  # fmt: skip


@pytest.mark.parametrize("statement", ALIKE)
def test_a_statement_cannot_tell_where_the_tables_are(whole: Selected, tables: Path, statement: str) -> None:
    def outcome(ask: Callable[[], SqlResult]) -> tuple[Any, ...]:
        try:
            result = ask()
            return list(result), result.columns, result.types
        except SettingsError as error:
            return (str(error),)

    assert outcome(lambda: ask_tables(tables, statement)) == outcome(lambda: query(whole, statement))


def test_a_file_of_tables_is_the_users_alone_and_whole_by_itself(tables: Path) -> None:
    assert tables.stat().st_mode & 0o777 == 0o600
    assert list(tables.parent.iterdir()) == [tables]


@pytest.mark.parametrize("statement", ["SELEC 1", "DROP TABLE sounds", "SELECT 1; SELECT 2"])
def test_no_file_is_made_for_a_statement_that_does_not_read(whole: Selected, statement: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        write_tables(tmp_path / "made.duckdb", whole, statement)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_took_the_place_of_the_proven_one_is_not_asked(tables: Path, tmp_path: Path) -> None:
    twin = Path(shutil.copy(tables, tmp_path / "twin.duckdb"))
    with opened(tables) as descriptor, pytest.raises(IndexUnusable):
        query_tables(twin, descriptor, "SELECT 1")
    view = duckdb.connect(twin)
    view.execute("CREATE VIEW more AS SELECT 1")
    view.close()
    with pytest.raises(IndexUnusable):
        ask_tables(twin, "SELECT 1")
    twin.write_bytes(b"no database" * 1000)
    with pytest.raises(IndexUnusable):
        ask_tables(twin, "SELECT 1")


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

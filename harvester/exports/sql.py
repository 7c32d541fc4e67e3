"""Run one SQL statement of DuckDB on the tables of a selection.

Owns the tables (`sounds` with the columns of `export parquet`, `edges` and `tags` with those of `exports.relational`)
and what a statement may do: read them. They are in memory, or in a file that was made before; a statement cannot tell.
It runs in a transaction for reading, without files, network, extensions or other databases, and cannot change these
settings. Needs `duckdb` and `pyarrow`, which the extra `sql` installs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from harvester.errors import SettingsError
from harvester.exports.arrow import ROWS_A_BATCH, SoundRows, batches
from harvester.exports.relational import edges_by_kind, tag_rows
from harvester.exports.sql_result import SqlResult
from harvester.graph import Selected
from harvester.index import IndexUnusable

LISTING = """
    SELECT table_name AS "table", column_name AS "column", data_type AS "type" FROM duckdb_columns()
    WHERE NOT internal ORDER BY table_name <> 'sounds', table_name, column_index
"""
"""The statement that lists the tables and their columns."""

_EDGES = pa.schema(
    [
        ("source", pa.int64()),
        ("target", pa.int64()),
        ("kind", pa.string()),
        ("score", pa.float64()),
        ("weight", pa.float64()),
    ]
)
_TAGS = pa.schema([("sound_id", pa.int64()), ("tag", pa.string())])

_BEFORE: dict[str, str | bool | int | float | list[str]] = dict.fromkeys(
    ("allow_community_extensions", "autoinstall_known_extensions", "autoload_known_extensions"), "false"
)
_LOCKING = (
    "USE memory",
    "SET TimeZone = 'UTC'",
    "SET python_enable_replacements = false",  # else a statement reads variables of Python
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    # The rule above lets a statement read and write the file that the tables are in; no other file system is there.
    "SET disabled_filesystems = 'LocalFileSystem'",
    "SET lock_configuration = true",
    "BEGIN TRANSACTION READ ONLY",
)
_FILLING = ("SET temp_directory = ''", "SET memory_limit = '256MB'", "SET threads = 1")
"""DuckDB keeps as much as it may of a file in memory."""
_INSTEAD_OF_MEMORY = (
    "ATTACH ':memory:' AS other",
    "USE other",
    "DETACH memory",
    "ATTACH '{}' AS memory (READ_ONLY)",
    "USE memory",
    "DETACH other",
)
"""The file takes the name of the database in memory, so each name in a statement means what it means without it."""
_NAMES = "SELECT table_name FROM duckdb_tables() UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal"

ENGINE = f"DuckDB {duckdb.__version__}"
"""What reads a file of tables."""

_READING = {"SELECT", "EXPLAIN", "MULTI"}
"""Types of statements that read: `SHOW` and `DESCRIBE` are a SELECT, `PIVOT` is a MULTI."""

_INCOMING = "incoming_rows"
_PART_OF_ERROR = re.compile(r"\n\s*\n")
_LONGEST_ERROR = 400
_READ_ONLY = "read-only mode"
_AGAIN_S = 0.02

T = TypeVar("T")


def run_sql(selected: Selected, statement: str) -> SqlResult:
    """Return the result of a statement.

    Raises `SettingsError` with one line for a statement that does not read, that is wrong, or that reaches for more
    than the tables. An exception in the caller's thread, such as that of Ctrl-C, interrupts the statement.
    """
    with closing(duckdb.connect(":memory:", config=_BEFORE)) as connection:
        _refuse_others(connection, statement)
        return _interruptibly(connection, lambda: _answer(connection, selected, statement))


def fill_tables(path: Path, selected: Selected, statement: str) -> None:
    """Make a file of the tables, to answer a statement from.

    Raises `SettingsError` for a statement that does not read, and then makes none, or `OSError`. Leaves a part of the
    file after an error.
    """
    with closing(duckdb.connect(":memory:", config=_BEFORE)) as connection:
        _refuse_others(connection, statement)
    try:
        with closing(duckdb.connect(path, config=_BEFORE)) as connection:
            path.chmod(0o600)
            for setting in _FILLING:
                connection.execute(setting)
            _interruptibly(connection, lambda: _fill_all(connection, selected))
    except duckdb.Error as error:
        raise OSError(str(_error(error))) from error


def ask_tables(path: Path, descriptor: int, statement: str) -> SqlResult:
    """Return the result of a statement about a file of tables.

    `descriptor` is the open file that was proven. Raises as `run_sql`, and `IndexUnusable` if the path has another
    file, or one that DuckDB cannot read.
    """
    with closing(duckdb.connect(":memory:", config=_BEFORE)) as connection:
        _refuse_others(connection, statement)
        try:
            for step in _INSTEAD_OF_MEMORY:
                connection.execute(step.format(str(path).replace("'", "''")))
            names = {name for (name,) in connection.execute(_NAMES).fetchall()}
        except duckdb.Error as error:
            raise IndexUnusable from error
        if names != {"sounds", "edges", "tags"} or not os.path.samestat(os.fstat(descriptor), path.stat()):
            raise IndexUnusable
        return _interruptibly(connection, lambda: _result(connection, statement))


def _answer(connection: duckdb.DuckDBPyConnection, selected: Selected, statement: str) -> SqlResult:
    _fill_all(connection, selected)
    return _result(connection, statement)


def _fill_all(connection: duckdb.DuckDBPyConnection, selected: Selected) -> None:
    sounds = SoundRows(selected)
    _fill(connection, "sounds", sounds.schema, batches(sounds.schema, sounds.rows()))
    _fill(connection, "edges", _EDGES, _batches(_EDGES, edges_by_kind(selected)))
    _fill(connection, "tags", _TAGS, _batches(_TAGS, tag_rows(selected)))


def _refuse_others(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Raise `SettingsError` unless it is one statement, and one that reads."""
    try:
        statement.encode()
        found = connection.extract_statements(statement)
    except UnicodeEncodeError as error:
        raise SettingsError("the statement is not valid UTF-8") from error
    except duckdb.Error as error:
        raise _error(error) from error
    if len(found) != 1:
        raise SettingsError(f"give one SQL statement, not {len(found) or 'an empty text'}")
    if found[0].type.name not in _READING:
        raise SettingsError(
            f"{found[0].type.name} is not a statement that only reads; use SELECT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN"
        )


def _fill(
    connection: duckdb.DuckDBPyConnection, table: str, schema: pa.Schema, filled: Iterable[pa.RecordBatch]
) -> None:
    connection.register(_INCOMING, pa.RecordBatchReader.from_batches(schema, filled))
    connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {_INCOMING}")  # noqa: S608  our own names
    connection.unregister(_INCOMING)


def _batches(schema: pa.Schema, rows: Iterable[tuple[Any, ...]]) -> Iterator[pa.RecordBatch]:
    remaining = iter(rows)
    while group := list(islice(remaining, ROWS_A_BATCH)):
        columns = zip(schema, zip(*group, strict=True), strict=True)
        yield pa.record_batch([pa.array(values, field.type) for field, values in columns], schema=schema)


def _result(connection: duckdb.DuckDBPyConnection, statement: str) -> SqlResult:
    for setting in _LOCKING:
        connection.execute(setting)
    try:
        relation = connection.sql(statement)
        return SqlResult(relation.to_arrow_table(), tuple(map(str, relation.types)))
    except duckdb.Error as error:
        raise _error(error) from error
    except pa.ArrowInvalid as error:
        raise SettingsError(f"pyarrow {pa.__version__} cannot take the result: {error}; CAST it to VARCHAR") from error


def _interruptibly(connection: duckdb.DuckDBPyConnection, run: Callable[[], T]) -> T:
    """Run in a thread: DuckDB would replace the exception of a signal."""
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(run)
        try:
            return future.result()
        except BaseException:
            # Several times, because an interrupt between two statements is lost.
            while not future.done():
                connection.interrupt()
                wait([future], _AGAIN_S)
            raise


def _error(error: duckdb.Error) -> SettingsError:
    # Below the blank line DuckDB shows the statement again, with a mark at the place.
    text = " ".join(_PART_OF_ERROR.split(str(error).strip())[0].split())[:_LONGEST_ERROR]
    if _READ_ONLY in text:
        # DuckDB says it in two ways, of which one names the file's mode.
        text = "it would write, in a transaction in read-only mode"
    if isinstance(error, duckdb.PermissionException) or _READ_ONLY in text:
        return SettingsError(f"a statement reads the tables sounds, edges and tags, nothing else ({text})")
    hint = "; `harvester sql` lists the tables and columns"
    return SettingsError(text + (hint if isinstance(error, duckdb.CatalogException | duckdb.BinderException) else ""))

"""Query a selection with SQL, where DuckDB is installed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from harvester.errors import SettingsError
from harvester.exports.sql_result import SqlResult
from harvester.extras import missing
from harvester.graph import Selected


def query(selected: Selected, statement: str = "") -> SqlResult:
    """Return the rows of one statement that reads.

    Without a statement they are the tables' columns. Raises `SettingsError` with one line for a wrong one, and without
    the packages.
    """
    sql = _module()
    result: SqlResult = sql.run_sql(selected, statement if statement.strip() else sql.LISTING)
    return result


def query_tables(path: Path, descriptor: int, statement: str = "") -> SqlResult:
    """Return the rows of one statement about a file of `write_tables`.

    `descriptor` is the open file that was proven. Raises as `query`, and `IndexUnusable` if the path has another file,
    or one that cannot be read.
    """
    sql = _module()
    result: SqlResult = sql.ask_tables(path, descriptor, statement if statement.strip() else sql.LISTING)
    return result


def write_tables(path: Path, selected: Selected, statement: str = "") -> None:
    """Make a file of the tables, to answer a statement from.

    Raises as `query` does for a statement that does not read, or `OSError`. Leaves a part of the file after an error.
    """
    sql = _module()
    sql.fill_tables(path, selected, statement if statement.strip() else sql.LISTING)


def sql_engine() -> str:
    """Return name and version of what answers; raise as `query` does."""
    engine: str = _module().ENGINE
    return engine


def _module() -> ModuleType:
    try:
        from harvester.exports import sql
    except ImportError as error:
        raise SettingsError(missing("sql", "duckdb and pyarrow", "sql")) from error
    return sql

"""Query a selection with SQL, where DuckDB is installed."""

from __future__ import annotations

from harvester.errors import SettingsError
from harvester.exports.sql_result import SqlResult
from harvester.extras import missing
from harvester.graph import Selected


def query(selected: Selected, statement: str = "") -> SqlResult:
    """Return the rows of one statement that reads.

    Without a statement they are the tables' columns. Raises `SettingsError` with one line for a wrong one, and without
    the packages.
    """
    try:
        from harvester.exports.sql import LISTING, run_sql
    except ImportError as error:
        raise SettingsError(missing("sql", "duckdb and pyarrow", "sql")) from error
    return run_sql(selected, statement if statement.strip() else LISTING)

"""Tables of sounds and edges for pandas, polars and DuckDB.

Owns the Arrow PyCapsule interface, which every reader of Arrow knows. The columns and their types are those of `export
parquet`. Needs `pyarrow`, which the extra `parquet` installs; it is imported with the first table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MISSING_PANDAS = "to_pandas() needs pandas: pip install pandas"


class ArrowTable:
    """A table of sounds or of edges.

    Its rows are read from the library when they are asked for. `pandas.DataFrame.from_arrow`, `polars.DataFrame`,
    `pyarrow.table` and DuckDB take it as it is; at most 20,000 rows are in memory beside the library. Iteration gives
    each row as a dict, null values included.
    """

    def __init__(self, schema: pa.Schema, make_rows: Callable[[], Iterator[dict[str, Any]]], length: int) -> None:
        """Use `Library.sounds` or `Library.edges`."""
        self.schema: pa.Schema = schema
        """The names and types of the columns."""
        self._make_rows = make_rows
        self._length = length

    def to_arrow(self) -> pa.Table:
        """Return a `pyarrow.Table`."""
        return self._reader().read_all()

    def to_pandas(self, **options: Any) -> pd.DataFrame:
        """Return a `pandas.DataFrame` with these columns and rows.

        Whole numbers are `Int64` and truth values `boolean`, which can hold nulls; times are `datetime64` in UTC.
        `options` are those of `pyarrow.Table.to_pandas`. Raises `SettingsError` without pandas.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise SettingsError(_MISSING_PANDAS) from error
        import pyarrow as pa

        nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
        return self.to_arrow().to_pandas(**{"types_mapper": nullable.get, **options})

    def __arrow_c_schema__(self) -> object:
        """Return the schema as a PyCapsule."""
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rows as a PyCapsule of a new Arrow stream."""
        return self._reader().__arrow_c_stream__(requested_schema)

    def _reader(self) -> pa.RecordBatchReader:
        import pyarrow as pa

        from harvester.exports.arrow import batches

        return pa.RecordBatchReader.from_batches(self.schema, batches(self.schema, self._make_rows()))

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[dict[str, Any]]:
        blank = dict.fromkeys(self.schema.names)
        return ({**blank, **row} for row in self._make_rows())

    def __repr__(self) -> str:
        return f"<ArrowTable {self._length:,} rows × {len(self.schema.names)} columns>"


def sounds_table(selected: Selected) -> ArrowTable:
    """Return the selected sounds; raise `SettingsError` without pyarrow."""
    try:
        from harvester.exports.arrow import SoundRows
    except ImportError as error:
        raise SettingsError(missing("a table", "pyarrow", "parquet")) from error
    sounds = SoundRows(selected)
    return ArrowTable(sounds.schema, sounds.rows, len(selected))


def edges_table(selected: Selected) -> ArrowTable:
    """Return the selected edges; raise `SettingsError` without pyarrow."""
    try:
        from harvester.exports.arrow import EDGE_SCHEMA, edge_rows
    except ImportError as error:
        raise SettingsError(missing("a table", "pyarrow", "parquet")) from error
    return ArrowTable(EDGE_SCHEMA, lambda: edge_rows(selected), selected.edge_count)

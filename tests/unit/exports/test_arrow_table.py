"""Tables of sounds and edges: pandas, polars, DuckDB and pyarrow read the same values with the right types."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harvester.exports import ArrowTable, edges_table, save_export, sounds_table
from harvester.exports import arrow as arrow_module
from harvester.graph import Selected, select
from harvester.model import Related
from tests.support.view_samples import NOW_US, load_edge_cases, make_library, make_record, make_state

Read = Callable[[ArrowTable], list[dict[str, Any]]]


@pytest.fixture(params=["made up", "edge cases"])
def selected(request: pytest.FixtureRequest) -> Selected:
    if request.param == "edge cases":
        return select(load_edge_cases(request.getfixturevalue("real_records")))
    state = make_library()
    state.apply(Related(1, 8, "same user", NOW_US))
    return select(state)


def by_polars(table: ArrowTable) -> list[dict[str, Any]]:
    return pl.DataFrame(table).to_dicts()


def by_polars_from_arrow(table: ArrowTable) -> list[dict[str, Any]]:
    # Of an object with the capsule alone polars makes a column of structs.
    found = pl.from_arrow(table)
    return found.to_dicts() if isinstance(found, pl.DataFrame) else found.to_list()


def by_pyarrow(table: ArrowTable) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pa.table(table).to_pylist()
    return rows


def by_duckdb(read: ArrowTable) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql("SELECT * FROM read").to_arrow_table()
    return list(found.to_pylist())


def by_pandas(table: ArrowTable) -> list[dict[str, Any]]:
    return _plain(table.to_pandas())


def by_pandas_from_arrow(table: ArrowTable) -> list[dict[str, Any]]:
    return _plain(pd.DataFrame.from_arrow(table))


def by_pandas_constructor(table: ArrowTable) -> list[dict[str, Any]]:
    return _plain(pd.DataFrame(table))


def _plain(frame: Any) -> list[dict[str, Any]]:
    """Return a frame's rows as plain values: None for every null, lists for arrays, `datetime` for stamps."""

    def plain(value: Any) -> Any:
        if hasattr(value, "tolist"):
            return value.tolist()
        if isinstance(value, list):
            return value
        return None if pd.isna(value) else value.to_pydatetime() if hasattr(value, "to_pydatetime") else value

    return [{str(name): plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


READERS: list[Read] = [
    by_polars, by_polars_from_arrow, by_pyarrow, by_duckdb, by_pandas, by_pandas_from_arrow, by_pandas_constructor,
]  # fmt: skip


def for_people(path: Path) -> pa.Table:
    """Return a file's table without the texts from which `harvester import` makes a library again."""
    table = pq.read_table(path)
    return table.drop_columns([name for name in ("record", "library") if name in table.column_names])


@pytest.mark.parametrize("make", [sounds_table, edges_table])
@pytest.mark.parametrize("read", READERS)
def test_every_reader_has_the_values_of_the_parquet_files(
    read: Read, make: Callable[[Selected], ArrowTable], selected: Selected, tmp_path: Path
) -> None:
    sounds, edges = save_export(selected, "parquet", tmp_path / "out.parquet")
    expected = for_people(sounds if make is sounds_table else edges).to_pylist()
    assert len(make(selected)) == len(expected) > 1
    assert read(make(selected)) == expected
    assert list(make(selected)) == expected


def test_tables_have_the_types_of_the_parquet_files(selected: Selected, tmp_path: Path) -> None:
    paths = save_export(selected, "parquet", tmp_path / "out.parquet")
    for path, table in zip(paths, (sounds_table(selected), edges_table(selected)), strict=True):
        expected = for_people(path)
        assert table.schema == expected.schema
        assert pa.schema(table) == table.schema
        assert table.schema.names == expected.column_names
        assert table.to_arrow().equals(expected)


def test_pandas_and_polars_have_these_types() -> None:
    table = sounds_table(select(make_library()))
    frame = table.to_pandas()
    kinds = {"id": "Int64", "processed": "boolean", "name": "str", "tags": "object", "duration": "float64"}
    kinds |= {"created": "datetime64[us, UTC]", "fetched_at": "datetime64[us, UTC]", "num_downloads": "Int64"}
    assert {name: str(frame[name].dtype) for name in kinds} == kinds
    assert frame["num_downloads"].isna().sum() == 1
    schema = pl.DataFrame(table).schema
    stamp = pl.Datetime("us", "UTC")
    expected = {"id": pl.Int64(), "processed": pl.Boolean(), "name": pl.String(), "tags": pl.List(pl.String())}
    expected |= {"duration": pl.Float64(), "created": stamp, "added_at": stamp, "num_downloads": pl.Int64()}
    assert {name: schema[name] for name in expected} == expected
    assert {str(kind) for kind in edges_table(select(make_library())).to_pandas().dtypes} == {"Int64", "float64", "str"}


def test_a_reader_may_take_other_types_of_pandas() -> None:
    frame = sounds_table(select(make_library())).to_pandas(types_mapper=pd.ArrowDtype)
    assert str(frame["id"].dtype) == "int64[pyarrow]"


def test_duckdb_reads_a_table_twice_in_one_query() -> None:
    sounds, edges = (make(select(make_library())) for make in (sounds_table, edges_table))
    assert (len(sounds), len(edges)) == (11, 14)
    query = """
        SELECT a.id, b.id, score FROM edges JOIN sounds AS a ON source = a.id JOIN sounds AS b ON target = b.id
        WHERE score > 0.7 ORDER BY ALL
    """
    found = duckdb.sql(query)
    assert found is not None
    assert found.fetchall() == [
        (edge["source"], edge["target"], edge["score"]) for edge in edges if edge["score"] > 0.7
    ]


def test_a_stream_is_made_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    selected = select(make_state([make_record(sound_id) for sound_id in range(1, 8)]))
    whole = sounds_table(selected).to_arrow()
    monkeypatch.setattr(arrow_module, "ROWS_A_BATCH", 3)
    batches = list(pa.RecordBatchReader.from_stream(sounds_table(selected)))
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert pa.Table.from_batches(batches).equals(whole)


def test_an_empty_table_has_its_columns() -> None:
    selected = select(make_state([]))
    assert pl.DataFrame(sounds_table(selected)).columns == ["id", "processed"]
    assert list(edges_table(selected).to_pandas().columns) == ["source", "target", "score", "relation", "weights"]
    assert repr(edges_table(selected)) == "<ArrowTable 0 rows × 5 columns>"


_NO_PYARROW = "a table needs pyarrow: pip install 'freesound-harvester[parquet]'"


@pytest.mark.parametrize(
    ("absent", "call", "message"),
    [
        ("pyarrow", "library.sounds()", _NO_PYARROW),
        ("pyarrow", "library.edges()", _NO_PYARROW),
        ("pandas", "library.sounds().to_pandas()", "to_pandas() needs pandas: pip install pandas"),
    ],
)
def test_a_missing_package_is_one_line_that_says_how_to_install_it(
    absent: str, call: str, message: str, tmp_path: Path
) -> None:
    program = f"""
import sys
sys.modules[{absent!r}] = None
sys.prefix = {str(tmp_path)!r}  # an environment that `make` did not set up
import harvester
library = harvester.Library.open({str(tmp_path / "shelf")!r}, create=True)
try:
    {call}
except harvester.SettingsError as error:
    print(error)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout == f"{message}\n"


def test_a_library_imports_no_package_of_tables(tmp_path: Path) -> None:
    program = f"""
import sys
import harvester
library = harvester.Library.open({str(tmp_path / "shelf")!r}, create=True)
library.find("rain"), library.select(tag="rain").ids, repr(library), library._repr_html_()
print(*sorted({{"pyarrow", "pandas", "polars", "numpy", "aiohttp"}} & set(sys.modules)))
library.sounds()
print(*sorted({{"pyarrow", "pandas", "polars", "aiohttp"}} & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["", "pyarrow"]

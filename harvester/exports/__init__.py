"""Export a library to other formats, and credit its sounds."""

from __future__ import annotations

from harvester.exports.arrow_table import ArrowTable, edges_table, sounds_table
from harvester.exports.credits import (
    CREDIT_FORMATS,
    credits_of,
    encode_credits,
    list_credits,
    markdown_text,
    one_line,
    web_address,
)
from harvester.exports.export import check_place, save_export
from harvester.exports.formats import (
    CSV,
    GEXF,
    GRAPHML,
    JSONL,
    NODE_LINK,
    PARQUET,
    SQLITE,
    FilesFormat,
    TextFormat,
    encode_pieces,
    load_format,
    text_pieces,
)
from harvester.exports.run_query import query, query_tables, sql_engine, write_tables
from harvester.exports.sql_result import SqlResult
from harvester.exports.sql_text import RESULT_FORMATS
from harvester.exports.table import Column, is_time, plan_columns, rows, ruled_column
from harvester.exports.table_file import TABLE_FORMATS, encode_table, plain_row
from harvester.extension_points import FORMATS

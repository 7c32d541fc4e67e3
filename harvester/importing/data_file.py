"""Read a file of data: what a program exported, or what a person made.

Owns which form a file has, which its content decides. `None` stands for every other kind of file, which may be one of
an older tool.
"""

from __future__ import annotations

import re
from pathlib import Path

from harvester.errors import LibraryCorrupt
from harvester.importing.file_content import FileContent
from harvester.importing.graph_xml import read_graph_xml
from harvester.importing.json_files import read_json_file
from harvester.importing.parquet_file import MAGIC, read_parquet
from harvester.importing.records import ImportTally
from harvester.importing.tables import read_table
from harvester.storage import HEAD_BYTES

_OF_PARTS = "sounds"
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e\x80-\xff]*")
_OURS = re.compile(rb'\{"directed":true,"multigraph":|\{"id":[0-9]+,')


def read_data(path: Path, content: bytes, tally: ImportTally, relation: str) -> FileContent | None:
    """Return what a file brings, or None for a file of another kind.

    Raises `LibraryCorrupt`, `NewerFormat` or `WrongSource`, one line each.
    """
    if content.startswith(MAGIC) or path.suffix.lower() == ".parquet":
        return read_parquet([path], tally, relation)
    head = content[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip()
    match head[:1]:
        case b"{" | b"[":
            return _read_json(content.removeprefix(b"\xef\xbb\xbf"), tally, relation)
        case b"<":
            return read_graph_xml(content, tally, relation)
    return read_table(content, tally, relation) if head and _TEXT.fullmatch(head) else None


def _read_json(content: bytes, tally: ImportTally, relation: str) -> FileContent | None:
    try:
        return read_json_file(content, tally, relation)
    except LibraryCorrupt as error:
        # JSON of another kind is none of ours, damaged or not.
        if str(error).startswith("it is not JSON") and not _OURS.match(content):
            return None
        raise


def read_parts(folder: Path, tally: ImportTally, relation: str) -> FileContent | None:
    """Return what a Parquet export in parts brings; None without parts."""
    parts = sorted((folder / _OF_PARTS).glob("part-*.parquet"))
    return read_parquet(parts, tally, relation) if parts else None

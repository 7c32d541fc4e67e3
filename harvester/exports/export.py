"""Export a selection to files for other programs, atomically.

Owns the list of formats and how files are replaced. Every file is written under a temporary name and renamed. If an
export is two files, the edges are renamed first, so that a new OUT never stands beside old edges. The library is only
read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

from harvester.errors import SettingsError
from harvester.exports.text import encode_csv_edges, encode_csv_sounds, encode_jsonl, encode_node_link
from harvester.exports.xml import encode_gexf, encode_graphml
from harvester.extras import missing
from harvester.graph import Selected
from harvester.storage import CHECKPOINT, write_atomically

STREAMS: dict[str, Callable[[Selected], Iterator[str]]] = {
    "graphml": encode_graphml,
    "gexf": encode_gexf,
    "jsonl": encode_jsonl,
    "node-link": encode_node_link,
}
"""Formats that are one text."""

XML_FORMATS = ("graphml", "gexf")

FORMATS = (*STREAMS, "csv", "parquet")

_CHUNK = 512


def save_export(
    selected: Selected,
    format: str,
    out: Path,
    *,
    partition_rows: int | None = None,
    faithful: bool = False,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write the selection to `out` and return the paths written.

    They are durable on return. `on_bytes` is called with the size of every piece that is written. `faithful`: texts in
    CSV that a spreadsheet would run as formulas stay unchanged.

    A failure or a crash leaves the earlier files as they were. Raises `SettingsError` for an unknown format, a place
    that cannot be used and a missing package, and `OSError` when writing fails.
    """
    check_place(out)
    if partition_rows is not None and format != "parquet":
        raise SettingsError(f"--partition-rows works with parquet only, not with {format}")
    if format in STREAMS:
        write_atomically(out, _told(text_chunks(STREAMS[format](selected)), on_bytes))
        return [out]
    if format == "csv":
        edges = edges_path(out)
        write_atomically(edges, _told(text_chunks(encode_csv_edges(selected, faithful=faithful)), on_bytes))
        write_atomically(out, _told(text_chunks(encode_csv_sounds(selected, faithful=faithful)), on_bytes))
        return [out, edges]
    if format == "parquet":
        return _save_parquet(selected, out, partition_rows, on_bytes)
    raise SettingsError(f"'{format}' is not a format; use {', '.join(FORMATS)} or credits")


def edges_path(out: Path) -> Path:
    """Return the path of the edges: `sounds.edges.csv` beside `sounds.csv`."""
    return out.with_name(f"{out.stem}.edges{out.suffix}")


def check_place(out: Path) -> None:
    """Raise `SettingsError` if `out` would replace a library's files."""
    library = out.parent / CHECKPOINT
    if out.suffix == ".pkl" or (library.exists() and out.name.startswith(Path(CHECKPOINT).stem)):
        raise SettingsError(f"{out}: libraries use this name; choose another name for the export")
    if not out.parent.is_dir():
        raise SettingsError(f"{out.parent} is not a folder; create it first")


def text_chunks(pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield texts as UTF-8 bytes, several hundred texts in each chunk."""
    kept: list[str] = []
    for piece in pieces:
        kept.append(piece)
        if len(kept) == _CHUNK:
            yield "".join(kept).encode()
            kept = []
    yield "".join(kept).encode()


def _told(chunks: Iterable[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        on_bytes(len(chunk))
        yield chunk


def _save_parquet(
    selected: Selected, out: Path, partition_rows: int | None, on_bytes: Callable[[int], None]
) -> list[Path]:
    try:
        from harvester.exports.parquet import EDGE_SCHEMA, SoundTable, edge_rows, encode_parquet, encode_parts
    except ImportError as error:
        raise SettingsError(missing("parquet", "pyarrow", "parquet")) from error
    sounds = SoundTable(selected)
    if partition_rows is None:
        edges = edges_path(out)
        write_atomically(edges, _told(encode_parquet(EDGE_SCHEMA, edge_rows(selected)), on_bytes))
        write_atomically(out, _told(encode_parquet(sounds.schema, sounds.rows()), on_bytes))
        return [out, edges]
    parts = chain(
        ((f"sounds/{name}", chunks) for name, chunks in encode_parts(sounds.schema, sounds.rows(), partition_rows)),
        ((f"edges/{name}", chunks) for name, chunks in encode_parts(EDGE_SCHEMA, edge_rows(selected), partition_rows)),
    )
    _replace_folder(out, ((name, _told(chunks, on_bytes)) for name, chunks in parts))
    return [out]


def _replace_folder(out: Path, parts: Iterable[tuple[str, Iterator[bytes]]]) -> None:
    """Replace `out`, absent or an earlier export, by a folder of parts.

    A folder cannot be replaced in one step: a crash between the two renames leaves the old one as `.NAME.old`.
    """
    if out.exists() and not _is_parts_folder(out):
        raise SettingsError(f"{out} is not an earlier export in parts and was not replaced; choose another place")
    fresh, old = (out.with_name(f".{out.name}.{os.getpid()}.{what}") for what in ("tmp", "old"))
    try:
        for name, chunks in parts:
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, chunks)
        if out.exists():
            out.rename(old)
        fresh.rename(out)
    finally:
        for folder in (fresh, old) if out.exists() else (fresh,):
            shutil.rmtree(folder, ignore_errors=True)


def _is_parts_folder(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return all(path.parent.name in ("sounds", "edges") and path.name.startswith("part-") for path in files)

"""Export a selection to files for other programs, atomically.

Owns how files are replaced. Every file is written under a temporary name and renamed once all files of the export are
written; the edges are renamed first, so that a new OUT never stands beside old edges. The library is only read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from harvester.errors import SettingsError
from harvester.exports.formats import FAITHFUL_CSV, encode_pieces, file_pieces
from harvester.extras import missing
from harvester.graph import Selected, SelectedView
from harvester.jobs import Processes, Team
from harvester.storage import CHECKPOINT, refuse_open_database, replace_folder, written_beside

_ALONE = Processes()


def save_export(
    selected: Selected,
    format: str,
    out: Path,
    *,
    partition_rows: int | None = None,
    faithful: bool = False,
    team: Team = _ALONE,
    on_bytes: Callable[[int], None] = lambda _: None,
) -> list[Path]:
    """Write the selection to `out`; return the paths, `out` first.

    They are durable on return. `on_bytes` is called with the size of every piece that is written. `faithful`: texts in
    CSV that a spreadsheet would run as formulas stay unchanged. The `team` makes the parts, with the same bytes.

    A failure leaves the earlier files as they were; so does a crash, unless it falls between the renames of an export
    of several files. Raises `SettingsError` for an unknown format, a place that cannot be used and a missing package,
    `PluginFailed` when the code of another package fails, `ClusterFailed`, and `OSError` when writing fails.
    """
    check_place(out)
    if partition_rows is not None:
        if format != "parquet":
            raise SettingsError(f"--partition-rows works with parquet only, not with {format}")
        return _save_in_parts(selected, out, partition_rows, team, on_bytes)
    if format == "sqlite":
        refuse_open_database(out)
    view = SelectedView(selected)
    files: Mapping[str, Iterable[Any]] = (
        FAITHFUL_CSV.encode(view) if faithful and format == "csv" else file_pieces(format, view)
    )
    paths = {part: _path_of(out, part) for part in files}
    with ExitStack() as stack:
        written = [
            stack.enter_context(written_beside(check_place(paths[part]), _told(encode_pieces(pieces), on_bytes)))
            for part, pieces in files.items()
        ]
        for new in written:
            new.replace()
    return list(reversed(paths.values()))


def _path_of(out: Path, part: str) -> Path:
    """Return the path of a file: `sounds.edges.csv` beside `sounds.csv`."""
    return out.with_name(f"{out.stem}.{part}{out.suffix}") if part else out


def check_place(out: Path) -> Path:
    """Return the file or folder to write for `out`: where a link leads.

    Raises `SettingsError` if a library's file or a device would be replaced, or there is no folder to write to.
    """
    place = Path(os.path.realpath(out))
    for one in (out, place):
        library = one.parent / CHECKPOINT
        if one.suffix == ".pkl" or (library.exists() and one.name.startswith(Path(CHECKPOINT).stem)):
            raise SettingsError(f"{out}: libraries use this name; choose another name")
    if out.exists() and not (out.is_file() or out.is_dir()):
        raise SettingsError(
            f"{out} is not a regular file, and an export replaces its file as a whole: choose another name, or leave "
            "-o out if the format can go to standard output"
        )
    if not place.parent.is_dir():
        raise SettingsError(f"{place.parent if out.is_symlink() else out.parent} is not a folder; create it first")
    return place


def _told(chunks: Iterable[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        on_bytes(len(chunk))
        yield chunk


def _save_in_parts(
    selected: Selected, out: Path, partition_rows: int, team: Team, on_bytes: Callable[[int], None]
) -> list[Path]:
    try:
        from harvester.exports.parts import encode_parts
    except ImportError as error:
        raise SettingsError(missing("parquet", "pyarrow", "parquet")) from error
    if out.exists() and not _is_parts_folder(out):
        raise SettingsError(f"{out} is not an earlier export in parts and was not replaced; choose another place")
    parts = encode_parts(selected, partition_rows, team)
    replace_folder(out, ((name, _told(pieces, on_bytes)) for name, pieces in parts))
    return [out]


def _is_parts_folder(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return all(path.parent.name in ("sounds", "edges") and path.name.startswith("part-") for path in files)

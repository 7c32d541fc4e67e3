"""Write `manifest.json`, by which a folder is a dataset of ours.

It names the library's digest, the versions, the selection, the counts, and size and SHA-256 of every other file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harvester.dataset.facts import DatasetFacts
from harvester.dataset.layout import MANIFEST, WrittenFile
from harvester.json_text import json_text
from harvester.storage import read_bounded, read_pieces
from harvester.version import __version__

_FORMAT = "harvester-dataset 1"
_LARGEST_BYTES = 64 << 20


def encode_manifest(facts: DatasetFacts, files: Mapping[str, WrittenFile], options: Mapping[str, Any]) -> bytes:
    """Return the bytes of the manifest; `options` are those of the export."""
    versions = {"harvester": __version__}
    if facts.table == "parquet":
        versions["pyarrow"] = version("pyarrow")
    document = {
        "format": _FORMAT,
        "title": facts.title,
        "library": {"sha256": facts.library_digest, "source": facts.source, "newest_stamp_us": facts.newest},
        "versions": versions,
        "selection": dict(facts.selection),
        "options": dict(options),
        "counts": {
            "sounds": facts.sounds,
            "authors": facts.accounts,
            "edges": facts.edges,
            "parts": dict(facts.parts),
            "licenses": {license.spdx or license.name: license.sounds for license in facts.licenses},
            "gen_ai_wishes": dict(facts.wishes),
            "edge_kinds": dict(facts.kinds),
        },
        "rows_sha256": dict(facts.rows_sha256),
        "files": {name: {"bytes": file.size_bytes, "sha256": file.sha256} for name, file in sorted(files.items())},
    }
    return (json_text(document, indented=True) + "\n").encode()


def why_not_ours(folder: Path) -> str:
    """Return why a dataset must not replace `folder`; empty if it may.

    An empty folder may, and a dataset of ours whose files are as harvester wrote them. Raises `OSError` when a file
    cannot be read.
    """
    if not folder.is_dir():
        return "it is not a folder"
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    there = {path.relative_to(folder).as_posix() for path in files}
    if not there:
        return ""
    listed = _listed(folder / MANIFEST)
    if listed is None:
        return f"it has no {MANIFEST} of a dataset that harvester wrote"
    if strange := sorted(there - listed.keys() - {MANIFEST}):
        return f"{strange[0]} is not of the dataset"
    changed = (name for name, digest in sorted(listed.items()) if name in there and _digest(folder / name) != digest)
    name = next(changed, None)
    return f"{name} was changed since harvester wrote it" if name is not None else ""


def _listed(path: Path) -> dict[str, str] | None:
    try:
        document = json.loads(read_bounded(path, _LARGEST_BYTES))
        if document["format"] != _FORMAT:
            return None
        return {str(name): str(file["sha256"]) for name, file in document["files"].items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    for piece in read_pieces(path):
        digest.update(piece)
    return digest.hexdigest()

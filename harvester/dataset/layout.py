"""Name the files of a dataset, and the types of its columns."""

from __future__ import annotations

from dataclasses import dataclass

from harvester.exports import Column, is_time

CARD = "README.md"
CREDITS = "CREDITS.md"
CROISSANT = "croissant.json"
MANIFEST = "manifest.json"
EDGES_CONFIG = "edges"

_TYPES = {"bool": "true or false", "int": "whole number", "float": "number", "text": "text", "texts": "list of texts"}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """The size of a file, and the SHA-256 of its bytes."""

    size_bytes: int
    sha256: str


def data_path(part: str, table: str) -> str:
    """Return the path of a part, in the form that the hub expects."""
    return f"data/{part}-00000-of-00001.{table}"


def edges_path(table: str) -> str:
    """Return the path of the edges."""
    return f"edges/{EDGES_CONFIG}-00000-of-00001.{table}"


def type_name(column: Column) -> str:
    """Return what a reader of the card calls a column's type."""
    return "time" if is_time(column) else _TYPES[column.kind]

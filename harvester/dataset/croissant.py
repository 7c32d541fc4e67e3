"""Describe a dataset for programs: `croissant.json`, Croissant 1.1.

One record set a part and one for the edges. Programs that know the format load the tables from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harvester.counts import counted
from harvester.dataset.card import citation
from harvester.dataset.columns import EDGE_COLUMNS, describe
from harvester.dataset.facts import DatasetFacts
from harvester.dataset.layout import EDGES_CONFIG, WrittenFile, data_path, edges_path
from harvester.exports import Column, is_time
from harvester.json_text import json_text
from harvester.version import __version__

# A wrong type passes every check of the description and fails only when the records are read.
_ENCODINGS = {"parquet": "application/x-parquet", "csv": "text/csv"}
_TYPES = {"bool": "sc:Boolean", "int": "sc:Integer", "float": "sc:Float", "text": "sc:Text", "texts": "sc:Text"}


def encode_croissant(facts: DatasetFacts, files: Mapping[str, WrittenFile]) -> bytes:
    """Return the bytes of the description; `files` has the tables."""
    tables = {part: data_path(part, facts.table) for part, count in facts.parts.items() if count}
    record_sets = [_record_set(f"sounds-{part}", tables[part], facts.columns, facts.table) for part in tables]
    if facts.edges:
        tables[EDGES_CONFIG] = edges_path(facts.table)
        record_sets.append(_record_set(EDGES_CONFIG, tables[EDGES_CONFIG], EDGE_COLUMNS, facts.table, key=()))
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": facts.title,
        "description": _description(facts),
        "license": [license.address or license.name for license in facts.licenses],
        "url": "https://freesound.org/",
        "version": facts.version,
        "citeAs": citation(facts),
        "creator": {"@type": "sc:Organization", "name": "The uploaders named in CREDITS.md"},
        "keywords": ["freesound", "metadata", "sound"],
        "distribution": [_file_object(name, files[name], facts.table) for name in tables.values()],
        "recordSet": record_sets,
    }
    if facts.day:
        document["datePublished"] = facts.day
    return (json_text(document, indented=True) + "\n").encode()


def _description(facts: DatasetFacts) -> str:
    what = "made-up sounds of a sandbox" if facts.is_made_up else "sounds of Freesound"
    edges = f" and {counted(facts.edges, 'edge')} between them" if facts.edges else ""
    return f"Metadata of {facts.sounds} {what}{edges}, without audio. Written by harvester {__version__}."


def _file_object(name: str, file: WrittenFile, table: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{file.size_bytes} B",
        "encodingFormat": _ENCODINGS[table],
        "sha256": file.sha256,
    }


def _record_set(
    name: str, path: str, columns: Iterable[Column], table: str, key: Iterable[str] = ("id",)
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "field": [_field(name, path, column, table) for column in columns],
    }
    keys = [{"@id": f"{name}/{one}"} for one in key]
    return found | {"key": keys[0]} if keys else found


def _field(record_set: str, path: str, column: Column, table: str) -> dict[str, Any]:
    field: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": f"{record_set}/{column.name}",
        "name": f"{record_set}/{column.name}",
        "description": describe(column),
        "dataType": "sc:DateTime" if is_time(column) else _TYPES[column.kind],
        "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
    }
    if column.kind == "texts" and table == "parquet":
        field |= {"isArray": True, "arrayShape": "-1"}
    return field


_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context of Croissant 1.1. It is part of the file, so that no reader has to fetch it."""

"""Choose the columns of a dataset, and make its rows.

Invariant: without `--fields` the columns depend on the library's extra fields only, so that a dataset keeps its schema
while the library grows. `id` and the license are always there. A wish about generative AI that the library does not
know is null.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from harvester.errors import SettingsError
from harvester.exports import Column, plan_columns, rows, ruled_column
from harvester.graph import SIMILAR, Edge, Selected, Sound, extra_names
from harvester.json_text import without_lone_surrogates
from harvester.records import DESCRIPTORS, UNKNOWN_WISH, gen_ai_wish, spdx_id

SPDX = Column("license_spdx", "license", "text")
_ALWAYS = ("id", "license", SPDX.name)
_GEN_AI = "gen_ai_preference"
_PREVIEWS = tuple(f"preview_{quality}_{type}" for quality in ("hq", "lq") for type in ("mp3", "ogg"))
_USUAL = (
    "id", "name", "username", "license", SPDX.name, _GEN_AI, "category", "subcategory", "tags", "description",
    "created", "geotag", "type", "duration", "samplerate", "channels", "bitdepth", "bitrate", "filesize", "md5", "pack",
    "pack_name", "num_downloads", "avg_rating", "num_ratings", "num_comments", "is_explicit", "url", *_PREVIEWS,
    "fetched_at",
)  # fmt: skip
"""The columns without `--fields`. Addresses of pictures and what harvester notes of similar lists are left out."""

_NEVER = frozenset(
    {"analysis", "bookmark", "comment", "comments", "download", "rate", "similar_sounds", "more_from_same_pack",
     "n_from_same_pack", "score", "distance_to_target"}
)  # fmt: skip
"""Fields of older records that say nothing about the sound: addresses of the API, and what belongs to one search."""

EDGE_COLUMNS = (
    Column("source", "source", "int"),
    Column("target", "target", "int"),
    Column("kind", "kind", "text"),
    Column("weight", "weight", "float"),
)
_TEXTS = {
    SPDX: "The SPDX identifier of the license; null for an unknown license.",
    ruled_column("id"): "The sound's number on Freesound.",
    ruled_column(_GEN_AI): "What the uploader wishes about generative AI; null if unknown, which is not a yes.",
}

_EDGE_TEXTS = {
    "source": "The id of the sound at the beginning of the edge.",
    "target": "The id of the sound at its end.",
    "kind": f"`{SIMILAR}`: the target is in the source's similar list; `relation:KIND`: imported or computed.",
    "weight": f"The score of `{SIMILAR}`, from 0 to 1, or the weight of the relation; null without one.",
}


def choose_columns(selected: Selected, fields: Iterable[str]) -> tuple[list[Column], list[str]]:
    """Return the columns for these names, the usual ones without any.

    A name is that of a column or of a field, which may have several columns (`previews`). Also returns a line for each
    named column without a value. Raises `SettingsError` for an unknown name.
    """
    planned = {column.name: column for column in plan_columns(selected)}
    known = planned | {name: ruled_column(name) for name in _USUAL} | {SPDX.name: SPDX}
    wanted = list(dict.fromkeys(fields))
    if not wanted:
        extra = {name for one in selected.sound_ids for name in extra_names(selected.state.attributes(one))} - _NEVER
        return [known[name] for name in _USUAL] + [column for column in planned.values() if column.field in extra], []
    names = set(_ALWAYS)
    for name in wanted:
        found = {column.name for column in known.values() if name in (column.name, column.field)} - {SPDX.name}
        if not found and name != SPDX.name:
            raise SettingsError(f"--fields: {_unknown(name, known)}")
        names |= found
    without = names - planned.keys() - {SPDX.name}
    notices = [f"--fields: no sound has a value of '{name}'" for name in wanted if name in without]
    order = [*_USUAL, *(name for name in planned if name not in _USUAL)]
    return [known[name] for name in order if name in names], notices


def _unknown(name: str, known: dict[str, Column]) -> str:
    if name in DESCRIPTORS:
        return f"no sound has a value of '{name}'; fetch it with `harvester refresh --extra-fields {name}`"
    names = {*known, *(column.field for column in known.values())}
    near = get_close_matches(name.casefold(), sorted(names))
    meant = " or ".join(f"'{one}'" for one in near)
    return f"no sound has a field '{name[:40]}'; " + (
        f"did you mean {meant}?" if meant else f"there are {', '.join(sorted(names))}"
    )


def sound_rows(selected: Selected, columns: list[Column]) -> Iterator[dict[str, Any]]:
    """Yield the rows of the selected sounds, by id."""
    has_spdx, has_wish = (any(column.name == name for column in columns) for name in (SPDX.name, _GEN_AI))
    for row in rows(selected, columns):
        if has_spdx and (identifier := spdx_id(row.get("license"))):
            row[SPDX.name] = identifier
        if has_wish and gen_ai_wish(row.get(_GEN_AI)) == UNKNOWN_WISH:
            row.pop(_GEN_AI, None)
        yield row


def edge_rows(edges: Iterable[Edge]) -> Iterator[dict[str, Any]]:
    """Yield a row for each kind of each edge, the similar list's first."""
    for edge in edges:
        weights = [*([] if edge.score is None else [edge.score]), *edge.relations.values()]
        for kind, weight in zip(edge.kinds, weights, strict=True):
            row = {"source": edge.source, "target": edge.target, "kind": without_lone_surrogates(kind)}
            yield row if weight is None else row | {"weight": weight}


def describe(column: Column) -> str:
    """Return what a column holds, as a sentence."""
    if column in EDGE_COLUMNS:
        return _EDGE_TEXTS[column.name]
    if column in _TEXTS:
        return _TEXTS[column]
    if column.field == "previews":
        _, quality, kind = column.name.split("_")
        return f"The address of the preview in {'high' if quality == 'hq' else 'low'} quality, as {kind}."
    known = getattr(Sound, column.field, None)
    text: str = (known.__doc__ if known is not None else None) or ""
    return text.replace("None", "null") or f"The field `{column.field}` of Freesound's API."

"""Choose the fields that a request names.

Avoids two faults of the API (API.md §3, §7): `subcategory` and `gen_ai_preference` are right only when `category` is
requested with them, and an unknown name that starts with `sim_` crashes the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harvester.errors import SettingsError
from harvester.freesound.vectors import vector_field
from harvester.model import RECORD_FIELDS

_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED = {
    "added_at",
    "distance_to_target",
    "extra_stamps",
    "fetched_at",
    "gone_at",
    "link_filter",
    "link_limit",
    "link_origin",
    "link_space",
    "linked_at",
    "score",
    "withdrawn_at",
}
"""Names that mean something else in the library, or that no record has."""


def read_extra_fields(names: Iterable[str]) -> tuple[str, ...]:
    """Return the extra fields in order, without duplicates.

    Raises `SettingsError` for a name that is not a field of the API, or that the library reserves.
    """
    extra: dict[str, None] = {}
    for name in (part.strip() for given in names for part in given.split(",")):
        if not name:
            continue
        if not _FIELD_NAME.fullmatch(name):
            raise SettingsError(f"{name!r} is not the name of a field of the API")
        if name.startswith("sim_"):
            raise SettingsError(f"{name!r} is not a field of a record: use --sweep --vectors SPACE to fetch vectors")
        if name in _RESERVED or name.startswith("all_"):
            raise SettingsError(f"the field {name!r} cannot be requested: name single fields of a sound")
        if name not in RECORD_FIELDS:
            extra[name] = None
    return tuple(extra)


def record_fields(extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the fields of a record: the usual ones, then the extra ones."""
    return (*RECORD_FIELDS, *extra)


def encode_fields(extra: tuple[str, ...] = (), *, scored: bool = False, vectors: str = "") -> str:
    """Return the value of `fields=`: comma-separated, without blanks.

    `scored` adds the score of a similar list; `vectors` names a similarity space and adds its vector.
    """
    further = (*(("score",) if scored else ()), *((vector_field(vectors),) if vectors else ()))
    return ",".join((*record_fields(extra), *further))

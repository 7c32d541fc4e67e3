"""Which fields a request names, so that an answer holds everything a sample needs and nothing else.

Keeps two traps of the API shut (API.md §7): `subcategory` and `gen_ai_preference` are only right when
`category` is asked for with them, and an unknown name that starts with `sim_` crashes the server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harvester.errors import SettingsError
from harvester.freesound.vectors import vector_field
from harvester.model import RECORD_FIELDS

_PLAUSIBLE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_OURS = {
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
"""Names that stand for something else in the library, or that no record holds."""


def read_extra_fields(names: Iterable[str]) -> tuple[str, ...]:
    """Return the extra fields in the order given, each once, without those a record has anyway.

    Raises `SettingsError` for a name that cannot be a field of the API or that the library needs for itself.
    """
    extra: dict[str, None] = {}
    for name in (part.strip() for given in names for part in given.split(",")):
        if not name:
            continue
        if not _PLAUSIBLE.fullmatch(name):
            raise SettingsError(f"{name!r} is not the name of a field of the API")
        if name.startswith("sim_"):
            raise SettingsError(f"{name!r} is no part of a record: vectors come with --sweep --vectors SPACE")
        if name in _OURS or name.startswith("all_"):
            raise SettingsError(f"the field {name!r} cannot be asked for: name single fields of a sound")
        if name not in RECORD_FIELDS:
            extra[name] = None
    return tuple(extra)


def record_fields(extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the names of the fields a record keeps: the usual ones, then the extra ones."""
    return (*RECORD_FIELDS, *extra)


def encode_fields(extra: tuple[str, ...] = (), *, scored: bool = False, vectors: str = "") -> str:
    """Return the value of `fields=`: comma-separated without spaces, with `score` for a similar list, and with the
    vector of the similarity space `vectors` where one is named.
    """
    further = (*(("score",) if scored else ()), *((vector_field(vectors),) if vectors else ()))
    return ",".join((*record_fields(extra), *further))

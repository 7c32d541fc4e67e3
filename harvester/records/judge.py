"""Validate the rows of an answer strictly, a page at a time.

Owns all use of msgspec. A `Struct` made from the rules validates the rows; its result is discarded, because the rows
themselves are kept. So a good page costs one pass in C, and only odd rows are converted in Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from harvester.model import CORE_FIELDS
from harvester.records.conversion import convert
from harvester.records.rules import LONGEST_KEY, FieldKind, Rule, rule_of

_OPEN = frozenset({FieldKind.JSON, FieldKind.OBJECTS})
"""Kinds whose depth and size no `Struct` can bound."""
_PLACE = re.compile(r"`(?:key in )*\$\[([0-9]+)\][^`]*`\Z")
"""Finds the invalid row in msgspec's message; the server's field names cannot occur in this part of it."""


class Judge:
    """Validates rows that hold these fields and no others.

    Core fields must be present, others may be missing. Rows must not hold lone surrogates; rows from orjson never do.
    """

    def __init__(self, fields: Iterable[str], *, required: Iterable[str] = (), unjudged: Iterable[str] = ()) -> None:
        """Build the validator.

        `required` fields must be present and not null, `unjudged` ones may hold any value.
        """
        names = dict.fromkeys([*fields, *required, *unjudged])
        needed, free = frozenset(required), frozenset(unjudged)
        self._open = tuple(name for name in names if name not in free and rule_of(name).kind in _OPEN)
        definitions: list[Any] = []
        for place, name in enumerate(names):
            rule = rule_of(name)
            kind = Any if name in free else _type_of(rule)
            if name in needed or not rule.nullable:
                definitions.append((f"f{place}", kind))
            elif name in CORE_FIELDS:
                definitions.append((f"f{place}", kind | None))
            else:
                definitions.append((f"f{place}", kind | None, None))
        row: Any = msgspec.defstruct(
            "Row",
            definitions,
            # A field's name need not be a valid name of an attribute in Python.
            rename={f"f{place}": name for place, name in enumerate(names)},
            kw_only=True,
            gc=False,
            forbid_unknown_fields=True,
        )
        self._rows = list[row | None]

    def accepts(self, row: Any) -> bool:
        """Tell whether a row is a dict in which every field obeys its rule."""
        return row is not None and not self.odd_rows([row])

    def odd_rows(self, rows: list[Any]) -> set[int]:
        """Return the indices of rows that break a rule; null rows do not."""
        odd: set[int] = set()
        start = 0
        while True:
            try:
                msgspec.convert(rows[start:] if start else rows, self._rows, strict=True)
                break
            except msgspec.ValidationError as error:
                # msgspec decodes rows in order, so all rows before the named one are good.
                named = _PLACE.search(str(error))
                if named is None:
                    raise
                odd.add(start + int(named[1]))
                start += int(named[1]) + 1
        if self._open:
            odd.update(place for place, row in enumerate(rows) if place not in odd and self._has_odd_json(row))
        return odd

    def _has_odd_json(self, row: dict[str, Any] | None) -> bool:
        return row is not None and any(convert(name, row.get(name))[1] for name in self._open)


@lru_cache(maxsize=64)
def judge_of(fields: tuple[str, ...], required: tuple[str, ...] = (), unjudged: tuple[str, ...] = ()) -> Judge:
    """Return the cached judge of rows with these fields; a run needs few."""
    return Judge(fields, required=required, unjudged=unjudged)


def _type_of(rule: Rule) -> Any:
    """Return the type with which msgspec validates a field."""
    text = Annotated[str, Meta(max_length=rule.longest, pattern=rule.form and rule.form.pattern)]
    items = Meta(min_length=rule.fewest, max_length=rule.most)
    match rule.kind:
        case FieldKind.ID | FieldKind.INT:
            return Annotated[int, Meta(ge=rule.low, le=rule.high)]
        case FieldKind.FLOAT:
            return Annotated[float, Meta(ge=rule.low, le=rule.high)]
        case FieldKind.BOOL:
            return bool
        case FieldKind.TEXT:
            return text
        case FieldKind.TEXTS:
            return Annotated[list[text], items]
        case FieldKind.NUMBERS:
            return Annotated[list[Annotated[float, Meta(ge=rule.low, le=rule.high)]], items]
        case FieldKind.TEXTS_BY_NAME:
            return Annotated[dict[Annotated[str, Meta(max_length=LONGEST_KEY)], text], items]
        case FieldKind.OBJECTS:
            return list[dict[str, Any]]
        case FieldKind.JSON:
            return Any

"""Encode any value of a library as JSON that every reader accepts.

Owns the replacement of values that JSON or strict readers refuse: a number that is not finite becomes null, a lone
surrogate U+FFFD, an integer beyond the largest double a text of its digits. All other values stay exact.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

_LONE = re.compile("[\ud800-\udfff]")
_DOUBLE_BITS = 1023
"""An integer of at most this many bits is below the largest double."""


def json_text(value: Any, *, indented: bool = False) -> str:
    """Return strict JSON on one line, or indented by two spaces."""
    option = orjson.OPT_INDENT_2 if indented else 0
    try:
        return orjson.dumps(value, option=option).decode()
    except orjson.JSONEncodeError:
        return json.dumps(
            _strict(value),
            ensure_ascii=False,
            allow_nan=False,
            indent=2 if indented else None,
            separators=(",", ": ") if indented else (",", ":"),
        )


def is_exact(value: Any, text: str) -> bool:
    """Tell whether `json_text` wrote `text` without replacing a value."""
    return bool(orjson.loads(text) == value)


def without_lone_surrogates(text: str) -> str:
    """Return a text with U+FFFD for lone surrogates: UTF-8 has none."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def _strict(value: Any) -> Any:
    if isinstance(value, str):
        return without_lone_surrogates(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if value.bit_length() <= _DOUBLE_BITS else str(value)
    if isinstance(value, dict):
        return {_strict(str(name)): _strict(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(inner) for inner in value]
    return value

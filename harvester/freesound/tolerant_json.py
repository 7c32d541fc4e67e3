"""Read JSON that the strict parser refuses; this is much slower.

NaN and infinite numbers become null, long integers become floats or null; bytes that are not UTF-8 and control
characters stay. Texts may then hold lone surrogates, which `records.convert` replaces.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_LONGEST_INT = 19
"""Read longer integers as floats: Python needs quadratic time for very long ones."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NUMBER_TAIL = re.compile(r"[.]|[eE][+-]?|-")
_ESCAPE_TAIL = re.compile(r"\\?u?[0-9a-fA-F]{0,4}")
_LONGEST_TAIL = 16
_WORDS = ("true", "false", "null", "NaN", "Infinity", "-Infinity")


class InvalidJson(ValueError):
    """A body that is not JSON.

    `at_end`: the rest of the body seems to be missing. The text names the position in bytes.
    """

    def __init__(self, position: int | None, *, at_end: bool = False) -> None:
        super().__init__("JSON is nested too deep" if position is None else f"invalid JSON at byte {position}")
        self.at_end = at_end


def read_tolerantly(body: bytes) -> tuple[Any, int]:
    """Return the value in a body, and the number of repeated keys.

    The last one of repeated keys is kept. Raises `InvalidJson`.
    """
    # Each byte that is not UTF-8 becomes one lone surrogate, so that positions can be counted in bytes.
    start = len(BYTE_ORDER_MARK) if body.startswith(BYTE_ORDER_MARK) else 0
    text = body[start:].decode("utf-8", "surrogateescape")
    repeated = 0

    def read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        found = dict(pairs)
        repeated += len(pairs) - len(found)
        return found

    decoder = json.JSONDecoder(
        strict=False,
        object_pairs_hook=read_object,
        parse_constant=_read_constant,
        parse_float=_read_float,
        parse_int=_read_int,
    )
    try:
        return decoder.decode(text), repeated
    except json.JSONDecodeError as error:
        position = start + len(text[: error.pos].encode("utf-8", "surrogateescape"))
        raise InvalidJson(position, at_end=_is_unfinished(error.msg, text[error.pos :])) from None
    except RecursionError:
        raise InvalidJson(None) from None


def _is_unfinished(message: str, rest: str) -> bool:
    """Tell whether the parser failed only because the body ends too early."""
    if message.startswith("Unterminated string"):
        return True
    if message == "Extra data" or len(rest) > _LONGEST_TAIL:
        return False
    rest = rest.strip()
    if message.startswith("Invalid \\"):
        return _ESCAPE_TAIL.fullmatch(rest) is not None
    return _NUMBER_TAIL.fullmatch(rest) is not None or any(word.startswith(rest) for word in _WORDS)


def _read_constant(_name: str) -> None:
    """Replace NaN, Infinity and -Infinity by null."""


def _read_float(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _read_int(digits: str) -> int | float | None:
    return int(digits) if len(digits) <= _LONGEST_INT else _read_float(digits)

"""Convert values to their field's rule, and read record fields.

A value of another type is converted if nothing is lost (`"12"` to 12, 12 to `"12"`). A number outside its bounds
becomes null, a text that is too long is cut. Laws: the result obeys its rule, a value that obeys its rule is returned
unchanged, and a second conversion changes nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeAlias

import orjson

from harvester.model import read_sound_id
from harvester.records.rules import (
    LARGEST_JSON_BYTES,
    LARGEST_JSON_INT,
    LONGEST_KEY,
    RULES,
    UNKNOWN,
    FieldKind,
    Rule,
)

MISTYPED: Final = "mistyped field"
CONVERTED: Final = "converted field"
OUT_OF_RANGE: Final = "value out of range"
MALFORMED: Final = "malformed text"
CUT_TEXT: Final = "cut text"
REPAIRED_TEXT: Final = "repaired text"
CUT_LIST: Final = "cut list"
DROPPED_ITEM: Final = "dropped item"
TOO_DEEP: Final = "field nested too deep"
TOO_LARGE: Final = "field too large"

Converted: TypeAlias = tuple[Any, str]
"""(a value that obeys its rule or None, the kind of oddity or an empty text)."""

_INT_TEXT = re.compile(r"-?[0-9]{1,19}")
_FLOAT_TEXT = re.compile(r"-?[0-9]{1,400}(?:[.][0-9]{0,400})?(?:[eE][+-]?[0-9]{1,4})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BOOLS: dict[object, bool] = {"true": True, "false": False, "True": True, "False": False}
_TEXT = frozenset({str})
_REPLACEMENT = "\ufffd"
_NUMBERS_AND_BOOLS = frozenset({type(None), bool, int, float})


def convert(name: str, value: Any) -> Converted:
    """Return a field's value by its rule or None, and its oddity's kind."""
    if value is None:
        return None, ""
    rule, converter = _FIELDS.get(name, _UNKNOWN_FIELD)
    return converter(rule, value)


def value_of(record: Mapping[str, Any], name: str) -> Any:
    """Return a field's value, converted to its rule if needed, or None.

    Use it to read records that other people or older versions stored. The value has the type in `RULES`; a float field
    may give an int.
    """
    value = record.get(name)
    if value is None:
        return None
    rule, converter = _FIELDS.get(name, _UNKNOWN_FIELD)
    kind, its_type = rule.kind, type(value)
    if its_type is int or its_type is float:
        if (kind is FieldKind.FLOAT or (kind is FieldKind.INT and its_type is int)) and rule.low <= value <= rule.high:
            return value
    elif (
        its_type is str
        and kind is FieldKind.TEXT
        and rule.form is None
        and len(value) <= rule.longest
        and value.isascii()
    ):
        return value
    return converter(rule, value)[0]


def _convert_id(_rule: Rule, value: Any) -> Converted:
    found = read_sound_id(value)
    if found is None:
        return None, OUT_OF_RANGE if type(value) in (int, float) else MISTYPED
    return found, "" if type(value) is int else CONVERTED


def _convert_bool(_rule: Rule, value: Any) -> Converted:
    if type(value) is bool:
        return value, ""
    if type(value) in (int, float) and value in (0, 1):
        return value == 1, CONVERTED
    truth = _BOOLS.get(value) if type(value) is str else None
    return truth, MISTYPED if truth is None else CONVERTED


def _convert_int(rule: Rule, value: Any) -> Converted:
    odd = ""
    if type(value) is not int:
        number = _read_number(value)
        if number is None or (type(number) is float and not number.is_integer()):
            # An infinite float is a number, so it is out of range and not of a wrong type.
            return None, OUT_OF_RANGE if number in (math.inf, -math.inf) else MISTYPED
        # Above 2**53 several integers share one float.
        if type(number) is float and abs(number) > 2**53:
            return None, OUT_OF_RANGE
        value, odd = int(number), CONVERTED
    return (value, odd) if rule.low <= value <= rule.high else (None, OUT_OF_RANGE)


def _convert_float(rule: Rule, value: Any) -> Converted:
    odd = ""
    if type(value) is not float and type(value) is not int:
        value, odd = _read_number(value), CONVERTED
    if value is None:
        return None, MISTYPED
    if rule.low <= value <= rule.high:
        return value, odd
    if rule.low - rule.tolerance <= value <= rule.high + rule.tolerance:
        return (rule.low if value < rule.low else rule.high) * 1.0, OUT_OF_RANGE
    # NaN is unequal to itself; it counts as no number.
    return None, OUT_OF_RANGE if value == value else MISTYPED


def _convert_text(rule: Rule, value: Any) -> Converted:
    odd = ""
    if type(value) is not str:
        if type(value) is int and -LARGEST_JSON_INT <= value <= LARGEST_JSON_INT:
            value, odd = str(value), CONVERTED
        elif type(value) is float and math.isfinite(value):
            value, odd = repr(value), CONVERTED
        else:
            return None, MISTYPED
    if len(value) > rule.longest or not value.isascii():
        value, changed = _bounded(value, rule.longest)
        odd = changed or odd
    if rule.form is not None and not rule.form.match(value):
        return None, MALFORMED
    return value, odd


def _convert_texts(rule: Rule, value: Any) -> Converted:
    if type(value) is str:
        text, changed = _bounded(value, rule.longest)
        return ([text] if text else []), changed or CONVERTED
    if type(value) is not list:
        return None, MISTYPED
    if len(value) <= rule.most and _are_good_texts(value, rule.longest):
        return value, ""
    odd = CUT_LIST if len(value) > rule.most else ""
    texts = []
    for item in value[: rule.most]:
        if type(item) is str:
            text, changed = _bounded(item, rule.longest)
            texts.append(text)
        else:
            changed = DROPPED_ITEM
        odd = odd or changed
    return texts, odd


def _convert_texts_by_name(rule: Rule, value: Any) -> Converted:
    if type(value) is not dict:
        return None, MISTYPED
    if (
        len(value) <= rule.most
        and _are_good_texts(value, LONGEST_KEY)
        and _are_good_texts(value.values(), rule.longest)
    ):
        return value, ""
    odd = ""
    texts: dict[str, str] = {}
    for key, item in value.items():
        if type(key) is not str or len(key) > LONGEST_KEY or type(item) is not str:
            odd = odd or DROPPED_ITEM
        elif len(texts) >= rule.most:
            odd = CUT_LIST
            break
        else:
            key, key_changed = _bounded(key, LONGEST_KEY)
            texts[key], changed = _bounded(item, rule.longest)
            odd = odd or key_changed or changed
    return texts, odd


def _are_good_texts(values: Collection[Any], longest: int) -> bool:
    """Tell whether all are texts up to `longest`, no lone surrogates."""
    if not _TEXT.issuperset(map(type, values)):
        return False
    joined = "".join(values)
    if not joined.isascii() and _SURROGATE.search(joined):
        return False
    return len(joined) <= longest or max(map(len, values)) <= longest


def _convert_numbers(rule: Rule, value: Any) -> Converted:
    if type(value) is not list:
        return None, MISTYPED
    if not rule.fewest <= len(value) <= rule.most:
        return None, OUT_OF_RANGE
    # Dropping one item would shift the others, so a list with an item that is no number becomes null.
    number = Rule(FieldKind.FLOAT, low=rule.low, high=rule.high)
    converted = [_convert_float(number, item) for item in value]
    if any(item is None for item, _ in converted):
        return None, MISTYPED
    return ([item for item, _ in converted], CONVERTED) if any(odd for _, odd in converted) else (value, "")


def _convert_objects(rule: Rule, value: Any) -> Converted:
    if type(value) is not list:
        return None, MISTYPED
    objects = [item for item in value[: rule.most] if type(item) is dict]
    dropped = len(objects) < len(value)
    kept, odd = _convert_json(rule, objects if dropped else value)
    if not dropped or kept is None:
        return kept, odd
    return kept, CUT_LIST if len(value) > rule.most else DROPPED_ITEM


def _convert_json(rule: Rule, value: Any) -> Converted:
    """Return JSON within limits of depth, size and numbers, or None."""
    odd = find_odd(value, rule.deepest)
    if odd == REPAIRED_TEXT:
        value = _repaired(value)
    elif odd:
        return None, odd
    if type(value) in _NUMBERS_AND_BOOLS or len(orjson.dumps(value)) <= LARGEST_JSON_BYTES:
        return value, odd
    return None, TOO_LARGE


_CONVERTERS: dict[FieldKind, Callable[[Rule, Any], Converted]] = {
    FieldKind.ID: _convert_id,
    FieldKind.BOOL: _convert_bool,
    FieldKind.INT: _convert_int,
    FieldKind.FLOAT: _convert_float,
    FieldKind.TEXT: _convert_text,
    FieldKind.TEXTS: _convert_texts,
    FieldKind.NUMBERS: _convert_numbers,
    FieldKind.TEXTS_BY_NAME: _convert_texts_by_name,
    FieldKind.OBJECTS: _convert_objects,
    FieldKind.JSON: _convert_json,
}
_FIELDS = {name: (rule, _CONVERTERS[rule.kind]) for name, rule in RULES.items()}
_UNKNOWN_FIELD = (UNKNOWN, _CONVERTERS[UNKNOWN.kind])


def find_odd(value: Any, levels: int) -> str:
    """Return the oddity of JSON that may nest `levels` deep, or ''."""
    kind = type(value)
    if kind is list or kind is dict:
        if levels == 0:
            return TOO_DEEP
        found = "" if kind is list or all(type(key) is str for key in value) else MISTYPED
        for inner in value if kind is list else [*value, *value.values()]:
            if found and found != REPAIRED_TEXT:
                break
            found = find_odd(inner, levels - 1) or found
        return found
    if kind is str:
        return "" if value.isascii() or not _SURROGATE.search(value) else REPAIRED_TEXT
    if kind is int:
        return "" if -LARGEST_JSON_INT <= value <= LARGEST_JSON_INT else OUT_OF_RANGE
    if kind is float:
        return "" if math.isfinite(value) else OUT_OF_RANGE
    return "" if value is None or kind is bool else MISTYPED


def _repaired(value: Any) -> Any:
    """Return a copy of a JSON value with lone surrogates replaced."""
    if type(value) is str:
        return _SURROGATE.sub(_REPLACEMENT, value)
    if type(value) is list:
        return [_repaired(item) for item in value]
    if type(value) is dict:
        return {_repaired(key): _repaired(item) for key, item in value.items()}
    return value


def _bounded(text: str, longest: int) -> tuple[str, str]:
    """Return a text cut to `longest` without lone surrogates; its oddity."""
    odd = ""
    if not text.isascii() and _SURROGATE.search(text):
        text, odd = _SURROGATE.sub(_REPLACEMENT, text), REPAIRED_TEXT
    return (text, odd) if len(text) <= longest else (text[:longest], CUT_TEXT)


def _read_number(value: Any) -> int | float | None:
    """Return a number, also from a text that holds one, or None."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is not str:
        return None
    if _INT_TEXT.fullmatch(value):
        return int(value)
    return float(value) if _FLOAT_TEXT.fullmatch(value) else None

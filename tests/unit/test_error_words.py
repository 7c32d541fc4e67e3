"""No error of Python or its packages reaches a person in Python's words."""

from __future__ import annotations

import builtins
import errno
import json
import lzma
import os
import pickle
import re
import zlib

import orjson
import pytest

from harvester.errors import DiskFull, words_of

PYTHON = re.compile(
    r"Errno|NoneType|codec|Error\b|Exception|object at|0x[0-9a-f]|<class|__|attribute|sys\.|Traceback|[\"'{}\[\]()]"
)


def _made(kind: type[BaseException]) -> BaseException:
    if kind is UnicodeDecodeError:
        return UnicodeDecodeError("utf-8", b"ab\xff", 2, 3, "invalid start byte")
    if kind is UnicodeEncodeError:
        return UnicodeEncodeError("ascii", "ü", 0, 1, "ordinal not in range(128)")
    if kind is UnicodeTranslateError:
        return UnicodeTranslateError("ü", 0, 1, "no")
    if issubclass(kind, BaseExceptionGroup):
        return kind("unhandled errors in a TaskGroup", [ValueError("x")])
    return kind("'NoneType' object has no attribute 'x'")


BUILT_IN = sorted(
    {one for one in vars(builtins).values() if isinstance(one, type) and issubclass(one, Exception)},
    key=lambda kind: kind.__name__,
)
OF_PACKAGES = [zlib.error("Error -3"), lzma.LZMAError("Corrupt input data"), pickle.UnpicklingError("STACK_GLOBAL")]


@pytest.mark.parametrize("kind", BUILT_IN)
def test_a_built_in_error_has_words(kind: type[Exception]) -> None:
    words = words_of(_made(kind))
    assert words
    assert not PYTHON.search(words), words


@pytest.mark.parametrize("error", OF_PACKAGES, ids=lambda error: type(error).__name__)
def test_an_error_of_a_package_has_words(error: Exception) -> None:
    assert "damaged" in words_of(error)


def test_a_parsers_error_has_words() -> None:
    for parse in (json.loads, orjson.loads):
        with pytest.raises(ValueError) as caught:
            parse("{")
        assert words_of(caught.value) == "it is not valid JSON"


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_an_error_of_the_system_has_the_systems_reason(number: int) -> None:
    assert words_of(OSError(number, os.strerror(number), "a/path")) == os.strerror(number)


def test_where_a_text_is_wrong_is_said() -> None:
    with pytest.raises(UnicodeDecodeError) as caught:
        b"ab\xff".decode()
    assert words_of(caught.value) == "byte 3 is not UTF-8 text"


def test_our_own_errors_are_written_for_people() -> None:
    assert words_of(DiskFull("lib: no space left")) == "lib: no space left"

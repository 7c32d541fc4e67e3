"""Say what an option accepts, and what is wrong with a value.

A settings file, a variable and the command line are judged by the same rules, so their messages are the same too.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from typer.models import OptionInfo, ParameterInfo

from harvester.errors import SettingsError
from harvester.settings_file import kind_of

_EXPECTED: dict[type, tuple[str, tuple[type, ...]]] = {
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
    bool: ("true or false", (bool,)),
    str: ("text", (str,)),
    Path: ("text", (str,)),
}
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Option:
    """The type and bounds of a parameter; `check` is its callback."""

    name: str
    kind: type
    several: bool
    least: float | None
    most: float | None
    check: Callable[[Any], Any] | None

    def problem_of(self, value: Any) -> str:
        """Return what is wrong with a value of a settings file, or empty."""
        if self.several:
            values = value if isinstance(value, list) else [value]
            return next(filter(None, (replace(self, several=False).problem_of(one) for one in values)), "")
        expected, accepted = _EXPECTED[self.kind]
        if self.check is not None and self.kind is str:
            accepted = (str, int, float)  # a duration may be written as a number of seconds
        if type(value) not in accepted:
            return f"expected {expected}, got {kind_of(value)}"
        if isinstance(value, str) and "\0" in value:
            return "a text here must not hold the character NUL"  # no argument and no path can
        problem = self._outside(value)
        if not problem and self.check is not None:
            try:
                self.check(self.as_given(value))
            except SettingsError as error:
                return str(error)
        return problem

    def problem_of_text(self, given: object) -> str:
        """Return why a text, or one of several, is no value of this type."""
        read: dict[type, Callable[[str], Any]] = {int: int, float: float}
        expected = _EXPECTED[self.kind][0]
        texts = [str(one) for one in given] if isinstance(given, list | tuple) else [str(given)]
        for text in texts:
            try:
                problem = self._outside(read[self.kind](text)) if self.kind in read else ""
            except ValueError:
                problem = f"expected {expected}, got {_shown(text)}"
            if problem:
                return problem
        return f"expected {expected}, got {_shown(' '.join(texts))}"

    def as_given(self, value: Any) -> Any:
        """Return a value as the command line gives it: a list, or a text."""
        if self.several:
            single = replace(self, several=False)
            return [single.as_given(one) for one in (value if isinstance(value, list) else [value])]
        return str(value) if self.kind is str else value

    def _outside(self, value: Any) -> str:
        """Return why a value of this type is out of bounds, or empty."""
        expected = _EXPECTED[self.kind][0]
        if isinstance(value, float) and not math.isfinite(value):
            return f"expected {expected}, got {value}"
        if (self.least is None or value >= self.least) and (self.most is None or value <= self.most):
            return ""
        most = f" and at most {self.most}" if self.most is not None else ""
        return f"expected {expected}, at least {self.least}{most}, got {_shown(value)}"


def read_options(command: Callable[..., Any]) -> dict[str, Option]:
    """Return a command's options, without arguments, by each name."""
    found: dict[str, Option] = {}
    for option, info in _read_signature(command):
        if isinstance(info, OptionInfo):
            found |= dict.fromkeys([option.name, *_long_names(info)], option)
    return found


def read_parameters(command: Callable[..., Any]) -> dict[str, Option]:
    """Return a command's options and arguments by parameter name."""
    return {option.name: option for option, _ in _read_signature(command)}


def _read_signature(command: Callable[..., Any]) -> Iterator[tuple[Option, Any]]:
    for name, annotation in get_type_hints(command, include_extras=True).items():
        kind, info = parts_of(annotation)
        several = get_origin(kind) is list
        single = get_args(kind)[0] if several else kind
        if name == "return" or single not in _EXPECTED:
            continue  # the context, which no person gives
        bounds = (info.min, info.max, _check_of(info)) if isinstance(info, ParameterInfo) else (None, None, None)
        yield Option(name, single, several, *bounds), info


def parts_of(annotation: Any) -> tuple[Any, Any]:
    """Return a parameter's type without None, and its Typer annotation."""
    info = next(iter(getattr(annotation, "__metadata__", ())), None)
    kind = get_args(annotation)[0] if info is not None else annotation
    if NoneType in get_args(kind):
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    return kind, info


def _long_names(info: OptionInfo) -> list[str]:
    """Return the long names (`--output`) as names of settings (`output`)."""
    declared = [info.default, *(info.param_decls or ())]  # in Annotated, Typer stores the first name as the default
    return [one[2:].replace("-", "_") for one in declared if isinstance(one, str) and re.fullmatch(r"--[\w-]+", one)]


def _check_of(info: ParameterInfo) -> Callable[[Any], Any] | None:
    """Return the option's callback if it takes only the value, else None."""
    if info.callback is None or len(inspect.signature(info.callback).parameters) != 1:
        return None
    return info.callback


def _shown(value: object) -> str:
    """Return a value for a message: a text in quotes, a long one cut."""
    text = str(value)
    cut = f"{text[:_SHOWN]}…" if len(text) > _SHOWN else text
    return f"'{cut}'" if isinstance(value, str) else cut

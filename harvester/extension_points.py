"""Find the export formats and orders that other packages add.

They are declared as entry points. Our own are listed here in the same way, as `module:name`. Owns the rules of names:
ours cannot be replaced, and a name that two packages use is left out. Names are read from the metadata of the installed
packages; the code of a package is imported only when its extension is used.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from harvester.errors import PluginFailed, SettingsError, words_of
from harvester.terminal_text import escape

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

PLUGIN_ERRORS = (Exception, SystemExit)
"""What the code of a plugin may raise without ending harvester: `sys.exit` in a module must not."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SHOWN = 200
_OURS = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Extension:
    """A named extension, and the place of its object (`module:name`).

    `package` is empty for ours. `problem` says why it is left out. Without a name, it stands for a package whose entry
    points cannot be read.
    """

    name: str
    place: str
    package: str = ""
    version: str = ""
    problem: str = ""

    @property
    def origin(self) -> str:
        """The package with its version, such as `harvester-example 1.0`."""
        return f"{self.package} {self.version}".rstrip()

    @property
    def shown(self) -> str:
        """The name, and the package that adds it, for messages and help."""
        return f"{self.name} ({self.origin})" if self.package else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """The extensions by name, ours first, and those that are left out.

    `problems` has a line for each name that is left out, and for each package that cannot be read.
    """

    extensions: dict[str, Extension]
    left_out: list[Extension]
    problems: list[str]


class ExtensionPoint(Collection[str]):
    """The names of one kind of extension: ours, then those of plugins.

    Those of plugins are in alphabetical order. `group` is the group of entry points, `noun` what an extension is called
    in messages, `also` names that are taken although they have no object here.
    """

    def __init__(self, group: str, noun: str, own: Mapping[str, str], *, also: Collection[str] = ()) -> None:
        self.group = group
        self.noun = noun
        self.own = {name: Extension(name, place) for name, place in own.items()}
        self._also = also

    def __iter__(self) -> Iterator[str]:
        return iter(self.find().extensions)

    def __len__(self) -> int:
        return len(self.find().extensions)

    def __contains__(self, name: object) -> bool:
        # Our own names are known without the metadata of the installed packages.
        return isinstance(name, str) and (name in self.own or name in self.find().extensions)

    def find(self) -> Found:
        """Read the metadata of the installed packages; import none of them."""
        points, left_out = _entry_points(self.group)
        offered: dict[str, list[Extension]] = {}
        for point in sorted(points, key=lambda point: point.name):
            one = Extension(point.name, point.value, *_package(point))
            if not _NAME.fullmatch(one.name):
                left_out.append(replace(one, problem="a name has small letters, digits, - and _ only"))
            elif one.name in self.own or one.name in self._also:
                left_out.append(replace(one, problem="harvester has one of this name"))
            else:
                offered.setdefault(one.name, []).append(one)
        added: dict[str, Extension] = {}
        for name, several in offered.items():
            if len(several) == 1:
                added[name] = several[0]
                continue
            packages = " and ".join(sorted({one.origin for one in several}))
            problem = f"it is in {packages}, and only one may have this name"
            left_out += [replace(one, problem=problem) for one in several]
        return Found(self.own | added, left_out, list(dict.fromkeys(map(self._left_out, left_out))))

    def explain(self, name: str) -> str:
        """Return the line that says why a name is left out, or empty."""
        return next((self._left_out(one) for one in self.find().left_out if one.name == name), "")

    def get(self, name: str) -> Extension:
        """Return the extension; raise `SettingsError` for an unknown name."""
        extension = self.own.get(name) or self.find().extensions.get(name)
        if extension is None:
            *names, last = [*self, *self._also]
            why = self.explain(name) or f"'{name}' is not {_a(self.noun)}"
            raise SettingsError(f"{why}; use {', '.join(names)} or {last}")
        return extension

    def load(self, name: str, problem_of: Callable[[Any], str]) -> Any:
        """Import and return the object of this name.

        `problem_of` returns what is wrong with an object, or an empty text. Raises `SettingsError` for an unknown name,
        and `PluginFailed` if another package's object cannot be imported or is not of the right kind.
        """
        extension = self.get(name)
        if not extension.package:
            return _import(extension.place)
        try:
            loaded = _import(extension.place)
        except PLUGIN_ERRORS as error:
            raise self.failure(extension, f"cannot be imported: {error_text(error)}", "nothing was changed") from error
        if problem := problem_of(loaded):
            raise self.failure(extension, f"cannot be used: {problem}", "nothing was changed")
        return loaded

    def failure(self, extension: Extension, what: str, kept: str) -> PluginFailed:
        """Return the error for a plugin: what it did, and what was kept."""
        others = ", ".join([*self.own, *self._also])
        failed = PluginFailed(
            f"the {self.noun} '{extension.name}' of {extension.origin} {what}; {kept}; "
            f"update or uninstall the package, or use {others}"
        )
        failed.problem = what
        return failed

    def _left_out(self, one: Extension) -> str:
        if not one.name:
            return f"{one.package}: {one.problem}"
        # A name of two packages is one line: its problem names them.
        package = "" if one.origin in one.problem else f" of {one.origin}"
        return f"the {self.noun} '{one.name[:_SHOWN]}'{package} is left out: {one.problem}"


class WrongKind(TypeError):
    """What a plugin gave is not of the kind that it must be."""


def error_text(error: BaseException) -> str:
    """Return a plugin's error as a short text: what it says, and where.

    Python's own messages speak of its types, so `words_of` stands for them.
    """
    try:
        text = "" if type(error) in _OF_PYTHON else str(error)
    except PLUGIN_ERRORS:
        text = ""
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append((error.filename or "", error.lineno or 1))
    theirs = [(file, line) for name, line in places if (file := Path(name)).is_file() and not _is_known(file)]
    where = "".join(f", {file.parent.name}/{file.name}:{line}" for file, line in theirs[-1:])
    return f"{text[:_SHOWN] or words_of(error)}{where}"


def _is_known(file: Path) -> bool:
    """Tell whether a file is of harvester or of Python itself."""
    return bool({_OURS, Path(re.__file__).parents[1]} & set(file.parents)) and "site-packages" not in file.parts


_OF_PYTHON = {one for one in vars(builtins).values() if isinstance(one, type) and issubclass(one, BaseException)} - {
    Exception, LookupError, RuntimeError, SystemExit,
}  # fmt: skip
"""Errors whose messages Python writes; the others have a message of the plugin's author."""


def _entry_points(group: str) -> tuple[list[EntryPoint], list[Extension]]:
    """Return the entry points of a group, and packages that are malformed."""
    # Not at the top: it takes longer to import than the rest of the command line.
    from importlib.metadata import distributions, entry_points

    try:
        return list(entry_points(group=group)), []
    except PLUGIN_ERRORS:
        # One malformed file hides the entry points of all packages: read them package by package.
        points: dict[str, list[EntryPoint]] = {}
        malformed = []
        for distribution in distributions():
            name = "an installed package"
            try:
                name = distribution.metadata["Name"]
                points.setdefault(name, [point for point in distribution.entry_points if point.group == group])
            except PLUGIN_ERRORS as error:
                problem = f"its entry points cannot be read ({error_text(error)}); it adds nothing"
                malformed.append(Extension("", "", name, problem=problem))
        return [point for several in points.values() for point in several], malformed


def _package(point: EntryPoint) -> tuple[str, str]:
    """Return the package of an entry point, and its version."""
    unknown = "an unknown package", ""
    try:
        return (escape(point.dist.name[:_SHOWN]), escape(point.dist.version[:_SHOWN])) if point.dist else unknown
    except PLUGIN_ERRORS:  # its METADATA is missing or malformed
        return unknown


def _import(place: str) -> Any:
    module, _, path = place.partition(":")
    found: Any = import_module(module.strip())
    for name in filter(None, path.strip().split(".")):
        if not hasattr(found, name):
            raise WrongKind(f"{module.strip()} has no {name}")
        found = getattr(found, name)
    return found


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


FORMATS = ExtensionPoint(
    "harvester.exports",
    "format",
    {
        "graphml": "harvester.exports:GRAPHML",
        "gexf": "harvester.exports:GEXF",
        "jsonl": "harvester.exports:JSONL",
        "node-link": "harvester.exports:NODE_LINK",
        "csv": "harvester.exports:CSV",
        "parquet": "harvester.exports:PARQUET",
        "sqlite": "harvester.exports:SQLITE",
    },
    also=("credits", "dataset"),
)
"""The formats of `harvester export`. `credits` has formats of its own, and `dataset` is a folder."""

ORDERS = ExtensionPoint(
    "harvester.orders",
    "order",
    {
        "popular": "harvester.pipeline:by_downloads",
        "breadth": "harvester.pipeline:by_distance",
        "random": "harvester.pipeline:by_hash",
    },
)
"""The orders of `harvester harvest --order`."""

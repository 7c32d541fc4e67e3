"""Import NetworkX only up to its graph classes.

NetworkX imports some 250 modules of algorithms, which takes longer than a short command. Its `__init__` imports the
graph classes first. This module runs it up to there and takes it out of `sys.modules`. The next import of NetworkX, by
any program or by a function of its own that needs another part, runs the rest in the same module.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import CodeType, ModuleType
from typing import Any

_NAME, _CLASSES = "networkx", "networkx.classes"


class _Begun(ModuleType):
    """NetworkX before the rest of its `__init__` has run."""

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("__"):
            import_module(_NAME)
        if name in self.__dict__:
            return self.__dict__[name]
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}", name=name, obj=self)


class _InTwoParts(MetaPathFinder, Loader):
    """Finder and loader that run the parts at one import each."""

    def __init__(self, loader: InspectLoader, parts: list[CodeType]) -> None:
        self._loader, self._parts = loader, parts
        self._module: ModuleType | None = None

    def find_spec(self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None) -> Any:
        """Return the usual specification with this loader."""
        spec = PathFinder.find_spec(fullname, path) if fullname == _NAME else None
        if spec is not None:
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that has begun; the graph classes refer to it."""
        self._module = self._module or _Begun(spec.name)
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """Run the next part; after an error, its next import runs it again."""
        exec(self._parts[0], module.__dict__)  # noqa: S102 - the code of NetworkX
        del self._parts[0]
        if not self._parts:
            sys.meta_path.remove(self)
            module.__class__ = ModuleType
            module.__loader__ = self._loader
            if module.__spec__ is not None:
                module.__spec__.loader = self._loader


def import_networkx() -> Any:
    """Return the module `networkx`, which has its graph classes at least."""
    spec = None if _NAME in sys.modules else PathFinder.find_spec(_NAME)
    if spec is None or not isinstance(spec.loader, InspectLoader):
        return import_module(_NAME)
    statements = ast.parse(spec.loader.get_source(_NAME) or "").body
    ends = [at for at, one in enumerate(statements, 1) if isinstance(one, ast.ImportFrom) and one.module == _CLASSES]
    if not ends:  # not as in the versions that we know
        return import_module(_NAME)
    parts = [
        compile(ast.Module(part, []), spec.origin or _NAME, "exec", dont_inherit=True)
        for part in (statements[: ends[-1]], statements[ends[-1] :])
    ]
    sys.meta_path.insert(0, _InTwoParts(spec.loader, parts))
    import_module(_NAME)
    return sys.modules.pop(_NAME)

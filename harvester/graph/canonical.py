"""The canonical form of a sound's attributes, with interned texts.

Owns the table of interned texts and the orders of field names seen so far. Attributes that this module returns have
their keys in order and share no container with the caller's dict.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harvester.graph.attributes import FLAT, SHARED_TEXTS, in_order


class CanonicalForm:
    """Converts attributes to canonical form; each state has one of its own."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._orders: dict[tuple[str, ...], tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def attributes(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return attributes in canonical form: ordered, interned, copied."""
        names = tuple(attributes)
        found = self._orders.get(names)
        if found is None:
            order = tuple(self.text(name) for name in in_order(names))
            found = self._orders[names] = order, tuple(name for name in order if name in SHARED_TEXTS)
        order, shared = found
        kept: dict[str, Any] = {name: attributes[name] for name in order}
        texts: dict[str, str] = self._texts
        for name in shared:
            if type(text := kept[name]) is str:
                kept[name] = texts.setdefault(text, text)
        for name, value in kept.items():
            if type(value) not in FLAT:
                # Replacing the value of an existing key is safe while iterating over the dict.
                kept[name] = self._own(value, shared=name == "tags")
        return kept

    def share(self, many: Iterable[dict[str, Any]]) -> None:
        """Intern recurring texts in place, in otherwise canonical attributes."""
        texts: dict[str, str] = self._texts
        for attributes in many:
            for name in SHARED_TEXTS:
                text = attributes.get(name)
                if type(text) is str and (kept := texts.setdefault(text, text)) is not text:
                    attributes[name] = kept
            tags = attributes.get("tags")
            if type(tags) is list and set(map(type, tags)) == {str}:
                tags[:] = map(texts.setdefault, tags, tags)

    def _own(self, value: Any, *, shared: bool) -> Any:
        texts: dict[str, str] = self._texts
        if isinstance(value, dict):
            return {
                texts.setdefault(name, name): (
                    inner if type(inner := value[name]) in FLAT and not shared else self._own(inner, shared=shared)
                )
                for name in sorted(value)
            }
        if isinstance(value, list):
            if shared and set(map(type, value)) == {str}:
                return list(map(texts.setdefault, value, value))
            return [self._own(element, shared=shared) for element in value]
        return self.text(value) if shared and type(value) is str else value

    def text(self, text: str) -> str:
        """Return the interned object for all texts equal to this one."""
        return self._texts.setdefault(text, text)

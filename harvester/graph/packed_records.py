"""The attributes of sounds in a fourth of the memory of dicts.

Owns the packed form. A packed sound is one tuple: its shape, which is shared by all sounds with the same names and the
same kinds of addresses, then its values. Most of a record's bytes are a dozen addresses that say the same as its ids:
each group of them is kept as a template in the shape and one number. A template is learnt from what it must give back,
and used only where it does so exactly; whatever does not fit is kept as it is. Reading a sound makes a new dict, so
only `own` gives one that can be changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from harvester.graph.packed import PackedById

Attributes = dict[str, Any]

_GROUPS, _PAGE = ("previews", "images"), "url"
_GAP = "\0"
"""Stands in a template for what differs from sound to sound; an address that has it is kept as it is."""
_LINE = "\n"
_NUMBER = re.compile("(?:0|[1-9][0-9]{0,17})(?![0-9])")
_MOST_SHAPES = 4096
"""More shapes than these are no regularity: further sounds are kept as dicts."""


class _Template(NamedTuple):
    """Addresses with gaps, one a line; `names` are their keys in a group."""

    names: tuple[str, ...]
    text: str


class _Shape:
    """What packed sounds share: names, places of values, templates."""

    __slots__ = ("_pieces", "names", "places", "templates")

    def __init__(self, names: tuple[str, ...], templates: tuple[tuple[str, _Template], ...]) -> None:
        self.names = names
        self.places = {name: place for place, name in enumerate(names, 1)}
        self.templates = dict(templates)
        self._pieces = {name: template.text.split(_GAP) for name, template in templates}

    @property
    def is_full(self) -> bool:
        """Whether no other shape of these names can take less memory."""
        return all(name in self.templates for name in (*_GROUPS, _PAGE) if name in self.places)

    def packed(self, attributes: Attributes) -> tuple[Any, ...] | None:
        """Return packed attributes, which have the shape's names in order.

        None unless the templates give back what they have.
        """
        values, places = [self, *attributes.values()], self.places
        sound_id = attributes.get("id")
        if type(sound_id) is not int:
            return None
        part, user = "", 0
        for name, pieces in self._pieces.items():
            found = attributes[name]
            if name == _PAGE:
                if found != _page_part(attributes["username"], sound_id).join(pieces):
                    return None
                values[places[name]] = None
                continue
            if type(found) is not dict or tuple(found) != self.templates[name].names:
                return None
            try:
                lines = _LINE.join(found.values())
            except TypeError:  # not all are texts
                return None
            if not part or lines != part.join(pieces):  # all groups of most sounds have one number
                match = _NUMBER.match(lines, len(pieces[0]) + len(_file_part(sound_id, "")))
                if match is None or lines != (part := _file_part(sound_id, match[0])).join(pieces):
                    return None
                user = int(match[0])
            values[places[name]] = user
        return tuple(values)

    def unpacked(self, packed: tuple[Any, ...]) -> Attributes:
        attributes = dict(zip(self.names, packed[1:], strict=True))
        for name in self.templates:
            attributes[name] = self.addresses(name, packed)
        return attributes

    def addresses(self, name: str, packed: tuple[Any, ...]) -> Any:
        """Return what a template and a sound's own values give."""
        template, places = self.templates[name], self.places
        sound_id = packed[places["id"]]
        if name == _PAGE:
            return template.text.replace(_GAP, _page_part(packed[places["username"]], sound_id))
        lines = template.text.replace(_GAP, _file_part(sound_id, packed[places[name]])).split(_LINE)
        return dict(zip(template.names, lines, strict=True))


class PackedRecords(PackedById[Attributes]):
    """Attributes of sounds by id, packed when they are set with `pack`."""

    def __init__(self) -> None:
        super().__init__()
        self._shapes: dict[tuple[Any, ...], _Shape] = {}
        self._usual: dict[tuple[str, ...], _Shape] = {}
        """The last full shape of sounds with these names: most sounds have that of the one before."""

    def pack(self, sound_id: int, attributes: Attributes) -> None:
        """Keep attributes in packed form, or as they are if they do not fit."""
        names = tuple(attributes)
        usual = self._usual.get(names)
        if usual is not None and (packed := usual.packed(attributes)) is not None:
            self._kept[sound_id] = packed
            return
        values, templates = dict(attributes), []
        if type(attributes.get("id")) is int:
            for name in _GROUPS:
                if found := _packed_group(attributes["id"], attributes.get(name)):
                    values[name] = found[1]
                    templates.append((name, found[0]))
            if page := _packed_page(attributes):
                values[_PAGE] = None
                templates.append((_PAGE, page))
        shape = self._shape(names, tuple(templates))
        if shape is not None and shape.is_full:
            self._usual[names] = shape
        self._kept[sound_id] = attributes if shape is None else (shape, *values.values())

    def repack(self, sound_id: int) -> None:
        """Pack a sound's own dict, unless it is packed."""
        kept = self._kept[sound_id]
        if type(kept) is not tuple:
            self.pack(sound_id, kept)

    def extend(self, sound_id: int, more: Attributes) -> None:
        """Add attributes that a sound does not have yet."""
        kept = self._kept[sound_id]
        if type(kept) is tuple:
            shape = self._shape((*kept[0].names, *more), tuple(kept[0].templates.items()))
            if shape is not None:
                self._kept[sound_id] = (shape, *kept[1:], *more.values())
                return
        self.own(sound_id).update(more)

    def _shape(self, names: tuple[str, ...], templates: tuple[tuple[str, _Template], ...]) -> _Shape | None:
        """Return the shape that all such sounds share.

        None if there are too many shapes.
        """
        key = names, templates
        shape = self._shapes.get(key)
        if shape is None and len(self._shapes) < _MOST_SHAPES:
            shape = self._shapes[key] = _Shape(*key)
        return shape

    def value(self, sound_id: int, name: str, default: Any = None) -> Any:
        """Return one attribute of a sound, without making its dict."""
        kept = self._kept[sound_id]
        if type(kept) is not tuple:
            return kept.get(name, default)
        shape = kept[0]
        place = shape.places.get(name)
        if place is None:
            return default
        return shape.addresses(name, kept) if name in shape.templates else kept[place]

    def shared_id(self, sound_id: int) -> int:
        """Return the id as the object that the sound's record has."""
        found: int = self.value(sound_id, "id", sound_id)
        return found

    def stamps(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield each id with one attribute, or None; addresses are not given."""
        for sound_id, kept in self._kept.items():
            if type(kept) is tuple:
                place = kept[0].places.get(name)
                yield sound_id, None if place is None else kept[place]
            else:
                yield sound_id, kept.get(name)

    def __getitem__(self, sound_id: int) -> Attributes:
        kept = self._kept[sound_id]
        found: Attributes = kept[0].unpacked(kept) if type(kept) is tuple else kept
        return found

    def __setitem__(self, sound_id: int, attributes: Attributes) -> None:
        self._kept[sound_id] = attributes


def _file_part(sound_id: int, user: object) -> str:
    return f"/{sound_id // 1000}/{sound_id}_{user}"


def _page_part(username: object, sound_id: object) -> str:
    name = f"{username}".replace(" ", "%20")
    return f"/{name}/sounds/{sound_id}/"


def _packed_group(sound_id: int, group: object) -> tuple[_Template, int] | None:
    """Return the template of a dict of addresses and its uploader's number."""
    if type(group) is not dict or not group or set(map(type, group.values())) != {str}:
        return None
    lines = _LINE.join(group.values())
    if _GAP in lines or lines.count(_LINE) >= len(group):
        return None
    before = _file_part(sound_id, "")
    start = lines.find(before)
    found = _NUMBER.match(lines, start + len(before)) if start >= 0 else None
    if found is None:
        return None
    user = int(found[0])
    # The template gives the lines back whatever else they have: each gap was this very text.
    return _Template(tuple(group), lines.replace(_file_part(sound_id, user), _GAP)), user


def _packed_page(attributes: Attributes) -> _Template | None:
    page, username = attributes.get(_PAGE), attributes.get("username")
    if type(page) is not str or type(username) is not str or _GAP in page:
        return None
    part = _page_part(username, attributes["id"])
    return _Template((), page.replace(part, _GAP)) if part in page else None

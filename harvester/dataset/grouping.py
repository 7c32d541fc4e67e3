"""Group selected sounds by author or pack, and name their classes.

Owns what counts as one author. Users may rename themselves, so the number of the author's account is the key where the
library knows it: it is part of the addresses of previews. Sounds that share a number or a name belong together.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from harvester.dataset.splits import SoundGroup
from harvester.graph import Selected
from harvester.json_text import without_lone_surrogates
from harvester.records import value_of

GROUPINGS = ("user", "pack")
_FREQUENT_TAGS = 12
_OTHER = "other"
_ACCOUNT = re.compile(r"/(\d+)_(\d+)-[a-z]{2}\.(?:mp3|ogg)")
_PACK = re.compile(r"/packs/(\d+)/")


def group_sounds(selected: Selected, group_by: str) -> list[SoundGroup]:
    """Return the groups of the selected sounds, sorted by key.

    By `pack`, sounds without a pack are grouped by author. A sound without an author is a group of its own.
    """
    keys = _author_keys(selected)
    if group_by == "pack":
        for sound_id in selected.sound_ids:
            address = value_of(selected.state.attributes(sound_id), "pack") or ""
            if found := _PACK.search(address):
                keys[sound_id] = f"pack:{found[1]}"
    classes = _classes(selected)
    members: dict[str, list[int]] = {}
    for sound_id in selected.sound_ids:
        members.setdefault(keys[sound_id], []).append(sound_id)
    return [
        SoundGroup(key, tuple(ids), tuple(sorted(Counter(classes[one] for one in ids).items())))
        for key, ids in sorted(members.items())
    ]


def _author_keys(selected: Selected) -> dict[int, str]:
    """Return each sound's author: `user:15`, `name:anna` or `sound:7`."""
    names: dict[int, list[str]] = {}
    leaders: dict[str, str] = {}

    def leader(name: str) -> str:
        while (above := leaders.setdefault(name, name)) != name:
            leaders[name] = name = leaders[above]
        return name

    for sound_id in selected.sound_ids:
        attributes = selected.state.attributes(sound_id)
        account, username = account_of(attributes, sound_id), value_of(attributes, "username")
        known = [f"user:{account}"] if account is not None else []
        known += [f"name:{without_lone_surrogates(username.casefold())}"] if username else []
        names[sound_id] = known or [f"sound:{sound_id}"]
        # The smallest key leads: an account's number before a name, and a smaller number before a larger one.
        first, *others = sorted(map(leader, names[sound_id]), key=_rank)
        for other in others:
            leaders[other] = first
    return {sound_id: leader(known[0]) for sound_id, known in names.items()}


def _rank(key: str) -> tuple[bool, int, str]:
    kind, _, name = key.partition(":")
    return (False, int(name), "") if kind == "user" else (True, 0, key)


def account_of(attributes: dict[str, Any], sound_id: int) -> int | None:
    """Return the number of the uploader's account, or None if unknown."""
    for address in (value_of(attributes, "previews") or {}).values():
        found = _ACCOUNT.search(address)
        if found and int(found[1]) == sound_id:
            return int(found[2])
    return None


def _classes(selected: Selected) -> dict[int, str]:
    """Return each sound's category or, without one, its most frequent tag.

    A tag counts if it is one of the most frequent of the selection.
    """
    tags = {one: value_of(selected.state.attributes(one), "tags") or () for one in selected.sound_ids}
    counts = Counter(tag for several in tags.values() for tag in set(several))
    frequent = sorted(counts, key=lambda tag: (-counts[tag], tag))[:_FREQUENT_TAGS]
    classes = {}
    for sound_id in selected.sound_ids:
        category = value_of(selected.state.attributes(sound_id), "category")
        own = set(tags[sound_id])
        classes[sound_id] = category or next((tag for tag in frequent if tag in own), _OTHER)
    return classes

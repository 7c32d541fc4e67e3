"""Data of the map's page: arrays for the picture, texts for cards.

Invariant: the same selection gives the same data. The picture needs no texts: places, edges, sizes and colour groups
are small integers in base64. Addresses are stored as patterns with placeholders for id and user, so that all previews
share one pattern. Addresses that are not http(s), or whose host cannot exist, are dropped.
"""

from __future__ import annotations

import base64
import math
import re
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import numpy.typing as npt

from harvester.counts import counted
from harvester.graph import Selected, Surroundings
from harvester.library_source import is_made_up, is_sandbox
from harvester.map.arrangement import Arrange, arranged
from harvester.map.colors import DARK, LIGHT, OTHER
from harvester.map.context import ContextDots
from harvester.map.edges import DrawnEdges
from harvester.map.keeping import fetch_days, keeping_rules
from harvester.map.modes import REST, as_head, by_value, find_modes, most_telling
from harvester.map.nearest import NearestLists, nearest_columns
from harvester.records import license_name

_NO_TIMBRE = 255
_ISLANDS = 30
_UNRESERVED = "-_.!~*'()"


class MapData:
    """A map's data: `head` and `arrays` to draw, `sounds` for the texts.

    `arrange` decides where the sounds lie, and to which community each belongs.
    """

    def __init__(
        self,
        selected: Selected,
        title: str,
        ego: int | None = None,
        *,
        library: str = "",
        around: Surroundings | None = None,
        arrange: Arrange = arranged,
    ) -> None:
        self._selected = selected
        self._ids = selected.sound_ids
        self._known = list(selected.sounds())
        edges = DrawnEdges(selected)
        arrangement = arrange(selected, edges)
        self._communities, self._places = arrangement.communities, arrangement.places
        self.arrays = self._arrays(edges) | ({"alone": _bits(arrangement.alone)} if arrangement.alone.any() else {})
        counts = f"{counted(len(self._ids), 'sound')}, {edges.counts}"
        self.head: dict[str, Any] = {
            "title": title,
            "counts": counts,
            "sounds": len(self._ids),
            "wide": len(self._ids) > 65_535,
            "lowest": edges.low,
            "highest": edges.high,
            "kinds": edges.kinds,
            "looks": edges.looks,
            "sandbox": is_sandbox(selected.state.source),
            "ego": self._ids.index(ego) if ego is not None else -1,
        }
        self.head |= self._groups() | keeping_rules(selected.state, library)
        self.sounds = self._words() | fetch_days(self._known)
        if around is not None and around.near:
            self._surround(ContextDots(selected, around, self._places))

    def add_nearest(self, lists: NearestLists) -> None:
        """Add the nearest sounds by vectors, for the cards."""
        columns = nearest_columns(lists, self._ids)
        types = {"nearestCounts": "<u1", "nearest": "<u4" if self.head["wide"] else "<u2", "nearestScores": "<u2"}
        self.arrays |= {name: _packed(column, types[name]) for name, column in columns.items()}

    def _surround(self, dots: ContextDots) -> None:
        """Add the sounds around the selection."""
        self.head |= {"context": len(dots), "counts": f"{self.head['counts']}; {counted(len(dots), 'sound')} around"}
        self.sounds["context"] = dots.texts
        self.arrays["contextPlaces"] = _packed(dots.places, "<u2")
        self.arrays["contextDegrees"] = _packed(dots.degrees, "<u2")
        self.arrays["contextNear"] = _packed(dots.near, "<u4" if self.head["wide"] else "<u2")

    def _arrays(self, edges: DrawnEdges) -> dict[str, str]:
        downloads = [math.log1p(known.num_downloads or 0) for known in self._known]
        least = min(downloads, default=0.0)
        most = (max(downloads, default=0.0) - least) or 1.0
        span = (edges.high - edges.low) or 1.0
        lasting = [known.duration for known in self._known]
        # Only where several looks or some weights occur are there arrays for them.
        more = {"looks": _packed(edges.look, "<u1")} if len(edges.looks) > 1 else {}
        more |= {"weights": _packed(edges.weight, "<f4")} if len(edges.weight) else {}
        more |= self._timbres()
        strong = edges.strong()
        more |= {} if strong.all() else {"strong": _bits(strong)}
        scores = np.clip((edges.score - edges.low) / span, 0, 1)
        return more | {
            "places": _packed(self._places, "<u2"),
            "degrees": _packed(np.bincount(edges.source, minlength=len(self._ids)), "<u4"),
            "targets": _packed(edges.target, "<u4" if len(self._ids) > 65_535 else "<u2"),
            "scores": _packed(np.rint(scores * 65_535), "<u2"),
            "sizes": _packed(np.rint(((np.array(downloads) - least) / most) ** 1.5 * 255), "<u1"),
            "seconds": _packed(np.array([math.nan if one is None else one for one in lasting]), "<f4"),
        }

    def _timbres(self) -> dict[str, str]:
        """Return the timbres of made-up sounds, from which the page makes them."""
        made_up = [is_made_up({"url": known.url}) for known in self._known]
        if not any(made_up):
            return {}
        from harvester.sandbox import recipe_of

        timbres = [
            recipe_of({"id": sound_id, "tags": known.tags}).timbre if made else _NO_TIMBRE
            for sound_id, known, made in zip(self._ids, self._known, made_up, strict=True)
        ]
        return {"timbres": _packed(timbres, "<u1")}

    def _groups(self) -> dict[str, Any]:
        modes = find_modes(self._known, self._communities, self._places)
        exact = by_value("licenses", "", [known.license_name for known in self._known], most=REST)
        for mode in (*modes, exact):
            self.arrays[mode.key] = _packed(mode.groups, "<u1")
        return {
            "modes": [as_head(mode) for mode in modes],
            "mode": most_telling(modes),
            "palettes": {"light": [*LIGHT, OTHER["light"]], "dark": [*DARK, OTHER["dark"]]},
            "licenses": exact.labels,
            "islands": self._islands(),
        }

    def _islands(self) -> list[dict[str, Any]]:
        """Return the largest communities' names and places.

        A place is that of the sound nearest to the median.
        """
        islands = []
        named = zip(self._communities.names(), self._communities.members(), strict=True)
        for name, members in islice(named, _ISLANDS):
            places = self._places[members].astype(np.float64)
            away = ((places - np.median(places, axis=0)) ** 2).sum(axis=1)
            islands.append(
                {"name": name, "sound": int(members[int(away.argmin())]), "share": len(members) / len(self._ids)}
            )
        return islands

    def _words(self) -> dict[str, Any]:
        tags, users, categories, wishes, licenses = _Texts(), _Texts(), _Texts(), _Texts(), _Texts()
        addresses = _Addresses()
        columns: dict[str, list[Any]] = {}

        def put(**values: Any) -> None:
            for name, value in values.items():
                columns.setdefault(name, []).append(value)

        for name in ("names", "user", "uid", "tag", "license", "category", "wish", "page", "image", "preview"):
            columns[name] = []
        for sound_id, known in zip(self._ids, self._known, strict=True):
            user = known.username or ""
            previews, images = known.previews, known.images
            preview = previews.get("preview-lq-mp3") or previews.get("preview-hq-mp3") or previews.get("preview-lq-ogg")
            uid = addresses.uid_of(preview)
            places = " / ".join(filter(None, (known.category, known.subcategory)))
            downloads = known.num_downloads
            rating = known.avg_rating or 0.0
            put(
                names=known.name or "",
                user=users.place(user),
                uid=uid,
                tag=[tags.place(tag) for tag in known.tags],
                license=licenses.place(known.license or ""),
                category=categories.place(places),
                wish=wishes.place(known.gen_ai_wish),
                page=addresses.pattern(known.url, sound_id, user, uid),
                image=addresses.pattern(images.get("waveform_m") or images.get("waveform_l"), sound_id, user, uid),
                preview=addresses.pattern(preview, sound_id, user, uid),
                created=(known.value("created") or "")[:10],
                downloads=-1 if downloads is None else downloads,
                ratings=known.num_ratings or 0,
                rating=round(rating * 100),
                comments=known.num_comments or 0,
            )
        return {
            "ids": self._ids,
            **columns,
            "tags": tags.texts,
            "users": users.texts,
            "categories": categories.texts,
            "wishes": wishes.texts,
            "licenses": [[license_name(url) if url else "", url] for url in licenses.texts],
            "patterns": addresses.patterns.texts,
        }


class _Texts:
    """A table of texts, each stored once."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    @property
    def texts(self) -> list[str]:
        return list(self._places)

    def place(self, text: str) -> int:
        return self._places.setdefault(text, len(self._places))


class _Addresses:
    """Addresses as patterns with placeholders.

    They are {id}, {dir} (the id's thousands), {user} and {uid} (the uploader's number).
    """

    def __init__(self) -> None:
        self.patterns = _Texts()

    def uid_of(self, preview: object) -> int:
        match = re.search(r"/\d+_(\d{1,15})-", str(preview or ""))
        return int(match[1]) if match else 0

    def pattern(self, address: object, sound_id: int, user: str, uid: int) -> int:
        """Return an address's pattern number, or -1 if it cannot be opened."""
        text = str(address or "")
        if not _leads_somewhere(text):
            return -1
        parts = {"id": str(sound_id), "dir": str(sound_id // 1000), "user": quote(user, _UNRESERVED), "uid": str(uid)}
        pattern = text if "{" not in text else ""
        for old, new in (
            (f"/{parts['dir']}/{sound_id}_{uid}", "/{dir}/{id}_{uid}"),
            (f"/people/{parts['user']}/sounds/{sound_id}", "/people/{user}/sounds/{id}"),
        ):
            pattern = pattern.replace(old, new)
        filled = re.sub(r"\{(\w+)\}", lambda match: parts[match[1]], pattern)
        return self.patterns.place(pattern if filled == text else text.replace("{", "%7B"))


def _leads_somewhere(address: str) -> bool:
    """Tell whether an address is http(s) and its host can exist.

    No host exists under `.invalid` (RFC 2606).
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and not host.endswith(".invalid")


def _packed(values: Any, form: str) -> str:
    return base64.b64encode(np.asarray(values).astype(form).tobytes()).decode("ascii")


def _bits(marks: npt.NDArray[np.bool_]) -> str:
    return _packed(np.packbits(marks, bitorder="little"), "<u1")

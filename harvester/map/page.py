"""One HTML file that sends no request until its reader clicks.

Owns how the page is assembled: template, style and script from `page_parts/`, and the data as JSON that cannot close
its own element. A content security policy with the hashes of our script and style blocks every other script. `layout`
computes the places of the sounds.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected, Surroundings
from harvester.json_text import json_text
from harvester.map.local_previews import LocalPreviews
from harvester.map.vector_places import VectorPlaces

if TYPE_CHECKING:
    from harvester.map.data import MapData
    from harvester.map.nearest import NearestLists

_STYLES = ("style.css", "walking.css")
_SCRIPTS = (
    "shape.js", "data.js", "paint.js", "context.js", "move.js", "hit_test.js", "card.js", "nearest.js", "control.js",
    "synth.js", "source.js", "player.js", "search.js", "takeaway.js", "shortlist.js", "path.js", "address.js",
    "keys.js", "main.js",
)  # fmt: skip
_LIVE_SCRIPTS = (*_SCRIPTS, "live.js")


@dataclass(frozen=True, slots=True)
class PageData:
    """A map's data as JSON that a script element may hold.

    `plays_files`: the page plays previews that lie beside it.
    """

    title: str
    counts: str
    head: str
    arrays: str
    sounds: str
    plays_files: bool = False


def encode_map(
    selected: Selected,
    title: str,
    *,
    ego: int | None = None,
    library: str = "",
    around: Surroundings | None = None,
    vectors: VectorPlaces | None = None,
    local: LocalPreviews | None = None,
    nearest: NearestLists | None = None,
) -> Iterator[bytes]:
    """Yield the page in chunks; it opens at the sound `ego`.

    Maps of one `library`, by the name of its folder, share a shortlist. `around` are sounds to draw as faint dots. The
    page plays the `local` previews from their files. `nearest`: what cards list beside the similar lists. The layout is
    computed before the first chunk; it takes 1 to 6 s for 5,000 sounds. With `vectors` they decide on the places.
    Raises `SettingsError` without numpy and scipy.
    """
    try:
        from harvester.map.arrangement import arrange_by
        from harvester.map.data import MapData
    except ImportError as error:
        raise SettingsError(missing("the map", "numpy and scipy", "map")) from error
    data = MapData(selected, title, ego, library=library, around=around, arrange=arrange_by(vectors))
    if nearest:
        data.add_nearest(nearest)
    yield from encode_page(page_data(data, local))


def page_data(data: MapData, local: LocalPreviews | None = None, **more: Any) -> PageData:
    """Return the data of a page; `more` joins its head."""
    head, sounds = data.head | more, data.sounds
    if local is not None:
        head["previews"] = local.address
        sounds = sounds | {"local": local.column(sounds["ids"])}
    texts = script_json(head), script_json(data.arrays), script_json(sounds)
    return PageData(head["title"], head["counts"], *texts, plays_files=local is not None)


def encode_page(data: PageData, *, live: bool = False) -> Iterator[bytes]:
    """Yield the page in chunks; a `live` one asks its server for news."""
    style, script = _style(), _script(live)
    filling = {
        "policy": page_policy(live=live, plays_files=data.plays_files),
        "title": html.escape(data.title),
        "counts": html.escape(data.counts),
        "style": style,
        "script": script,
        "head": data.head,
        "arrays": data.arrays,
        "sounds": data.sounds,
    }
    for place, piece in enumerate(_asset("page.html").split("{{")):
        name, _, rest = piece.partition("}}")
        text = piece if place == 0 else filling[name] + rest
        yield text.encode()


def page_policy(*, live: bool = False, plays_files: bool = False) -> str:
    """Return the content security policy of the page.

    A `live` page may also ask the server that it came from. A page that was opened from a file has no origin of its
    own: `file:` allows the files beside it.
    """
    own, asking = (" 'self'", "connect-src 'self'; ") if live else ("", "")
    media = f"{own} http: https:" if live or not plays_files else " 'self' file: http: https:"
    return (
        f"default-src 'none'; script-src '{_hash(_script(live))}'; style-src '{_hash(_style())}'; {asking}"
        f"img-src{own} http: https: data:; media-src{media}; base-uri 'none'; form-action 'none'"
    )


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element.

    It can neither close the element nor begin a comment.
    """
    return json_text(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _style() -> str:
    return "".join(map(_asset, _STYLES))


def _script(live: bool) -> str:
    return "(() => {\n'use strict';\n" + "\n".join(map(_asset, _LIVE_SCRIPTS if live else _SCRIPTS)) + "})();\n"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _asset(name: str) -> str:
    return (files("harvester.map") / "page_parts" / name).read_text(encoding="utf-8")

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
from importlib.resources import files
from typing import Any

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected, Surroundings
from harvester.json_text import json_text
from harvester.map.local_previews import LocalPreviews

_LOCAL_MEDIA = "'self' file: "
"""A page that was opened from a file has no origin of its own: `file:` allows the files beside it."""
_STYLES = ("style.css", "walking.css")
_SCRIPTS = (
    "data.js", "paint.js", "context.js", "move.js", "hit_test.js", "card.js", "control.js", "synth.js", "source.js",
    "player.js", "search.js", "takeaway.js", "shortlist.js", "path.js", "address.js", "keys.js", "main.js",
)  # fmt: skip


def encode_map(
    selected: Selected,
    title: str,
    *,
    ego: int | None = None,
    library: str = "",
    around: Surroundings | None = None,
    local: LocalPreviews | None = None,
) -> Iterator[bytes]:
    """Yield the page in chunks; it opens at the sound `ego`.

    Maps of one `library`, by the name of its folder, share a shortlist. `around` are sounds to draw as faint dots. The
    page plays the `local` previews from their files. The layout is computed before the first chunk; it takes about 5 s
    for 5,000 sounds. Raises `SettingsError` without numpy and scipy.
    """
    try:
        from harvester.map.data import MapData
    except ImportError as error:
        raise SettingsError(missing("the map", "numpy and scipy", "map")) from error
    data = MapData(selected, title, ego, library=library, around=around)
    if local is not None:
        data.head["previews"] = local.address
        data.sounds["local"] = local.column(selected.sound_ids)
    style = "".join(map(_asset, _STYLES))
    script = "(() => {\n'use strict';\n" + "\n".join(map(_asset, _SCRIPTS)) + "})();\n"
    media = "http: https:" if local is None else _LOCAL_MEDIA + "http: https:"
    filling = {
        "policy": f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"img-src http: https: data:; media-src {media}; base-uri 'none'; form-action 'none'",
        "title": html.escape(title),
        "counts": html.escape(data.head["counts"]),
        "style": style,
        "script": script,
        "head": script_json(data.head),
        "arrays": script_json(data.arrays),
        "sounds": script_json(data.sounds),
    }
    for place, piece in enumerate(_asset("page.html").split("{{")):
        name, _, rest = piece.partition("}}")
        text = piece if place == 0 else filling[name] + rest
        yield text.encode()


def script_json(value: Any) -> str:
    """Return JSON that is safe inside a script element.

    It can neither close the element nor begin a comment.
    """
    return json_text(value).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _asset(name: str) -> str:
    return (files("harvester.map") / "page_parts" / name).read_text(encoding="utf-8")

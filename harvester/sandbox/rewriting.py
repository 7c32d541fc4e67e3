"""Rewrite a filter as the server does before it sends it to its index.

The server edits the filter as text and does not parse it, so it changes the inside of quotes too. The order of the
steps matters.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote

from harvester.sandbox.fields import TRANSLATED

_BOX = re.compile(r'geotag:"Intersects\((.+?) (.+?) (.+?) (.+?)\)"')
_NAME = re.compile(r"\b[A-Za-z_]+:")


@lru_cache(maxsize=256)
def rewrite(text: str) -> str:
    """Return the index's query for a filter, stripped and not blank."""
    text = unquote(text)
    text = " ".join(map(_translate, text.split(" ")))
    text = text.replace("created:", "created_range:")
    text = _BOX.sub(r'geotag:["\2,\1" TO "\4,\3"]', text)
    text = _NAME.sub(r"+\g<0>", text)
    text = re.sub(r"\++", "+", text).replace("-+", "-")
    return text.removesuffix("+")


def _translate(piece: str) -> str:
    """Translate the name that starts a piece, wherever the piece has it."""
    name = piece.partition(":")[0]
    known = TRANSLATED.get(name) if len(name) < len(piece) else None
    return piece.replace(f"{name}:", f"{known}:") if known else piece

"""What a request asks for: decided on the bytes of its target.

Invariant: nothing is decoded, joined or normalised. A target is one of the few exact forms below, or it is nothing; so
there is no traversal to refuse. The token is compared in constant time, before anything else of the path.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal

_NUMBER = r"[0-9]{1,18}"
_CHANGES = re.compile(rf"changes\?after=({_NUMBER})")
_PREVIEW = re.compile(r"previews/([0-9]{1,15}\.(?:ogg|mp3))")


@dataclass(frozen=True, slots=True)
class PagePart:
    """A part of the page: `page`, `changes` or `preview`, or where it is.

    `after` is the version that the client has; `name` is a preview's file. `moved`: the page with the slash left out.
    """

    part: Literal["page", "changes", "preview", "moved"]
    after: int = 0
    name: str = ""


def read_target(target: str, token: str) -> PagePart | None:
    """Return what a request's target names, or None for anything else."""
    given, slash, rest = target.removeprefix("/").partition("/")
    if not target.startswith("/") or not compare_digest(given.encode(errors="replace"), token.encode()):
        return None
    if not slash:
        return PagePart("moved")
    if not rest:
        return PagePart("page")
    if found := _CHANGES.fullmatch(rest):
        return PagePart("changes", after=int(found[1]))
    if found := _PREVIEW.fullmatch(rest):
        return PagePart("preview", name=found[1])
    return None


def is_own_host(host: str, port: int) -> bool:
    """Tell whether a Host header names this server.

    A page of another site can make its own name lead to 127.0.0.1; its requests then name that host.
    """
    return host.lower() in (f"127.0.0.1:{port}", f"localhost:{port}")

"""The map: a page on which every sound has a place."""

from __future__ import annotations

from harvester.map.page import encode_map

__all__ = ["encode_map"]

"""The map: an HTML page that shows every selected sound as a dot, near the sounds it resembles."""

from __future__ import annotations

from harvester.map.page import encode_map

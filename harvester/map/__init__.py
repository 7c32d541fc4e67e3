"""The map: an HTML page of sounds as dots, similar ones close."""

from __future__ import annotations

from harvester.map.page import encode_map
from harvester.map.static import COLOR_KEYS, PICTURE_FORMS, PictureSize, encode_picture

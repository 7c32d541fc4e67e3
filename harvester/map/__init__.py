"""The map: an HTML page of sounds as dots, similar ones close."""

from __future__ import annotations

from harvester.map.live import LiveContent, LiveMap, LiveVersion, live_policy
from harvester.map.local_previews import LocalPreviews
from harvester.map.nearest import MOST_NEAREST, MOST_WITH_NEAREST, NearestLists
from harvester.map.page import encode_map
from harvester.map.picture_form import COLOR_KEYS, LAYOUT_KEYS, PICTURE_FORMS, PictureSize
from harvester.map.static import encode_picture
from harvester.map.vector_places import VectorPlaces, require_vector_layout

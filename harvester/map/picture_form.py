"""What may be chosen of a static map: its form, its size, its colours."""

from __future__ import annotations

from dataclasses import dataclass

PICTURE_FORMS = ("svg", "pdf", "png")
LAYOUT_KEYS = ("auto", "graph", "vectors")
"""What may decide on the places of sounds: their edges, their vectors, or what there is."""

COLOR_KEYS = ("category", "community", "license", "user")
"""By what the sounds may be coloured: the modes of the interactive map."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """The size of a picture in millimetres; `dpi` is for what is no vector."""

    width_mm: float = 180.0
    height_mm: float = 180.0
    dpi: int = 300

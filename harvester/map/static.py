"""The static map, where matplotlib is installed."""

from __future__ import annotations

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected, Surroundings
from harvester.map.picture_form import PictureSize
from harvester.map.vector_places import VectorPlaces


def encode_picture(
    selected: Selected,
    title: str,
    size: PictureSize,
    form: str,
    *,
    color_by: str | None = None,
    ego: int | None = None,
    around: Surroundings | None = None,
    vectors: VectorPlaces | None = None,
) -> bytes:
    """Return the map as a picture; one of `PICTURE_FORMS`.

    `color_by` is one of `COLOR_KEYS`, by default the colouring that tells most; a ring marks the sound `ego`. `around`
    are sounds to draw as faint dots. With `vectors` they decide on the places. Raises `SettingsError` without numpy and
    scipy, and without matplotlib.
    """
    try:
        from harvester.map.arrangement import arrange_by
        from harvester.map.data import MapData
    except ImportError as error:
        raise SettingsError(missing("the map", "numpy and scipy", "map")) from error
    try:
        from harvester.map.picture import draw_picture
    except ImportError as error:
        raise SettingsError(missing("map --static", "matplotlib", "plot")) from error
    data = MapData(selected, title, ego, around=around, arrange=arrange_by(vectors))
    return draw_picture(data, size, form, color_by=color_by)

"""A map page that follows its library: each version of its data.

Owns what the served page gets: the whole page, and later the same data once more when it has changed. `growing` keeps
the picture recognisable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from harvester.errors import SettingsError
from harvester.extras import missing
from harvester.graph import Selected, Surroundings
from harvester.map.local_previews import LocalPreviews
from harvester.map.nearest import NearestLists
from harvester.map.page import PageData, encode_page, page_data, page_policy

if TYPE_CHECKING:
    from harvester.map.data import MapData


class LiveContent(NamedTuple):
    """What a live map shows at one time.

    It opens at the sound `ego`; `around` are sounds to draw as faint dots, `local` previews are those of the server,
    and `nearest` is what cards list beside the similar lists.
    """

    selected: Selected
    ego: int | None = None
    around: Surroundings | None = None
    local: LocalPreviews | None = None
    nearest: NearestLists | None = None


class LiveVersion:
    """One version of a live map."""

    def __init__(self, number: int, data: PageData) -> None:
        self.number = number
        self._data = data

    def page(self) -> bytes:
        """Return the whole page."""
        return b"".join(encode_page(self._data, live=True))

    def content(self) -> bytes:
        """Return the data alone, as a JSON object."""
        data = self._data
        return f'{{"head":{data.head},"arrays":{data.arrays},"sounds":{data.sounds}}}'.encode()


class LiveMap:
    """The versions of one library's map; `title` is its heading.

    `library` is the name of the library's folder. Raises `SettingsError` without numpy and scipy.
    """

    def __init__(self, title: str, library: str) -> None:
        try:
            from harvester.map.growing import GrowingMap
        except ImportError as error:
            raise SettingsError(missing("the map", "numpy and scipy", "map")) from error
        self._growing = GrowingMap(title, library)
        self._number = 0

    @property
    def is_due(self) -> bool:
        """Tell whether the map has grown so much that it needs a layout."""
        return self._growing.is_due

    def show(self, shown: LiveContent) -> LiveVersion:
        """Return the next version, with what it shows now.

        Known sounds stay where they are. It takes about half a second for 5,000 sounds.
        """
        return self._next(self._growing.show(shown.selected, shown.ego, shown.around), shown)

    def lay_out(self, shown: LiveContent) -> LiveVersion:
        """Return the next version, laid out; it takes 1 to 6 s for 5,000."""
        return self._next(self._growing.lay_out(shown.selected, shown.ego, shown.around), shown)

    def _next(self, data: MapData, shown: LiveContent) -> LiveVersion:
        self._number += 1
        if shown.nearest:
            data.add_nearest(shown.nearest)
        return LiveVersion(self._number, page_data(data, shown.local, version=self._number))


def live_policy() -> str:
    """Return the content security policy of a live page, for its header."""
    return f"{page_policy(live=True)}; frame-ancestors 'none'"

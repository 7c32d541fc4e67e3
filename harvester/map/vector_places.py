"""What a layout by vectors needs of the vectors: the caller reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harvester.errors import SettingsError
from harvester.extras import missing

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class VectorPlaces:
    """Vectors of the sounds `ids`, ascending, and their nearest neighbours.

    `vectors` has shape (n, dimension); `nearest` (places in `ids`) and `distances` have shape (n, k), the nearest
    first.
    """

    ids: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    nearest: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float64]

    def places(self, sound_ids: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return the place of each sound, NaN for those without a vector."""
        import numpy as np

        from harvester.map.by_vectors import place_by_vectors

        places = np.full((len(sound_ids), 2), np.nan)
        order = {sound_id: at for at, sound_id in enumerate(sound_ids)}
        places[[order[one] for one in self.ids.tolist()]] = place_by_vectors(self.vectors, self.nearest, self.distances)
        return places


def require_vector_layout() -> None:
    """Raise `SettingsError` unless the map and openTSNE are installed."""
    try:
        from harvester.map.by_vectors import require_tsne
    except ImportError as error:
        raise SettingsError(missing("the map", "numpy and scipy", "map")) from error
    require_tsne()

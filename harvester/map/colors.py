"""The colours of a map, and which island gets which.

Invariant: readers with any of the three kinds of colour blindness tell the twelve colours apart as well as others do,
on light and on dark paper (`tests/unit/map/test_colors.py` has the figures). More than twelve islands repeat colours,
given out as on a political map: islands that lie close get colours that look far apart. Equal places give equal
colours.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

LIGHT = (
    "#3c3ce1", "#e19600", "#e14b4b", "#2d9678", "#00b4e1", "#87003c",
    "#5a7800", "#a578a5", "#693c00", "#692d87", "#1e5a5a", "#8778ff",
)  # fmt: skip
DARK = (
    "#3c78ff", "#ffe100", "#d24b00", "#00875a", "#69c3c3", "#d26987",
    "#87b40f", "#9678b4", "#c3a578", "#ff87ff", "#00ffa5", "#d2e1ff",
)  # fmt: skip
"""The colours of groups on light and on dark paper; a group has the same place in both."""

COUNT = len(LIGHT)

OTHER = {"light": "#a9a69e", "dark": "#5d6673"}
"""The colour of sounds in none of the shown groups."""

UNCOLORED = 255
"""The number of the group whose sounds have the colour `OTHER`."""

APART = (
    (0, 47, 46, 13, 17, 28, 21, 14, 40, 13, 14, 16),
    (47, 0, 16, 22, 39, 32, 17, 19, 16, 20, 16, 23),
    (46, 16, 0, 13, 40, 13, 12, 29, 20, 28, 17, 46),
    (13, 22, 13, 0, 15, 13, 18, 16, 16, 35, 21, 14),
    (17, 39, 40, 15, 0, 18, 17, 13, 20, 13, 15, 14),
    (28, 32, 13, 13, 18, 0, 22, 14, 13, 16, 14, 32),
    (21, 17, 12, 18, 17, 22, 0, 21, 13, 26, 17, 22),
    (14, 19, 29, 16, 13, 14, 21, 0, 17, 16, 22, 18),
    (40, 16, 20, 16, 20, 13, 13, 17, 0, 12, 15, 30),
    (13, 20, 28, 35, 13, 16, 26, 16, 12, 0, 16, 15),
    (14, 16, 17, 21, 15, 14, 17, 22, 15, 16, 0, 19),
    (16, 23, 46, 14, 14, 32, 22, 18, 30, 15, 19, 0),
)  # fmt: skip
"""How far apart two colours look at least, on either paper, to readers with any vision (CAM02-UCS)."""

_NEAREST, _FAR_ENOUGH = 4, 14
_QUANTILE = 0.05
_MOST_DOTS = 300


def color_islands(places: npt.NDArray[np.uint16], members: list[npt.NDArray[np.int64]]) -> list[int]:
    """Return the number of each island's colour, the largest island first.

    `members` are the places of each island's sounds. Each island takes the colour that looks farthest from those of
    the islands nearest to it; of those far enough the least used. Up to twelve islands all have a colour of their own.
    """
    near = _neighbours([places[one].astype(np.float64) for one in members])
    chosen: list[int] = []
    for one in range(len(members)):
        around = [chosen[other] for other in near[one] if other < one]
        used = [chosen.count(color) for color in range(COUNT)]
        far = [min((APART[color][other] for other in around), default=0) for color in range(COUNT)]
        # Each colour is used once before any is used twice, where there are enough for all.
        free = [color for color in range(COUNT) if len(members) > COUNT or not used[color]]
        enough = min(max(far[color] for color in free), _FAR_ENOUGH)
        fitting = [color for color in free if far[color] >= enough]
        chosen.append(min(fitting, key=lambda color: (used[color], -far[color], color)))
    return chosen


def _neighbours(islands: list[npt.NDArray[np.float64]]) -> list[set[int]]:
    """Return the islands nearest to each, in both directions."""
    few = [one[:: -(-len(one) // _MOST_DOTS)] for one in islands]
    trees = [cKDTree(one) for one in few]
    apart = np.full((len(few), len(few)), np.inf)
    for one in range(len(few)):
        for other in range(one):
            # How far the closest dots of one are from the other: whole islands may touch at a corner.
            ways = trees[other].query(few[one])[0], trees[one].query(few[other])[0]
            apart[one, other] = apart[other, one] = round(min(float(np.quantile(way, _QUANTILE)) for way in ways), 3)
    near = [set[int]() for _ in few]
    for one in range(len(few)):
        for other in np.argsort(apart[one], kind="stable")[:_NEAREST].tolist():
            if other != one and np.isfinite(apart[one, other]):
                near[one].add(other)
                near[other].add(one)
    return near

"""Draw edges as one picture: how strongly lines cover each pixel.

Hundreds of thousands of lines as vectors make a file that no viewer opens. The weights and tones are those of the
interactive map (`page_parts/paint.js`): long lines are fainter, and dense places do not become a flat grey.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

INK = (72, 84, 104)
_POINTS_AT_ONCE = 1_000_000
"""More points take more memory, and less than a tenth of the time away."""

_LONG_PX, _FAINTEST = 60.0, 0.05
_DARKEST, _CONTRAST = 175 / 255, 1.8
_LEAST_MEAN = 110 / 256
"""So that few edges stay thin: a map with one edge has no dark line."""


def edge_picture(
    starts: Floats, ends: Floats, strengths: Floats, width_px: int, height_px: int, *, scale: float = 1.0
) -> npt.NDArray[np.uint8]:
    """Return the lines as a picture, shape (height, width, 4), in RGBA.

    `starts` and `ends` are places in pixels from the top left, shape (n, 2); `strengths` are from 0 to 1. `scale` is
    the number of pixels to one of a screen. Lines outside the picture are cut.
    """
    cover = np.zeros(width_px * height_px)
    along = ends - starts
    longest = np.maximum(np.abs(along).max(axis=1, initial=0.0), 1e-9)
    steps = np.ceil(longest).astype(np.int64) + 1
    weights = strengths * np.clip(_LONG_PX * scale / longest, _FAINTEST, 1.0)
    last = np.cumsum(steps)
    begin = 0
    while begin < len(steps):
        done = last[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(last, done + _POINTS_AT_ONCE, side="right")))
        _add(cover, starts[begin:end], along[begin:end], steps[begin:end], weights[begin:end], width_px, height_px)
        begin = end
    return _toned(cover).reshape(height_px, width_px, 4)


def _add(
    cover: Floats,
    starts: Floats,
    along: Floats,
    steps: npt.NDArray[np.int64],
    weights: Floats,
    width_px: int,
    height_px: int,
) -> None:
    """Add lines; the two pixels across a line share its weight."""
    line = np.repeat(np.arange(len(steps)), steps)
    first = np.cumsum(steps) - steps
    part = (np.arange(len(line)) - first[line]) / np.maximum(steps - 1, 1)[line]
    points = starts[line] + along[line] * part[:, None]
    across = (np.abs(along[:, 0]) >= np.abs(along[:, 1])).astype(np.int64)[line]
    corners = np.floor(points).astype(np.int64)
    shares = np.take_along_axis(points - corners, across[:, None], axis=1)[:, 0]
    for step, share in ((0, 1 - shares), (1, shares)):
        column = corners[:, 0] + step * (1 - across)
        row = corners[:, 1] + step * across
        inside = (column >= 0) & (column < width_px) & (row >= 0) & (row < height_px)
        cover += np.bincount(
            (row * width_px + column)[inside], weights=(weights[line] * share)[inside], minlength=len(cover)
        )


def _toned(cover: Floats) -> npt.NDArray[np.uint8]:
    touched = cover[cover > 0]
    mean = max(float(touched.mean()) if len(touched) else 0.0, _LEAST_MEAN)
    alpha = _DARKEST * (1 - np.exp(-cover / mean / _CONTRAST))
    picture = np.empty((len(cover), 4), dtype=np.uint8)
    picture[:, :3] = INK
    picture[:, 3] = np.rint(alpha * 255)
    return picture

"""The map as one picture: SVG, PDF or PNG, without a browser.

Owns the layout of the page: title, map, legend, all in millimetres. Places, sizes and groups are those of the
interactive map (`MapData`), the colours those of its light theme. Invariant: the same data and the same versions of
packages give the same bytes; fonts and styles are those that come with matplotlib, never the user's. Needs numpy, scipy
and matplotlib.
"""

from __future__ import annotations

import base64
import io
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from harvester.map.colors import LIGHT, OTHER
from harvester.map.data import MapData
from harvester.map.density import Floats, edge_picture
from harvester.map.layout import SPAN
from harvester.map.picture_form import PictureSize
from harvester.map.picture_text import cut_to, size_mm, text_mm
from harvester.terminal_text import escape_line

MARK, INK, SOFT, CONTEXT = "#b3261e", "#1d2126", "#5d6570", "#c3c0b8"

_MM = 72 / 25.4
_MARGIN_MM = 5.0
_TITLE_PT, _LEAST_TITLE_PT, _SMALL_PT, _LABEL_PT = 11.0, 7.0, 6.5, 6.5
_ORDINARY_MM, _LEAST_FACTOR, _MOST_FACTOR = 150.0, 0.8, 1.25
"""Texts have these sizes where the shorter side is so long; on other pages they shrink and grow a little."""

_ROW_MM, _SWATCH_MM, _GAP_MM = 3.4, 3.0, 4.0
_LONGEST_LABEL_MM = 46.0
_MOST_ROWS = 24
"""The most groups in the legend; the names of others stand on their islands."""

_RIM_MM = 2.5
"""Free space around the map, for the dots at its edge."""

_LEAST_RADIUS_PT, _MOST_RADIUS_PT, _SIZES_A_PT = 0.4, 7.0, 10
_CONTEXT_RADIUS_PT = 0.6
_EDGE_DPI = 300.0
"""The picture of the edges is not finer than this: it would only take room."""

_STYLE: dict[str, Any] = {"svg.hashsalt": "harvester", "svg.fonttype": "path", "pdf.fonttype": 42}
_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
}


def draw_picture(data: MapData, size: PictureSize, form: str, *, color_by: str | None) -> bytes:
    """Return the picture as a file of the form `svg`, `pdf` or `png`.

    `color_by` is one of `COLOR_KEYS`; None: the colouring that the page opens with.
    """
    file = io.BytesIO()
    with style.context(["default", _STYLE]), warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; one warning for each letter is of no use.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(size.width_mm / 25.4, size.height_mm / 25.4), dpi=size.dpi, facecolor="white")
        _Page(figure, data, size, form, color_by).draw()
        figure.savefig(file, format=form, dpi=size.dpi, metadata=_METADATA[form])
    return file.getvalue()


class _Page:
    """One picture while it is drawn."""

    def __init__(self, figure: Figure, data: MapData, size: PictureSize, form: str, color_by: str | None) -> None:
        self._figure, self._size, self._form = figure, size, form
        self._head, self._arrays = data.head, data.arrays
        modes: list[dict[str, Any]] = data.head["modes"]
        opened: int = data.head["mode"]
        self._mode = next((mode for mode in modes if mode["key"] == color_by), modes[opened])
        self._inner_mm = size.width_mm - 2 * _MARGIN_MM
        factor = min(max(min(size.width_mm, size.height_mm) / _ORDINARY_MM, _LEAST_FACTOR), _MOST_FACTOR)
        self._small_pt, self._label_pt, self._row_mm = _SMALL_PT * factor, _LABEL_PT * factor, _ROW_MM * factor
        self._title_pt = _TITLE_PT * factor

    def draw(self) -> None:
        """Draw title, legend and map from the top and the bottom inwards."""
        top_mm = self._draw_title()
        bottom_mm = self._draw_legend()
        axes = self._fit(self._inner_mm, max(self._size.height_mm - top_mm - bottom_mm, 1.0), bottom_mm)
        self._draw_edges(axes)
        self._draw_context(axes)
        radii_pt = self._draw_dots(axes)
        self._draw_labels(axes)
        ego = self._head["ego"]
        if ego >= 0:
            x_mm, y_mm = self._mm[ego]
            axes.scatter(
                x_mm, y_mm, s=(2 * radii_pt[ego] + 6) ** 2, facecolors="none", edgecolors=MARK, linewidths=1.2,
                zorder=4, clip_on=False,
            )  # fmt: skip

    def _array(self, name: str, form: str) -> npt.NDArray[Any]:
        return np.frombuffer(base64.b64decode(self._arrays[name]), dtype=form)

    def _fit(self, width_mm: float, height_mm: float, bottom_mm: float) -> Axes:
        """Return axes in millimetres, in the middle of a room.

        `_mm` are then the places in it, which fill it in one direction.
        """
        places = self._array("places", "<u2").reshape(-1, 2).astype(np.float64)
        outside = self._array("contextPlaces", "<u2").reshape(-1, 2) if self._head.get("context") else places[:0]
        every = np.concatenate([places, outside])
        lowest = every.min(axis=0) if len(every) else np.zeros(2)
        extent = np.maximum((every.max(axis=0) if len(every) else lowest) - lowest, 1.0)
        room = np.maximum(np.array([width_mm, height_mm]) - 2 * _RIM_MM, 1.0)
        self._scale_mm = float((room / extent).min())
        self._room_mm = extent * self._scale_mm + 2 * _RIM_MM
        self._mm = (places - lowest) * self._scale_mm + _RIM_MM
        self._outside_mm = (outside - lowest) * self._scale_mm + _RIM_MM
        width, height = self._size.width_mm, self._size.height_mm
        left = (width - self._room_mm[0]) / 2
        bottom = bottom_mm + (height_mm - self._room_mm[1]) / 2
        axes = self._figure.add_axes(
            (left / width, bottom / height, self._room_mm[0] / width, self._room_mm[1] / height)
        )
        axes.set_axis_off()
        axes.set_xlim(0, self._room_mm[0])
        axes.set_ylim(self._room_mm[1], 0)
        return axes

    def _write(self, left_mm: float, top_mm: float, text: str, size_pt: float, **more: Any) -> None:
        self._figure.text(
            left_mm / self._size.width_mm, 1 - top_mm / self._size.height_mm, text, fontsize=size_pt, va="center",
            parse_math=False, **more,
        )  # fmt: skip

    def _draw_title(self) -> float:
        """Draw the title and the counts; return the millimetres they take."""
        title, title_pt = escape_line(self._head["title"]), self._title_pt
        while title_pt > _LEAST_TITLE_PT and size_mm(title, title_pt, bold=True)[0] > self._inner_mm:
            title_pt -= 0.5
        title = cut_to(title, self._inner_mm, title_pt, bold=True)
        counts = f"{self._head['counts']}{'; made-up sounds' if self._head['sandbox'] else ''}"
        self._write(_MARGIN_MM, _MARGIN_MM + 2, title, title_pt, color=INK, fontweight="bold")
        counts = cut_to(counts, self._inner_mm, self._small_pt)
        self._write(_MARGIN_MM, _MARGIN_MM + 2 + 1.4 * self._row_mm, counts, self._small_pt, color=SOFT)
        return _MARGIN_MM + 3 + 2 * self._row_mm

    def _draw_legend(self) -> float:
        """Draw the groups in columns at the bottom; return the height."""
        shown = self._mode["labels"][:_MOST_ROWS]
        labels = [
            (group, cut_to(escape_line(label), _LONGEST_LABEL_MM, self._small_pt), f"{sounds:,}")
            for group, label, sounds in shown
        ]
        rows, widths_mm = next(
            (rows, widths_mm)
            for rows in range(1, len(labels) + 2)
            if sum(widths_mm := _column_widths(labels, rows, self._small_pt)) - _GAP_MM <= self._inner_mm
            or rows > len(labels)
        )
        height_mm = _MARGIN_MM + (rows + 1) * self._row_mm
        top_mm = self._size.height_mm - height_mm + self._row_mm / 2
        name = f"{self._mode['name']}: number of sounds"
        self._write(_MARGIN_MM, top_mm, name, self._small_pt, color=SOFT)
        for place, (group, label, count) in enumerate(labels):
            column = place // rows
            left_mm = _MARGIN_MM + sum(widths_mm[:column])
            at_mm = top_mm + (place % rows + 1) * self._row_mm
            self._write(left_mm + _SWATCH_MM, at_mm, label, self._small_pt, color=INK)
            end_mm = left_mm + widths_mm[column] - _GAP_MM
            self._write(end_mm, at_mm, count, self._small_pt, color=SOFT, ha="right")
            self._swatch(left_mm + 0.9, at_mm, color_of(self._mode, group))
        return height_mm + 2

    def _swatch(self, left_mm: float, top_mm: float, color: str) -> None:
        from matplotlib.patches import Ellipse

        width, height = self._size.width_mm, self._size.height_mm
        middle = left_mm / width, 1 - top_mm / height
        self._figure.add_artist(Ellipse(middle, 1.8 / width, 1.8 / height, facecolor=color, linewidth=0))

    def _draw_edges(self, axes: Axes) -> None:
        dpi = min(self._size.dpi, _EDGE_DPI)
        width_px, height_px = (max(int(side / 25.4 * dpi), 1) for side in self._room_mm)
        degrees = self._array("degrees", "<u4" if len(self._arrays["degrees"]) > 3 * self._head["sounds"] else "<u2")
        target = self._array("targets", "<u4" if self._head["wide"] else "<u2").astype(np.int64)
        if not len(target):
            return
        source = np.repeat(np.arange(len(degrees)), degrees)
        at_px: Floats = self._mm / self._room_mm * np.array([width_px, height_px])
        strengths = 0.3 + 0.7 * self._array("scores", "<u2") / 65_535
        if "strong" in self._arrays:
            drawn = np.unpackbits(self._array("strong", "<u1"), bitorder="little")[: len(target)] > 0
            source, target, strengths = source[drawn], target[drawn], strengths[drawn]
        picture = edge_picture(at_px[source], at_px[target], strengths, width_px, height_px, scale=dpi / 96)
        axes.imshow(
            picture, extent=(0, self._room_mm[0], self._room_mm[1], 0), aspect="auto", zorder=1,
            interpolation="nearest" if self._form == "png" else "none",
        )  # fmt: skip

    def _draw_context(self, axes: Axes) -> None:
        """Draw the sounds around the selection, small and grey."""
        if len(self._outside_mm):
            axes.scatter(
                self._outside_mm[:, 0], self._outside_mm[:, 1], s=(2 * _CONTEXT_RADIUS_PT) ** 2, c=CONTEXT, zorder=1.5,
                clip_on=False, linewidths=0,
            )  # fmt: skip

    def _draw_dots(self, axes: Axes) -> Floats:
        """Draw the sounds, the largest first; return their radii in points."""
        sizes = self._array("sizes", "<u1")
        spacing = SPAN * 0.6 / np.sqrt(max(len(sizes), 1))
        wanted = spacing * self._scale_mm * _MM * (0.24 + 0.46 * sizes / 255)
        # A few sizes: each is one path in a file of vectors, which every dot of that size names.
        radii: Floats = np.rint(np.clip(wanted, _LEAST_RADIUS_PT, _MOST_RADIUS_PT) * _SIZES_A_PT) / _SIZES_A_PT
        groups = self._array(self._mode["key"], "<u1")
        has_rim = bool(len(radii)) and float(np.median(radii)) > 1.0
        for radius in sorted(set(radii.tolist()), reverse=True):
            members = np.flatnonzero(radii == radius)
            axes.scatter(
                self._mm[members, 0], self._mm[members, 1], s=(2 * radius) ** 2, zorder=2, clip_on=False,
                c=[color_of(self._mode, int(group)) for group in groups[members]], linewidths=0.3 if has_rim else 0,
                edgecolors="white",
            )  # fmt: skip
        return radii

    def _draw_labels(self, axes: Axes) -> None:
        """Name the islands, the largest first, where a name covers no other."""
        taken: list[tuple[float, float, float, float]] = []
        halo, (room_x, room_y) = [withStroke(linewidth=1.8, foreground="white")], self._room_mm
        for island in self._head["islands"]:
            text = cut_to(escape_line(island["name"]), room_x * 0.5, self._label_pt, bold=True)
            width, height = size_mm(text, self._label_pt, bold=True)
            x, y = self._mm[island["sound"]]
            x = float(np.clip(x, width / 2, max(room_x - width / 2, width / 2)))
            for lines in (0.0, -1.2, 1.2, -2.4, 2.4):
                at = float(np.clip(y + lines * height, height / 2, room_y - height / 2))
                box = x - width / 2, at - height / 2, x + width / 2, at + height / 2
                if not any(_overlap(box, other) for other in taken):
                    taken.append(box)
                    axes.text(
                        x, at, text, zorder=3, ha="center", va="center", fontsize=self._label_pt, fontweight="bold",
                        color=INK, path_effects=halo, parse_math=False,
                    )  # fmt: skip
                    break


def _column_widths(labels: list[tuple[int, str, str]], rows: int, size_pt: float) -> list[float]:
    """Return the widths of the legend's columns, each with its gap."""
    return [
        _SWATCH_MM + 2.0 + _GAP_MM
        + max(text_mm(label, size_pt) for _, label, _ in column)
        + max(text_mm(count, size_pt) for _, _, count in column)
        for column in (labels[first : first + rows] for first in range(0, len(labels), rows))
    ]  # fmt: skip


def color_of(mode: dict[str, Any], group: int) -> str:
    """Return the colour of a group of a colouring; small groups are grey."""
    colors: list[int] = mode["colors"]
    color = colors[group] if group < len(colors) else len(LIGHT)
    return LIGHT[color] if color < len(LIGHT) else OTHER["light"]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    gap_mm = 0.6
    return (
        one[0] < other[2] + gap_mm
        and other[0] < one[2] + gap_mm
        and one[1] < other[3] + gap_mm
        and other[1] < one[3] + gap_mm
    )

"""How far apart colours look, also to readers who are colour-blind.

Distances are those of CAM02-UCS (Luo and others, 2006) for sRGB on a screen in an ordinary room; colour blindness is
that of Machado and others (2009), complete. About 1 is the least difference that one sees side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Colors = npt.NDArray[np.float64]

VISIONS: dict[str, Any] = {
    "normal": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}

_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_CAT02 = np.array([[0.7328, 0.4296, -0.1624], [-0.7036, 1.6975, 0.0061], [0.0030, 0.0136, 0.9834]])
_HPE = np.array([[0.38971, 0.68898, -0.07868], [-0.22981, 1.18340, 0.04641], [0.0, 0.0, 1.0]])
_WHITE = np.array([95.047, 100.0, 108.883])
_ADAPTING, _BACKGROUND = 64 / np.pi / 5, 20.0
_F, _C, _NC = 1.0, 0.69, 1.0


def linear(colors: list[str] | tuple[str, ...]) -> Colors:
    """Return hex colours as linear RGB, shape (n, 3)."""
    values = np.array([[int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)] for color in colors])
    result: Colors = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return result


def seen(colors: list[str] | tuple[str, ...], vision: str = "normal") -> Colors:
    """Return places in CAM02-UCS, shape (n, 3): lightness and two of hue."""
    return ucs(np.clip(linear(colors) @ np.array(VISIONS[vision]).T, 0, 1))


def ucs(rgb: Colors) -> Colors:
    """Return places in CAM02-UCS of linear RGB."""
    degree = _F * (1 - np.exp((-_ADAPTING - 42) / 92) / 3.6)
    white_rgb = _CAT02 @ _WHITE
    k = 1 / (5 * _ADAPTING + 1)
    level = 0.2 * k**4 * 5 * _ADAPTING + 0.1 * (1 - k**4) ** 2 * (5 * _ADAPTING) ** (1 / 3)
    n = _BACKGROUND / _WHITE[1]
    z, induction = 1.48 + np.sqrt(n), 0.725 * (1 / n) ** 0.2

    def respond(xyz: Colors) -> Colors:
        adapted = (xyz @ _CAT02.T) * (_WHITE[1] * degree / white_rgb + 1 - degree)
        cones = adapted @ np.linalg.inv(_CAT02).T @ _HPE.T
        power = (level * np.abs(cones) / 100) ** 0.42
        answer: Colors = np.sign(cones) * 400 * power / (power + 27.13) + 0.1
        return answer

    def brightness(cones: Colors) -> Colors:
        answer: Colors = (cones @ np.array([2, 1, 1 / 20]) - 0.305) * induction
        return answer

    cones = respond(rgb @ _XYZ.T * 100)
    a = cones @ np.array([1, -12 / 11, 1 / 11])
    b = cones @ np.array([1, 1, -2]) / 9
    hue = np.arctan2(b, a)
    lightness = 100 * np.maximum(brightness(cones) / brightness(respond(_WHITE[None, :])), 0) ** (_C * z)
    eccentricity = (np.cos(hue + 2) + 3.8) / 4
    t = 50_000 / 13 * _NC * induction * eccentricity * np.hypot(a, b) / (cones @ np.array([1, 1, 21 / 20]))
    chroma = t**0.9 * np.sqrt(lightness / 100) * (1.64 - 0.29**n) ** 0.73
    colorfulness = np.log1p(0.0228 * chroma * level**0.25) / 0.0228
    light = 1.7 * lightness / (1 + 0.007 * lightness)
    return np.stack([light, colorfulness * np.cos(hue), colorfulness * np.sin(hue)], axis=1)


def distances(colors: list[str] | tuple[str, ...], vision: str = "normal") -> Colors:
    """Return how far apart each pair looks, shape (n, n)."""
    places = seen(colors, vision)
    result: Colors = np.linalg.norm(places[:, None] - places[None, :], axis=2)
    return result


def closest(colors: list[str] | tuple[str, ...], vision: str = "normal") -> float:
    """Return the distance of the two colours that look most alike."""
    apart = distances(colors, vision)
    return float(apart[~np.eye(len(apart), dtype=bool)].min())


def contrast(color: str, paper: str) -> float:
    """Return the contrast of a colour on a paper, 1 to 21."""
    one, other = sorted((linear((color, paper)) @ _XYZ[1]).tolist(), reverse=True)
    return float((one + 0.05) / (other + 0.05))

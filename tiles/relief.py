"""Relief as a picture: light and shadow, and heights written into colours.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, sobel

from shikong.layers.styles import Shade
from shikong.tiles.frame import Frame
from shikong.tiles.paint import Picture

Metres = NDArray[np.float64]

#: Pixels that light and shadow need on each side of a frame.
MARGIN = 1


def shaded(heights: np.ma.MaskedArray[Any, Any], frame: Frame, shade: Shade) -> Picture:
    """Light on heights in metres, as grey with alpha: [row, column, (red, green, blue, alpha)].

    heights: the frame's with MARGIN pixels more on each side. A pixel beside one that is not known is clear.
    """
    unknown, east, north = rises(heights * shade.exaggeration, frame.with_margin(MARGIN))
    azimuth, altitude = np.radians(shade.azimuth), np.radians(shade.altitude)
    towards = np.sin(azimuth) * np.cos(altitude), np.cos(azimuth) * np.cos(altitude), np.sin(altitude)
    light = (towards[2] - towards[0] * east - towards[1] * north) / np.sqrt(1 + east**2 + north**2)
    grey = np.floor(1 + 254 * np.clip(light, 0, 1) + 0.5).astype("uint8")
    alpha = np.where(unknown, 0, 255).astype("uint8")
    inner = slice(MARGIN, -MARGIN)
    return np.dstack([grey, grey, grey, alpha])[inner, inner]


def rises(heights: np.ma.MaskedArray[Any, Any], frame: Frame) -> tuple[NDArray[np.bool_], Metres, Metres]:
    """Where the slope is not known, which is beside what is not known; and how much the ground rises in a metre to the
    east and to the north.

    Slopes are Horn's, with pixels as large as they are on the ground in each row, as gdaldem has them for one size of
    pixel. frame: of the heights. Those at the rim lack neighbours, and mean nothing.
    """
    known = heights.filled(0.0).astype("float64")
    across, down = frame.ground_size()
    unknown = binary_dilation(np.ma.getmaskarray(heights), np.ones((3, 3)))
    return unknown, sobel(known, axis=1) / (8 * across[:, None]), -sobel(known, axis=0) / (8 * down[:, None])


def encoded_heights(heights: np.ma.MaskedArray[Any, Any]) -> Picture:
    """Metres as colours, -10000 + (R * 65536 + G * 256 + B) / 10.

    Nothing is clear: browsers forget the colours of clear pixels, and the client would see an abyss. What is not known
    is 0 m.
    """
    steps = np.clip(np.rint((heights.filled(0.0).astype("float64") + 10_000) * 10), 0, 2**24 - 1).astype("uint32")
    opaque = np.full_like(steps, 255)
    return np.dstack([steps >> 16, steps >> 8 & 255, steps & 255, opaque]).astype("uint8")

"""Values as colours, and pictures as files.

A picture is an array of bytes: [row, column, (red, green, blue, alpha)].

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shikong.layers.symbols import Symbol

Picture = NDArray[np.uint8]
Cells = np.ma.MaskedArray[Any, Any]

WHITE = (255, 255, 255)


def ramp(values: Cells, stops: tuple[tuple[float, str], ...]) -> Picture:
    """Values in colours mixed between those of the stops; clear below the first, and where nothing is known."""
    at = [value for value, _ in stops]
    colours = np.array([rgb(colour) for _, colour in stops], dtype=float)
    known = ~np.ma.getmaskarray(values)
    plain = values.filled(at[0])
    drawn = [np.rint(np.interp(plain, at, colours[:, band])) for band in range(3)]
    return np.dstack([*drawn, np.where(known & (plain >= at[0]), 255, 0)]).astype("uint8")


def palette(codes: Cells, symbols: list[Symbol]) -> Picture:
    """Codes in the colours of their list; clear where a code has none."""
    drawn = np.zeros((*codes.shape, 4), dtype="uint8")
    for symbol in symbols:
        drawn[(codes == int(symbol.value or "")).filled(False)] = (*rgb(symbol.color), 255)
    return drawn


def bands(values: Cells) -> Picture:
    """Red, green and blue from 0 to 255, clear where none of them is known."""
    known = ~np.ma.getmaskarray(values).all(axis=0)
    return np.dstack([*np.clip(values.data, 0, 255), np.where(known, 255, 0)]).astype("uint8")


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour such as `#3B7A57` as numbers."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def over(below: Picture, above: Picture) -> Picture:
    """One picture on top of another."""
    laid = Image.alpha_composite(Image.fromarray(below), Image.fromarray(above))
    return np.asarray(laid)


def clear(width: int, height: int) -> Picture:
    """A picture of nothing."""
    return np.zeros((height, width, 4), dtype="uint8")


def file(picture: Picture, form: str, *, exact: bool, background: tuple[int, int, int] | None = None) -> bytes:
    """A picture as PNG, WebP or JPEG.

    form: png, webp or jpeg. exact: WebP without loss, for drawn colours; photographs are smaller with some.
    background: what shows through where the picture is clear; JPEG, which knows nothing clear, has white.
    """
    image = Image.fromarray(picture)
    if background is not None or form == "jpeg":
        ground = Image.new("RGBA", image.size, (*(background or WHITE), 255))
        image = Image.alpha_composite(ground, image).convert("RGB")
    target = BytesIO()
    match form:
        case "png":
            image.save(target, "PNG", compress_level=4)
        case "webp":
            image.save(target, "WEBP", lossless=exact, quality=20 if exact else 85, method=1)
        case "jpeg":
            image.save(target, "JPEG", quality=85)
    return target.getvalue()

"""A raster or cube in one of its styles, as a picture of what a frame shows.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shikong.layers import symbols
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store.moments import Period
from shikong.tiles import paint, raster, relief
from shikong.tiles.frame import Frame
from shikong.tiles.paint import Picture


def of_raster(
    catalog: Catalog, layer: Layer, style: str, place: Path, frame: Frame, period: Period | None
) -> Picture | None:
    """A release's file in a style that the layer declares; None where the frame has nothing of it.

    period: of a cube, as `raster.cells` has it. Raises NoSuchTime, and Unreadable for a broken file.
    """
    strips = [(strip, _of_strip(catalog, layer, style, place, strip, period)) for strip in frame.strips()]
    if all(drawn is None for _, drawn in strips):
        return None
    return np.vstack([
        blank(layer, style, strip.width, strip.height) if drawn is None else drawn for strip, drawn in strips
    ])  # fmt: skip


def _of_strip(
    catalog: Catalog, layer: Layer, style: str, place: Path, frame: Frame, period: Period | None
) -> Picture | None:
    declared = layer.styles[style]
    read = frame.with_margin(relief.MARGIN) if declared.shade else frame
    values = raster.cells(place, layer, declared, read, period)
    if values is None:
        return None
    if declared.shade:
        return relief.shaded(values[0], frame, declared.shade)
    if declared.encoding:
        return relief.encoded_heights(values[0])
    if declared.palette:
        return paint.palette(values[0], symbols.palette(catalog, layer, declared.palette))
    if declared.bands:
        return paint.bands(values)
    assert declared.ramp is not None
    return paint.ramp(values[0], declared.ramp)


def blank(layer: Layer, style: str, width: int, height: int) -> Picture:
    """What a style draws where it has nothing to draw."""
    if layer.kind != "features" and layer.styles[style].encoding:
        return relief.encoded_heights(np.ma.masked_invalid(np.full((height, width), np.nan)))
    return paint.clear(width, height)

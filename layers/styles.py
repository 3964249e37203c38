"""How layers are drawn: declared once, in words that pictures, MapLibre, QGIS, SLD and legends all come from.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from shikong.layers.declared import Colour, Declared, Identifier, Text


class LabelDecl(Declared):
    """What is written beside a feature, and from which zoom to which (of WebMercatorQuad)."""

    field: Identifier
    min_zoom: int = Field(0, ge=0, le=22)
    max_zoom: int = Field(22, ge=0, le=22, description="tiles cut large areas, and near by each piece has the name")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_zoom > self.max_zoom:
            raise ValueError("min_zoom is above max_zoom")
        return self


class StyleDecl(Declared):
    """How features are drawn: in one colour, or in the colours of a field's code list.

    color: of areas, lines or points; with `by`, of values that the code list gives no colour.
    """

    color: Colour
    by: Identifier | None = Field(None, description="a field with `codes`; its code list gives the colours")
    opacity: float = Field(1.0, ge=0, le=1, description="of areas, without their outlines")
    outline: Colour | None = Field(None, description="of areas and points; none is drawn without it")
    width: float = Field(1.0, gt=0, le=20, description="of lines and outlines, in pixels of 0.28 mm")
    radius: float = Field(4.0, gt=0, le=40, description="of points, in pixels of 0.28 mm")
    label: LabelDecl | None = None
    shown: bool = Field(True, description="whether maps of all layers show it before it is chosen")


class Shade(Declared):
    """Light on a relief. Angles in degrees, azimuth clockwise from north; relief is drawn higher by exaggeration."""

    azimuth: float = Field(315, ge=0, lt=360)
    altitude: float = Field(45, gt=0, le=90)
    exaggeration: float = Field(1, gt=0, le=100)


class RasterStyle(Declared):
    """One way to draw a raster or cube: exactly one of `ramp`, `shade`, `encoding`, `bands` and `palette`."""

    title: Text
    ramp: tuple[tuple[float, Colour], ...] | None = Field(
        None,
        min_length=2,
        description="values, rising, and their colours, mixed between; nothing is drawn below the first",
    )
    shade: Shade | None = Field(None, description="light and shadow of a relief")
    encoding: Literal["terrain_rgb"] | None = Field(
        None, description="metres as colours: -10000 + (R*65536 + G*256 + B) / 10; clients draw the relief themselves"
    )
    bands: tuple[Identifier, Identifier, Identifier] | None = Field(None, description="parameters as red, green, blue")
    palette: Identifier | None = Field(None, description="a parameter with `codes`; its code list gives the colours")

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("ramp", "shade", "encoding", "bands", "palette") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of ramp, shade, encoding, bands, palette; found {given or 'none'}")
        if self.ramp and any(low[0] >= high[0] for low, high in zip(self.ramp, self.ramp[1:], strict=False)):
            raise ValueError("the values of `ramp` must rise")
        return self

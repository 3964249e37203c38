"""pygeoapi's coverage provider over the store's Cloud-Optimised GeoTIFFs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import rasterio
from pygeoapi.provider.base import (
    BaseProvider,
    ProviderInvalidQueryError,
    ProviderRequestEntityTooLargeError,
)
from rasterio.io import MemoryFile
from rasterio.windows import Window, from_bounds

from shikong.layers import catalog
from shikong.layers.model import Layer, ParameterDecl
from shikong.providers import covjson, options
from shikong.providers.cells import MAX_CELLS
from shikong.providers.crs import CRS84
from shikong.providers.knowledge import place_of
from shikong.providers.options import layer_of
from shikong.providers.plugin_errors import NoLongerKept, NothingPublished


def parameter_fields(layer: Layer) -> dict[str, Any]:
    """A layer's parameters as pygeoapi lists fields."""
    return {
        name: {
            "type": "number",
            "title": declared.title.zh,
            "x-title-en": declared.title.en,
            "x-ogc-unit": declared.unit,
        }
        for name, declared in layer.parameters.items()
    }


def chosen_parameters(layer: Layer, names: Any) -> dict[str, ParameterDecl]:
    """The parameters that a request names, or all. Raises pygeoapi's query error."""
    unknown = [name for name in names or () if name not in layer.parameters]
    if unknown:
        raise ProviderInvalidQueryError(
            user_msg=f"there is no parameter {unknown[0]!r}; there are: {', '.join(layer.parameters)}"
        )
    return {name: decl for name, decl in layer.parameters.items() if not names or name in names}


def box_of(bbox: Any, subsets: dict[str, Any], extent: tuple[float, float, float, float]) -> tuple[float, ...]:
    """The asked-for west, south, east, north, clipped to the extent. Raises pygeoapi's query error."""
    box = list(options.box_of(bbox)) if bbox else list(extent)
    if bbox and subsets:
        raise ProviderInvalidQueryError(user_msg="give either bbox or subset, not both")
    if box[0] > box[2]:  # over the antimeridian: the part on the side of which the coverage lies
        if box[0] < extent[2] and box[2] > extent[0]:
            raise ProviderInvalidQueryError(user_msg=f"the box leaves a gap in the coverage: {extent}; ask twice")
        box[0], box[2] = (box[0], 180.0) if box[0] < extent[2] else (-180.0, box[2])
    for axis, low, high in (("Long", 0, 2), ("Lat", 1, 3)):
        if axis in subsets:
            box[low], box[high] = float(subsets[axis][0]), float(subsets[axis][-1])
    west, south = max(box[0], extent[0]), max(box[1], extent[1])
    east, north = min(box[2], extent[2]), min(box[3], extent[3])
    if west >= east or south >= north:
        raise ProviderInvalidQueryError(user_msg=f"the area lies outside the coverage: {extent}")
    return west, south, east, north


class CogProvider(BaseProvider):  # type: ignore[misc]
    """A coverage layer of the store. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer = layer_of(provider_def, "coverage")
        self.native_format = provider_def["format"]["name"]
        self.crs = CRS84
        self.axes = ["Long", "Lat"]
        self.filename = f"{self.layer.id}.tif"
        self._coverage_properties = self._grid()
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's parameters."""
        self._fields = parameter_fields(self.layer)
        return self._fields

    def _grid(self) -> dict[str, Any]:
        """Size and resolution for the collection's metadata; before the first release, of an empty grid."""
        west, south, east, north = catalog.default().city.bbox
        grid = {"bbox": [west, south, east, north], "width": 0, "height": 0, "resx": None, "resy": None}
        try:
            with rasterio.open(place_of(self.layer)) as raster:
                grid |= {"bbox": list(raster.bounds), "width": raster.width, "height": raster.height,
                         "resx": raster.res[0], "resy": raster.res[1]}  # fmt: skip
        except (NothingPublished, NoLongerKept):  # the query itself then says so
            pass
        return grid

    def query(
        self, properties: Any = (), subsets: Any = None, bbox: Any = (), format_: str = "json", **_: Any
    ) -> dict[str, Any] | bytes:
        """A part of the raster as CoverageJSON or as GeoTIFF.

        bbox and subsets are in degrees, longitude first. Raises pygeoapi's errors.
        """
        declared = chosen_parameters(self.layer, properties)
        bands = [index for index, name in enumerate(self.layer.parameters, 1) if name in declared]
        with rasterio.open(place_of(self.layer)) as raster:
            box = box_of(bbox, subsets or {}, tuple(raster.bounds))
            window = _whole_cells(raster, box)
            cells = window.width * window.height * len(bands)
            if cells > MAX_CELLS:
                raise ProviderRequestEntityTooLargeError(
                    user_msg=f"{cells:,} cells are asked for and {MAX_CELLS:,} allowed; give a smaller bbox"
                )
            data = raster.read(bands, window=window, masked=True)
            transform = raster.window_transform(window)
            if format_ == "json":
                return _covjson(declared, data, transform)
            return _geotiff(raster, data, transform)


def _whole_cells(raster: Any, box: tuple[float, ...]) -> Window:
    """The window of all cells that the box touches."""
    window = from_bounds(*box, transform=raster.transform)
    left, top = int(np.floor(window.col_off + 1e-9)), int(np.floor(window.row_off + 1e-9))
    right = int(np.ceil(window.col_off + window.width - 1e-9))
    bottom = int(np.ceil(window.row_off + window.height - 1e-9))
    return Window(left, top, max(1, right - left), max(1, bottom - top)).intersection(
        Window(0, 0, raster.width, raster.height)
    )


def _covjson(declared: dict[str, ParameterDecl], data: Any, transform: Any) -> dict[str, Any]:
    _, height, width = data.shape
    west, north = transform @ (0.5, 0.5)
    east, south = transform @ (width - 0.5, height - 0.5)
    axes = {"x": {"start": west, "stop": east, "num": width}, "y": {"start": north, "stop": south, "num": height}}
    filled = data.astype(float).filled(np.nan)
    ranges = {name: covjson.values(band, ("y", "x")) for name, band in zip(declared, filled, strict=True)}
    return covjson.coverage(covjson.domain("Grid", axes), declared, ranges)


def _geotiff(raster: Any, data: Any, transform: Any) -> bytes:
    profile = raster.profile | {
        "driver": "GTiff", "count": data.shape[0], "height": data.shape[1], "width": data.shape[2],
        "transform": transform,
    }  # fmt: skip
    for key in ("blockxsize", "blockysize", "tiled"):
        profile.pop(key, None)
    with MemoryFile() as memory:
        with memory.open(**profile) as target:
            target.write(data.filled(raster.nodata) if raster.nodata is not None else data.data)
        return bytes(memory.read())

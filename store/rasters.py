"""Single values out of published rasters and cubes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from shikong.layers.model import Layer
from shikong.store import places


def value_at(data: Path, layer: Layer, lon: float, lat: float) -> dict[str, float | None] | None:
    """A coverage's values in the cell that holds a point (EPSG:4490); None outside. Raises NotPublished."""
    with rasterio.open(places.current(data, layer)) as raster:
        west, south, east, north = raster.bounds
        if not (west <= lon < east and south < lat <= north):
            return None
        sample = next(raster.sample([(lon, lat)], masked=True))
        return {
            name: None if np.ma.is_masked(value) else round(float(value), 3)
            for name, value in zip(layer.parameters, sample, strict=True)
        }


def last_step_at(data: Path, layer: Layer, lon: float, lat: float) -> tuple[str, dict[str, Any]] | None:
    """A cube's newest time (UTC) and its values in the cell that holds a point; None outside. Raises NotPublished."""
    with xr.open_zarr(places.current(data, layer), consolidated=False, chunks=None) as cube:
        step = cube.isel(time=-1)
        inside = all(
            abs(float(cube[axis].sel({axis: value}, method="nearest")) - value)
            <= abs(float(np.diff(cube[axis][:2])[0]))
            for axis, value in (("lon", lon), ("lat", lat))
        )
        if not inside:
            return None
        cell = step.sel(lon=lon, lat=lat, method="nearest")
        values = {name: float(cell[name]) for name in layer.parameters}
        time = np.datetime_as_string(step["time"].values, unit="s")
        return f"{time}Z", {name: None if np.isnan(value) else round(value, 3) for name, value in values.items()}

"""Single values out of published rasters and cubes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr

from shikong.layers.model import Layer


@lru_cache(maxsize=32)
def opened(place: Path) -> xr.Dataset:
    """An opened cube, its values still on disk; threads may share it. A new release has a new place, so that nothing
    stale is ever given."""
    cube: xr.Dataset = xr.open_zarr(place, consolidated=False, chunks=None)
    return cube


def value_at(place: Path, layer: Layer, lon: float, lat: float) -> dict[str, float | None] | None:
    """The values of a coverage's file in the cell that holds a point (EPSG:4490); None outside."""
    with rasterio.open(place) as raster:
        west, south, east, north = raster.bounds
        if not (west <= lon < east and south < lat <= north):
            return None
        sample = next(raster.sample([(lon, lat)], masked=True))
        return {
            name: None if np.ma.is_masked(value) else round(float(value), 3)
            for name, value in zip(layer.parameters, sample, strict=True)
        }


def last_step_at(
    place: Path, layer: Layer, lon: float, lat: float, until: datetime | None
) -> tuple[str, dict[str, Any]] | None:
    """A cube's last time (UTC), of those up to `until`, and its values in the cell that holds a point; None outside,
    and where it begins later."""
    with xr.open_zarr(place, consolidated=False, chunks=None) as cube:
        inside = all(
            abs(float(cube[axis].sel({axis: value}, method="nearest")) - value)
            <= abs(float(np.diff(cube[axis][:2])[0]))
            for axis, value in (("lon", lon), ("lat", lat))
        )
        times = cube["time"].values
        if until is not None:
            times = times[times <= np.datetime64(until.astimezone(UTC).replace(tzinfo=None))]
        if not inside or not len(times):
            return None
        step = cube.isel(time=len(times) - 1)
        cell = step.sel(lon=lon, lat=lat, method="nearest")
        values = {name: float(cell[name]) for name in layer.parameters}
        time = np.datetime_as_string(step["time"].values, unit="s")
        return f"{time}Z", {name: None if np.isnan(value) else round(value, 3) for name, value in values.items()}

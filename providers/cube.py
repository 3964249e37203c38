"""pygeoapi's coverage and EDR providers over the store's Zarr cubes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pygeoapi.provider.base import (
    BaseProvider,
    ProviderInvalidQueryError,
    ProviderRequestEntityTooLargeError,
)
from pygeoapi.provider.base_edr import BaseEDRProvider

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers import covjson
from shikong.providers.coverage import MAX_CELLS, box_of, chosen_parameters, parameter_fields
from shikong.providers.crs import CRS84
from shikong.providers.knowledge import place_of
from shikong.providers.options import layer_of
from shikong.providers.plugin_errors import NoLongerKept, NothingPublished, as_provider_errors
from shikong.providers.times import parse_period
from shikong.store import rasters


def _cube(layer: Layer) -> xr.Dataset:
    return rasters.opened(place_of(layer))


def _in_period(cube: xr.Dataset, datetime_: str | None) -> xr.Dataset:
    """The time steps that a `datetime` selects; an instant selects the step at or before it."""
    if not datetime_:
        return cube
    with as_provider_errors():
        period = parse_period(datetime_, catalog.default().city.timezone)
    start = None if period.start is None else np.datetime64(covjson.instant(period.start).removesuffix("Z"))
    end = None if period.end is None else np.datetime64(covjson.instant(period.end).removesuffix("Z"))
    times = cube["time"].values
    if period.instant:
        before = int((times <= start).sum()) - 1
        part = cube.isel(time=slice(max(before, 0), before + 1))
    else:
        part = cube.sel(time=slice(start, end))
    if part.sizes["time"] == 0:
        raise ProviderInvalidQueryError(
            user_msg=f"no step at {datetime_}; there is data from {times[0]}Z to {times[-1]}Z"
        )
    return part


class ZarrProvider(BaseProvider):  # type: ignore[misc]
    """A cube layer as a coverage. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer = layer_of(provider_def, "cube")
        self.crs = CRS84
        self.axes = ["Long", "Lat"]
        self.time_field = "time"
        self.filename = f"{self.layer.id}.nc"
        self._coverage_properties = self._grid()
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's parameters."""
        self._fields = parameter_fields(self.layer)
        return self._fields

    def _grid(self) -> dict[str, Any]:
        grid: dict[str, Any] = {"width": 0, "height": 0, "resx": None, "resy": None}
        try:
            cube = _cube(self.layer)
        except (NothingPublished, NoLongerKept):  # the query itself then says so
            return grid
        times = covjson.instants(cube["time"].values)
        return {
            "width": cube.sizes["lon"], "height": cube.sizes["lat"], "resx": _step(cube["lon"].values),
            "resy": _step(cube["lat"].values), "time_range": [times[0], times[-1]],
        }  # fmt: skip

    def query(
        self, properties: Any = (), subsets: Any = None, bbox: Any = (), datetime_: str | None = None,
        format_: str = "json", **_: Any,
    ) -> dict[str, Any] | bytes:  # fmt: skip
        """A part of the cube as CoverageJSON or NetCDF. Raises pygeoapi's errors."""
        declared = chosen_parameters(self.layer, properties)
        cube = _in_period(_cube(self.layer)[list(declared)], datetime_)
        lon, lat = cube["lon"].values, cube["lat"].values
        half_x, half_y = (_step(lon) or 0) / 2, (_step(lat) or 0) / 2
        extent = (lon[0] - half_x, lat[0] - half_y, lon[-1] + half_x, lat[-1] + half_y)
        west, south, east, north = box_of(bbox, subsets or {}, tuple(map(float, extent)))  # type: ignore[arg-type]
        cube = cube.sel(lon=slice(west - half_x, east + half_x), lat=slice(south - half_y, north + half_y))
        cells = int(np.prod(list(cube.sizes.values()))) * len(declared)
        if cells > MAX_CELLS:
            raise ProviderRequestEntityTooLargeError(
                user_msg=f"{cells:,} cells are asked for and {MAX_CELLS:,} allowed; give a smaller bbox or datetime"
            )
        if format_ != "json":
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder) / "part.nc"
                cube.load().to_netcdf(place)
                return place.read_bytes()
        axes = {
            "x": {"values": cube["lon"].values.tolist()}, "y": {"values": cube["lat"].values.tolist()},
            "t": {"values": covjson.instants(cube["time"].values)},
        }  # fmt: skip
        ranges = {name: covjson.values(cube[name].values, ("t", "y", "x")) for name in declared}
        return covjson.coverage(covjson.domain("Grid", axes), declared, ranges)


class ZarrEDRProvider(BaseEDRProvider):  # type: ignore[misc]
    """A cube layer's series at a position, for OGC API - EDR."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer = layer_of(provider_def, "cube")
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's parameters."""
        self._fields = parameter_fields(self.layer)
        return self._fields

    def position(self, wkt: Any, datetime_: str | None = None, select_properties: Any = (), **_: Any) -> dict[str, Any]:
        """The series of the cell that holds a point (longitude, latitude)."""
        if wkt.geom_type != "Point":
            raise ProviderInvalidQueryError(user_msg="coords must be a POINT(lon lat)")
        declared = chosen_parameters(self.layer, select_properties)
        cube = _in_period(_cube(self.layer)[list(declared)], datetime_)
        lon, lat = cube["lon"].values, cube["lat"].values
        if not (_covers(lon, wkt.x) and _covers(lat, wkt.y)):
            raise ProviderInvalidQueryError(
                user_msg=f"the point lies outside the grid: {lon[0]} to {lon[-1]} E, {lat[0]} to {lat[-1]} N"
            )
        cell = cube.sel(lon=wkt.x, lat=wkt.y, method="nearest")
        axes = {
            "x": {"values": [float(cell["lon"])]}, "y": {"values": [float(cell["lat"])]},
            "t": {"values": covjson.instants(cell["time"].values)},
        }  # fmt: skip
        ranges = {name: covjson.values(np.atleast_1d(cell[name].values), ("t",)) for name in declared}
        return covjson.coverage(covjson.domain("PointSeries", axes), declared, ranges)


def _step(axis: Any) -> float | None:
    return float(axis[1] - axis[0]) if len(axis) > 1 else None


def _covers(axis: Any, value: float) -> bool:
    half = (_step(axis) or 0) / 2
    return bool(axis[0] - half <= value <= axis[-1] + half)

"""pygeoapi's coverage and EDR providers over the store's Zarr cubes.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import xarray as xr
from pygeoapi.provider.base import BaseProvider, ProviderInvalidQueryError
from pygeoapi.provider.base_edr import BaseEDRProvider

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers import cells, covjson
from shikong.providers.coverage import box_of, chosen_parameters, parameter_fields
from shikong.providers.crs import CRS84
from shikong.providers.knowledge import place_of
from shikong.providers.observed import Where
from shikong.providers.options import layer_of
from shikong.providers.plugin_errors import NoLongerKept, NothingPublished, as_provider_errors
from shikong.providers.times import parse_period
from shikong.store import rasters


def _cube(layer: Layer) -> xr.Dataset:
    return rasters.opened(place_of(layer))


def _in_period(cube: xr.Dataset, datetime_: str | None) -> xr.Dataset:
    """The time steps that a `datetime` selects. Raises pygeoapi's errors."""
    if not datetime_:
        return cube
    with as_provider_errors():
        return cells.in_period(cube, parse_period(datetime_, catalog.default().city.timezone))


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
            "width": cube.sizes["lon"], "height": cube.sizes["lat"], "resx": cells.step_of(cube["lon"].values) or None,
            "resy": cells.step_of(cube["lat"].values) or None, "time_range": [times[0], times[-1]],
        }  # fmt: skip

    def query(
        self, properties: Any = (), subsets: Any = None, bbox: Any = (), datetime_: str | None = None,
        format_: str = "json", **_: Any,
    ) -> dict[str, Any] | bytes:  # fmt: skip
        """A part of the cube as CoverageJSON or NetCDF. Raises pygeoapi's errors."""
        declared = chosen_parameters(self.layer, properties)
        cube = _in_period(_cube(self.layer)[list(declared)], datetime_)
        lon, lat = cube["lon"].values, cube["lat"].values
        half_x, half_y = cells.step_of(lon) / 2, cells.step_of(lat) / 2
        extent = (lon[0] - half_x, lat[0] - half_y, lon[-1] + half_x, lat[-1] + half_y)
        west, south, east, north = box_of(bbox, subsets or {}, tuple(map(float, extent)))  # type: ignore[arg-type]
        cube = cube.sel(lon=slice(west - half_x, east + half_x), lat=slice(south - half_y, north + half_y))
        with as_provider_errors():
            cells.require_few(cube)
        return cells.grid(cube, declared) if format_ == "json" else cells.netcdf(cube)


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
        """The series of the cells that hold points (longitude, latitude)."""
        if wkt.geom_type not in ("Point", "MultiPoint"):
            raise ProviderInvalidQueryError(user_msg="coords must be a POINT(lon lat)")
        declared = chosen_parameters(self.layer, select_properties)
        cube = _in_period(_cube(self.layer)[list(declared)], datetime_)
        with as_provider_errors():
            return cells.covjson_of(cells.meant(cube, Where(wkt.wkt, near=True), "coords"), self.layer)

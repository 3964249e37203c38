"""Which cells of a cube, and which of its times, a question means.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from shikong.layers.model import Layer, ParameterDecl
from shikong.providers import covjson
from shikong.providers.errors import BadParameter, TooMuch
from shikong.providers.observed import Where
from shikong.store.moments import Period

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

#: Values that one answer may have; more is a download, not a question.
MAX_CELLS = 1_000_000

#: How far around a shape a radius or corridor may reach, in metres: on a plane around it distances are true.
_FARTHEST = 1_000_000.0

#: Of a cell's side: what a shape has to reach into it, so that a shared border is none.
_BORDER = 1e-6


@dataclass(frozen=True)
class Cells:
    """The part of a cube (time, lat, lon) around the cells that are meant.

    inside: which of them are meant (lat, lon). along: rows and columns of single cells in the order in which they were
    asked for; None where an area is meant.
    """

    cube: xr.Dataset
    inside: NDArray[np.bool_]
    along: tuple[Places, Places] | None = None

    def masked(self) -> xr.Dataset:
        """The part with nan in cells that are not meant."""
        return self.cube.where(xr.DataArray(self.inside, dims=("lat", "lon")))

    def places(self) -> tuple[Places, Places]:
        """Rows and columns of the cells that are meant (n,)."""
        return np.nonzero(self.inside) if self.along is None else self.along  # type: ignore[return-value]

    def middles(self) -> tuple[Floats, Floats]:
        """Longitudes and latitudes of the middles of the cells that are meant (n,)."""
        rows, columns = self.places()
        return self.cube["lon"].values[columns].round(9), self.cube["lat"].values[rows].round(9)

    def series(self, name: str) -> Floats:
        """The values of the cells that are meant (n, t)."""
        rows, columns = self.places()
        values: Floats = self.cube[name].transpose("lat", "lon", "time").values[rows, columns].astype(float).round(6)
        return values


def in_period(cube: xr.Dataset, period: Period | None) -> xr.Dataset:
    """The times of a period; for an instant the one at or before it. Raises BadParameter where there are none."""
    if period is None:
        return cube
    start, end = (
        None if time is None else np.datetime64(covjson.instant(time).removesuffix("Z"))
        for time in (period.start, period.end)
    )
    times = cube["time"].values
    if period.instant:
        before = int((times <= start).sum()) - 1
        part = cube.isel(time=slice(max(before, 0), before + 1))
    else:
        part = cube.sel(time=slice(start, end))
    if part.sizes["time"] == 0:
        raise BadParameter("datetime", f"no step is then; there is data from {times[0]}Z to {times[-1]}Z")
    return part


def meant(cube: xr.Dataset, where: Where, name: str) -> Cells:
    """The cells that a shape reaches into: of points those that hold them, of lines those that they cross.

    name: of the parameter that gave the shape. Raises BadParameter for what lies outside of the grid, TooMuch.
    """
    shape = shapely.from_wkt(where.shape)
    if where.distance:
        shape = _around(shape, where.distance, name)
    if shape.geom_type in ("Point", "MultiPoint"):
        return _holding(cube, shape, name)
    line = "Line" in shape.geom_type
    west, south, east, north = shape.bounds
    part = cube.isel(
        lat=_reached(cube["lat"].values, south, north, name), lon=_reached(cube["lon"].values, west, east, name)
    )
    require_few(part)
    inside = _touched(part, _sides(cube), shape, 0.0 if line else _BORDER)
    if not inside.any():
        raise BadParameter(name, "reaches into no cell")
    rows, columns = np.nonzero(inside)
    if line:
        way = shapely.LineString(shapely.get_coordinates(shape))
        middles = shapely.points(part["lon"].values[columns], part["lat"].values[rows])
        order = np.argsort(shapely.line_locate_point(way, middles), kind="stable")
        return Cells(part, inside, (rows[order], columns[order]))
    lat, lon = (slice(int(found.min()), int(found.max()) + 1) for found in (rows, columns))
    return Cells(part.isel(lat=lat, lon=lon), inside[lat, lon])  # without what the shape only borders on


def require_few(part: xr.Dataset) -> None:
    """Raise TooMuch where an answer of a part would have too many values."""
    count = int(np.prod(list(part.sizes.values()))) * len(part.data_vars)
    if count > MAX_CELLS:
        raise TooMuch(f"{count:,} values are meant and {MAX_CELLS:,} allowed; ask for a smaller area or time")


def step_of(axis: Any) -> float:
    """How far apart an axis's cells are; 0 of a single one."""
    return float(axis[1] - axis[0]) if len(axis) > 1 else 0.0


def covjson_of(cells: Cells, layer: Layer) -> dict[str, Any]:
    """The cells as CoverageJSON: a grid, null where none is meant; of single cells their series."""
    declared = {name: decl for name, decl in layer.parameters.items() if name in cells.cube.data_vars}
    if cells.along is None:
        return grid(cells.masked(), declared)
    times = {"values": covjson.instants(cells.cube["time"].values)}
    values = {name: cells.series(name) for name in declared}
    series = []
    for at, (lon, lat) in enumerate(zip(*(axis.tolist() for axis in cells.middles()), strict=True)):
        domain = covjson.domain("PointSeries", {"x": {"values": [lon]}, "y": {"values": [lat]}, "t": times})
        ranges = {name: covjson.values(rows[at], ("t",)) for name, rows in values.items()}
        series.append({"type": "Coverage", "domain": domain, "ranges": ranges})
    parameters = {"parameters": covjson.parameters(declared)}
    if len(series) == 1:
        return series[0] | parameters
    return {"type": "CoverageCollection", "domainType": "PointSeries"} | parameters | {"coverages": series}


def grid(part: xr.Dataset, declared: dict[str, ParameterDecl]) -> dict[str, Any]:
    """A part of a cube as a CoverageJSON grid."""
    axes = {
        "x": {"values": part["lon"].values.tolist()}, "y": {"values": part["lat"].values.tolist()},
        "t": {"values": covjson.instants(part["time"].values)},
    }  # fmt: skip
    ranges = {name: covjson.values(part[name].values, ("t", "y", "x")) for name in declared}
    return covjson.coverage(covjson.domain("Grid", axes), declared, ranges)


def netcdf(part: xr.Dataset) -> bytes:
    """A part of a cube as NetCDF."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "part.nc"
        part.load().to_netcdf(place)
        return place.read_bytes()


def _around(shape: Any, metres: float, name: str) -> Any:
    """What lies within a distance of a shape, in degrees; distances are those of a plane around its middle."""
    if metres > _FARTHEST:
        raise BadParameter(name, f"reaches farther than {_FARTHEST / 1000:,.0f} km around the shape")
    middle = shape.centroid
    plane = CRS.from_dict({"proj": "aeqd", "lat_0": middle.y, "lon_0": middle.x, "ellps": "GRS80"})
    to_plane = Transformer.from_crs("EPSG:4490", plane, always_xy=True)
    flat = shapely.transform(shape, lambda xy: np.column_stack(to_plane.transform(xy[:, 0], xy[:, 1])))
    wide = shapely.transform(
        shapely.buffer(flat, metres, quad_segs=32),
        lambda xy: np.column_stack(to_plane.transform(xy[:, 0], xy[:, 1], direction="INVERSE")),
    )
    if not np.isfinite(shapely.get_coordinates(wide)).all():
        raise BadParameter(name, "reaches around the earth")
    return shapely.make_valid(wide)


def _holding(cube: xr.Dataset, shape: Any, name: str) -> Cells:
    """The cells that hold points, in their order, each once."""
    x, y = shapely.get_coordinates(shape).T
    columns, rows = _within(cube["lon"].values, x, name), _within(cube["lat"].values, y, name)
    found = np.array(list(dict.fromkeys(zip(rows.tolist(), columns.tolist(), strict=True))), dtype=np.intp)
    (top, left), (bottom, right) = found.min(axis=0).tolist(), found.max(axis=0).tolist()
    part = cube.isel(lat=slice(top, bottom + 1), lon=slice(left, right + 1))
    require_few(part)
    along = (found[:, 0] - top, found[:, 1] - left)
    inside = np.zeros((part.sizes["lat"], part.sizes["lon"]), dtype=bool)
    inside[along] = True
    return Cells(part, inside, along)


def _within(axis: Floats, values: Floats, name: str) -> Places:
    """Which of an axis's cells hold some values."""
    low, high = _ends(axis)
    if values.min() < low or values.max() > high:
        raise BadParameter(name, f"lies outside of the grid, which reaches from {low:g} to {high:g} there")
    return np.searchsorted((axis[1:] + axis[:-1]) / 2, values, side="right")


def _reached(axis: Floats, start: float, end: float, name: str) -> slice:
    """The cells of an axis from the first to the last that a stretch reaches."""
    low, high = _ends(axis)
    if end < low or start > high:
        raise BadParameter(name, f"lies outside of the grid, which reaches from {low:g} to {high:g} there")
    first, last = _within(axis, np.clip(np.array([start, end]), low, high), name).tolist()
    return slice(first, last + 1)


def _ends(axis: Floats) -> tuple[float, float]:
    half = step_of(axis) / 2
    return float(axis[0]) - half, float(axis[-1]) + half


def _sides(cube: xr.Dataset) -> tuple[float, float]:
    """How wide and how high cells are."""
    return step_of(cube["lon"].values), step_of(cube["lat"].values)


def _touched(part: xr.Dataset, sides: tuple[float, float], shape: Any, border: float) -> NDArray[np.bool_]:
    """Which cells a shape reaches into by more than a share of their sides (lat, lon)."""
    half_x, half_y = (side * (0.5 - border) for side in sides)
    x, y = np.meshgrid(part["lon"].values, part["lat"].values)
    shapely.prepare(shape)
    cells = shapely.box(x - half_x, y - half_y, x + half_x, y + half_y)
    touched: NDArray[np.bool_] = shapely.intersects(shape, cells)
    return touched

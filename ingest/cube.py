"""Loading a NetCDF or GRIB cube (time, lat, lon) as Zarr.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from psycopg import Connection

from shikong.ingest.errors import IngestError, UnreadableSource
from shikong.ingest.features import Options, Progress, file_digest
from shikong.ingest.report import Report
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer, ParameterDecl
from shikong.store import places, releases
from shikong.store.errors import NotPublished

_GRIB = (".grib", ".grib2", ".grb", ".grb2")
SUFFIXES = (".nc", ".nc4", *_GRIB)

#: Cells of a chunk along each axis: a week of hours, and windows of the city.
_CHUNK = {"time": 24 * 7, "lat": 128, "lon": 128}

_RATES = frozenset({"mm s-1", "mm/s", "kg m-2 s-1", "kg/m2/s"})
_LENGTHS = {"m": 1000.0, "mm": 1.0, "kg m-2": 1.0}


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, path: Path, options: Options, data: Path, progress: Progress
) -> Report:
    """Write a cube as the layer's next release and publish it.

    Longitudes and latitudes are taken as CGCS2000; times that give no zone are UTC, as CF has it. In mode `update` the
    times of the present release stay, those that the source has too are replaced, and the rest is added.
    Raises IngestError; then the release before stays.
    """
    place = places.new(data, layer)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, place, ignore_errors=True)
        with _open(path) as source:
            cube, notes = _normal(layer, source, options)
            size = cube.sizes
            cells = int(np.prod([size[name] for name in ("time", "lat", "lon")]))
            extent = _write(cube, layer, options, data, place)
        progress(1, 1)
        with conn.transaction():
            origin = releases.Source(path.name, file_digest(path), "EPSG:4490", None, options.origin)
            counts = releases.Counts(cells, cells, 0)
            release = releases.next_release(conn, layer, origin, counts, str(place.relative_to(data)))
            counts = replace(counts, added=1, current=1)
            releases.finish(conn, release, counts, extent)
            places.publish(data, layer, place)
        undo.pop_all()
    form = "GRIB" if path.suffix.lower() in _GRIB else "NetCDF"
    return Report(layer.id, path.name, form, "EPSG:4490", "longitude and latitude axes", counts, release, notes)


def _open(path: Path) -> xr.Dataset:
    """Open a cube without reading its values."""
    grib = path.suffix.lower() in _GRIB
    engine: dict[str, Any] = {"engine": "cfgrib", "backend_kwargs": {"indexpath": ""}} if grib else {}
    try:
        return xr.open_dataset(path, decode_timedelta=False, chunks="auto", **engine)
    except (OSError, ValueError, EOFError) as error:
        raise UnreadableSource(f"{path.name} cannot be read as {'GRIB' if grib else 'NetCDF'}: {error}") from error


def _normal(layer: Layer, source: xr.Dataset, options: Options) -> tuple[xr.Dataset, list[str]]:
    """The layer's variables on axes time, lat (north up last), lon, in the declared units."""
    axes = {}
    for wanted, names in (("lon", ("lon", "longitude", "x")), ("lat", ("lat", "latitude", "y")), ("time", ("time",))):
        found = next((name for name in names if name in source.dims), None)
        if found is None:
            raise IngestError(f"the source has no {wanted} axis; its axes are {', '.join(map(str, source.dims))}")
        axes[found] = wanted
    source = source.rename({old: new for old, new in axes.items() if old != new})
    _check_axes(source)
    notes: list[str] = []
    if not np.issubdtype(source["time"].dtype, np.datetime64):
        source = source.convert_calendar("standard", use_cftime=False)
        notes.append("calendar converted to the standard one; days that it lacks are missing, not invented")
    source = source.sortby(["time", "lat", "lon"])
    variables = {}
    for name, declared in layer.parameters.items():
        column = options.fields.get(name) or next(
            (str(var) for var in source.data_vars if str(var).lower() in (name, *declared.aliases)), None
        )
        if column is None or column not in source.data_vars:
            raise IngestError(
                f"no variable for {name}; pair it with --map {name}=VARIABLE. "
                f"The source has: {', '.join(map(str, source.data_vars))}"
            )
        if further := [str(axis) for axis in source[column].dims if axis not in axes.values()]:
            raise UnreadableSource(
                f"{column} has further axes ({', '.join(further)}); choose one step of them beforehand"
            )
        values = source[column].transpose("time", "lat", "lon")
        variables[name] = _in_unit(values, declared, notes)
    cube = xr.Dataset(variables)
    return cube.drop_vars([name for name in cube.coords if name not in axes.values()]), notes


def _check_axes(source: xr.Dataset) -> None:
    """Places and times must be told, and each once. Raises UnreadableSource with what is missing."""
    missing = [axis for axis in ("lat", "lon", "time") if axis not in source.coords]
    if missing:
        raise UnreadableSource(
            f"the source has no coordinates along {', '.join(missing)}; add coordinate variables of that name "
            "(degrees; time as CF has it)"
        )
    for axis in ("lat", "lon", "time"):
        values = source[axis]
        if bool(values.isnull().any()):
            raise UnreadableSource(f"the axis {axis} has values that are no numbers; correct it in the source")
        if not source.indexes[axis].is_unique:
            raise UnreadableSource(f"the axis {axis} has a value twice; correct it in the source")


def _in_unit(values: xr.DataArray, declared: ParameterDecl, notes: list[str]) -> xr.DataArray:
    unit = str(values.attrs.get("units", "")).strip()
    factor = 1.0
    if declared.unit == "mm" and unit in _RATES:
        step = float(np.median(np.diff(values["time"].values)) / np.timedelta64(1, "s"))
        factor = step
        notes.append(f"{unit} × step of {step:g} s = mm per step")
    elif declared.unit == "mm" and unit in _LENGTHS:
        factor = _LENGTHS[unit]
    elif unit != declared.unit:
        raise IngestError(f"{values.name} is in {unit or 'no stated unit'}; {declared.unit} is needed")
    out = (values * factor).astype("float32")
    out.attrs = {"units": declared.unit, "long_name": declared.title.en, "title_zh": declared.title.zh}
    out.encoding = {}
    return out


def _write(cube: xr.Dataset, layer: Layer, options: Options, data: Path, place: Path) -> releases.Extent:
    """Write a cube, in mode `update` together with the present release; gives the extent of the whole."""
    before = _present(data, layer) if options.mode == "update" else None
    if before is None:
        return _write_from(cube, layer, options, place, 0)
    with xr.open_zarr(before, consolidated=False) as present:
        for axis in ("lat", "lon"):
            if present.sizes[axis] != cube.sizes[axis] or not np.allclose(present[axis], cube[axis], atol=1e-6):
                raise UnreadableSource(
                    f"the source's {axis} axis differs from that of the present release; only a cube on the same grid "
                    "can be added to it. Load the whole anew without --update"
                )
        stays = present.isel(time=~present.indexes["time"].isin(cube.indexes["time"]))
        whole = xr.concat([stays, cube], dim="time", join="override", combine_attrs="override").sortby("time")
        alike = all(present[name].encoding["chunks"] == tuple(_CHUNK.values()) for name in layer.parameters)
        untouched = _first_new(present, cube, whole) // _CHUNK["time"] if alike else 0
        extent = _write_from(whole, layer, options, place, untouched)
        _link_chunks(before, place, list(layer.parameters), untouched)
    return extent


def _present(data: Path, layer: Layer) -> Path | None:
    try:
        return places.current(data, layer)
    except NotPublished:
        return None


def _first_new(present: xr.Dataset, cube: xr.Dataset, whole: xr.Dataset) -> int:
    """The index along time from which a cube differs from the release before."""
    return min(int(whole.indexes["time"].searchsorted(cube.indexes["time"][0])), present.sizes["time"])


def _write_from(cube: xr.Dataset, layer: Layer, options: Options, place: Path, chunk: int) -> releases.Extent:
    """Write a cube's axes, and its values from a chunk along time on."""
    cube = cube.chunk(_CHUNK)
    cube.attrs |= {"origin": options.origin, "layer": layer.id}
    for variable in cube.variables.values():
        variable.encoding = {}
    shape = {name: {"chunks": tuple(_CHUNK.values())} for name in layer.parameters}
    cube.to_zarr(place, mode="w", consolidated=False, zarr_format=2, compute=False, encoding=shape)
    start = chunk * _CHUNK["time"]
    values = cube.isel(time=slice(start, None)).drop_vars(["time", "lat", "lon"])
    values.to_zarr(place, region={"time": slice(start, None)}, consolidated=False, zarr_format=2)
    return _extent(cube)


def _link_chunks(before: Path, place: Path, names: list[str], untouched: int) -> None:
    """Take the chunks that stay from the release before, as further names of the same files."""
    for name in names:
        for file in (before / name).iterdir():
            number = file.name.partition(".")[0]
            if number.isdigit() and int(number) < untouched:
                os.link(file, place / name / file.name)


def _extent(cube: xr.Dataset) -> releases.Extent:
    lon, lat = cube["lon"].values, cube["lat"].values
    times = pd.DatetimeIndex(cube["time"].values).tz_localize("UTC")
    half_lon = abs(lon[1] - lon[0]) / 2 if len(lon) > 1 else 0
    half_lat = abs(lat[1] - lat[0]) / 2 if len(lat) > 1 else 0
    bbox = (float(lon.min() - half_lon), float(lat.min() - half_lat),
            float(lon.max() + half_lon), float(lat.max() + half_lat))  # fmt: skip
    return releases.Extent(bbox, times[0].to_pydatetime(), times[-1].to_pydatetime())

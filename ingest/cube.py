"""Loading a NetCDF cube (time, lat, lon) as Zarr.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

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

SUFFIXES = (".nc", ".nc4")

_RATES = frozenset({"mm s-1", "mm/s", "kg m-2 s-1", "kg/m2/s"})
_LENGTHS = {"m": 1000.0, "mm": 1.0, "kg m-2": 1.0}


def load(
    conn: Connection[Any], catalog: Catalog, layer: Layer, path: Path, options: Options, data: Path, progress: Progress
) -> Report:
    """Write a cube as the layer's next release and publish it.

    Longitudes and latitudes are taken as CGCS2000; times that give no zone are UTC, as CF has it.
    """
    try:
        source = xr.open_dataset(path, decode_timedelta=False)
    except (OSError, ValueError) as error:
        raise UnreadableSource(f"{path.name} cannot be read as NetCDF: {error}") from error
    with source:
        cube, notes = _normal(layer, source, options)
        place = places.new(data, layer)
        size = cube.sizes
        chunks = {"time": min(size["time"], 24 * 7), "lat": min(size["lat"], 128), "lon": min(size["lon"], 128)}
        cube.attrs |= {"origin": options.origin, "layer": layer.id}
        cube.chunk(chunks).to_zarr(place, mode="w", consolidated=False, zarr_format=2)
        cells = int(np.prod([size[name] for name in ("time", "lat", "lon")]))
        extent = _extent(cube)
    progress(1, 1)
    with conn.transaction():
        origin = releases.Source(path.name, file_digest(path), "EPSG:4490", None, options.origin)
        counts = releases.Counts(cells, cells, 0)
        release = releases.next_release(conn, layer, origin, counts, str(place.relative_to(data)))
        counts = replace(counts, added=1, current=1)
        releases.finish(conn, release, counts, extent)
        places.publish(data, layer, place)
    return Report(layer.id, path.name, "NetCDF", "EPSG:4490", "longitude and latitude axes", counts, release, notes)


def _normal(layer: Layer, source: xr.Dataset, options: Options) -> tuple[xr.Dataset, list[str]]:
    """The layer's variables on axes time, lat (north up last), lon, in the declared units."""
    axes = {}
    for wanted, names in (("lon", ("lon", "longitude", "x")), ("lat", ("lat", "latitude", "y")), ("time", ("time",))):
        found = next((name for name in names if name in source.dims), None)
        if found is None:
            raise IngestError(f"the source has no {wanted} axis; its axes are {', '.join(map(str, source.dims))}")
        axes[found] = wanted
    source = source.rename({old: new for old, new in axes.items() if old != new})
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
        values = source[column].transpose("time", "lat", "lon")
        variables[name] = _in_unit(values, declared, notes)
    return xr.Dataset(variables), notes


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


def _extent(cube: xr.Dataset) -> releases.Extent:
    lon, lat = cube["lon"].values, cube["lat"].values
    times = pd.DatetimeIndex(cube["time"].values).tz_localize("UTC")
    half_lon = abs(lon[1] - lon[0]) / 2 if len(lon) > 1 else 0
    half_lat = abs(lat[1] - lat[0]) / 2 if len(lat) > 1 else 0
    bbox = (float(lon.min() - half_lon), float(lat.min() - half_lat),
            float(lon.max() + half_lon), float(lat.max() + half_lat))  # fmt: skip
    return releases.Extent(bbox, times[0].to_pydatetime(), times[-1].to_pydatetime())

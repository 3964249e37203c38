"""Reading the cells of a raster or cube that a frame shows, brought onto the frame's own pixels.

Each pixel is computed from the cells around its own place, whichever frame it lies in, so that neighbouring tiles
meet. (rio-tiler's own readers cut the source to the tile first, or bring it to its own grid; see decision 0012.)

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray as xr
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject
from rio_tiler import reader
from zarr.errors import BaseZarrError

from shikong.layers.model import Layer
from shikong.layers.styles import RasterStyle
from shikong.store import rasters
from shikong.store.errors import Unreadable
from shikong.store.moments import Period
from shikong.store.tables import SRID
from shikong.tiles.errors import NoSuchTime
from shikong.tiles.frame import Frame

#: Cells, with masks where nothing is known: [parameter, row, column].
Cells = np.ma.MaskedArray[Any, Any]

#: Cells beside what a frame shows that its pixels are computed from, too.
_AROUND = 3


def cells(place: Path, layer: Layer, style: RasterStyle, frame: Frame, period: Period | None) -> Cells | None:
    """What a style draws of a release's file, on the frame's pixels; None where the frame has nothing of it.

    period: of a cube the last step in it, or not after it where it is an instant; None is the last step of all.
    Raises NoSuchTime, and Unreadable for a file that is broken or gone.
    """
    with _readable(layer):
        if layer.kind == "cube":
            return _cells_of_cube(place, layer, style, frame, period)
        return _cells_of_raster(place, layer, style, frame)


@contextmanager
def _readable(layer: Layer) -> Iterator[None]:
    try:
        yield
    except (RasterioError, CPLE_BaseError, OSError, RuntimeError, JSONDecodeError, BaseZarrError) as error:
        raise Unreadable(
            f"the files of {layer.id} cannot be read; load it again, or go back to an earlier release"
        ) from error


def parameters(layer: Layer, style: RasterStyle) -> tuple[str, ...]:
    """The parameters that a style draws; the first of the layer unless it says more."""
    if style.bands:
        return style.bands
    return (style.palette or next(iter(layer.parameters)),)


def _resampling(style: RasterStyle) -> str:
    """Codes cannot be mixed. A relief is drawn from slopes, in which the edges of cells would show."""
    if style.palette:
        return "nearest"
    return "cubic" if style.shade else "bilinear"


def _cells_of_raster(place: Path, layer: Layer, style: RasterStyle, frame: Frame) -> Cells | None:
    names = list(layer.parameters)
    with rasterio.open(place) as raster:
        if not _meets(frame, tuple(raster.bounds)):
            return None
        picture = reader.read(
            raster,
            indexes=[names.index(name) + 1 for name in parameters(layer, style)],
            width=frame.width,
            height=frame.height,
            reproject_method=_resampling(style),  # type: ignore[arg-type]
            vrt_options={
                "crs": CRS.from_epsg(frame.box.srid),
                "transform": frame.transform,
                "width": frame.width,
                "height": frame.height,
                # Between whole metres lie heights, too.
                "dtype": raster.dtypes[0] if style.palette or style.bands else "float32",
            },
        )
    return _known(picture.array)


def _cells_of_cube(place: Path, layer: Layer, style: RasterStyle, frame: Frame, period: Period | None) -> Cells | None:
    cube = rasters.opened(place)
    step = _step(cube, layer, period)
    lon, lat = cube["lon"].values, cube["lat"].values
    x, y = float(lon[1] - lon[0]), float(lat[1] - lat[0])
    if not _meets(frame, (lon[0] - x / 2, lat[0] - y / 2, lon[-1] + x / 2, lat[-1] + y / 2)):
        return None
    west, south, east, north = frame.bounds()
    # Where pixels are larger than cells they are computed from cells as far away as that.
    wide, high = max(x, (east - west) / frame.width) * _AROUND, max(y, (north - south) / frame.height) * _AROUND
    part = cube.isel(time=step).sel(lon=slice(west - wide, east + wide), lat=slice(south - high, north + high))
    source = np.stack([part[name].values[::-1] for name in parameters(layer, style)])  # rows from the north
    left, top = float(part["lon"][0]) - x / 2, float(part["lat"][-1]) + y / 2
    drawn = np.full((len(source), frame.height, frame.width), np.nan, dtype="float32")
    reproject(
        source, drawn, src_transform=rasterio.transform.from_origin(left, top, x, y), src_crs=CRS.from_epsg(SRID),
        src_nodata=np.nan, dst_transform=frame.transform, dst_crs=CRS.from_epsg(frame.box.srid), dst_nodata=np.nan,
        resampling=Resampling[_resampling(style)],
    )  # fmt: skip
    return _known(np.ma.masked_invalid(drawn))


def _step(cube: xr.Dataset, layer: Layer, period: Period | None) -> int:
    """The number of the step that is drawn. Raises NoSuchTime before the first, and once the last has passed."""
    times = cube["time"].values
    if period is None:
        return len(times) - 1
    until = times[-1] if period.end is None else _utc(period.end)
    step = int(np.searchsorted(times, until, side="right")) - 1
    if period.instant:
        length = times[-1] - times[-2] if len(times) > 1 else np.timedelta64(1, "h")
        outside = step < 0 or until >= times[-1] + length
    else:
        outside = step < 0 or (period.start is not None and times[step] < _utc(period.start))
    if outside:
        raise NoSuchTime(layer.id, *np.datetime_as_string(times[[0, -1]], unit="s"))
    return step


def _utc(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None))


def _meets(frame: Frame, extent: tuple[float, ...]) -> bool:
    """Whether a frame shows anything of an extent in the CRS of storage."""
    west, south, east, north = frame.bounds()
    return bool(west < extent[2] and east > extent[0] and south < extent[3] and north > extent[1])


def _known(found: Cells) -> Cells | None:
    """The cells, unless all are masked."""
    return None if bool(np.ma.getmaskarray(found).all()) else found

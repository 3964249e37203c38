"""What covers the ground, and what does it look like from above?

Land cover follows from the parcels' classes where parcels are generated; the imagery follows from the land cover, the
relief and noise. Both lie on one grid in EPSG:4490 over the window that has parcels, clear outside of it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.ndimage import gaussian_filter, map_coordinates

from shikong.samples import terrain, write
from shikong.samples.plane import Floats, generator, shapes_to_degrees
from shikong.samples.terrain import Terrain

#: Land-survey classes (the longest beginning that fits) and their class of land cover.
COVER = {
    "0101": 40, "01": 40, "02": 10, "03": 10, "0305": 20, "04": 30, "05": 50, "06": 50, "07": 50, "08": 50, "0810": 30,
    "09": 50, "10": 50, "11": 80, "1106": 90, "12": 60, "1202": 40,
}  # fmt: skip
#: What each class looks like on a day in May: red, green, blue, and how much one parcel differs from the next.
LOOKS = {
    10: (58, 84, 46, 10), 20: (96, 108, 66, 10), 30: (124, 138, 84, 12), 40: (134, 142, 86, 26),
    50: (168, 160, 150, 20), 60: (186, 170, 140, 14), 80: (62, 82, 92, 8), 90: (88, 102, 78, 10),
}  # fmt: skip


@dataclass(frozen=True)
class Cover:
    """The grid, its first row in the north: class of land cover (0 is none) and number of the parcel in each cell."""

    classes: NDArray[np.uint8]
    parcels: NDArray[np.int32]
    transform: Affine


def build(filled: pa.Table, step: float) -> Cover:
    """Land cover from the parcels (the table of ``ground.fill``), in cells of ``step`` degrees."""
    shapes = shapes_to_degrees(shapely.from_wkb(np.array(filled["geom"].to_pylist(), dtype=object)))
    codes = np.array([_cover(code) for code in filled["dlbm"].to_pylist()], dtype="uint8")
    west, south, east, north = shapely.total_bounds(shapes)
    west, north = np.floor(west / step) * step, np.ceil(north / step) * step
    size = int(np.ceil((north - south) / step)), int(np.ceil((east - west) / step))
    transform = Affine(step, 0.0, west, 0.0, -step, north)
    numbers = np.arange(1, len(shapes) + 1, dtype="int32")
    parcels = rasterize(zip(shapes, numbers, strict=True), out_shape=size, transform=transform, dtype="int32")
    return Cover(np.concatenate([[0], codes]).astype("uint8")[parcels], parcels, transform)


def _cover(code: str) -> int:
    return next(COVER[code[:length]] for length in (4, 2) if code[:length] in COVER)


def deliver(cover: Cover, path: Path) -> int:
    """Write land cover as GeoTIFF (EPSG:4490, bytes, 0 is nodata); returns the number of cells."""
    return _write(path, cover.classes[None], cover.transform, "地表覆盖", ["class"])


def imagery(seed: int, cover: Cover, relief: Terrain, path: Path) -> int:
    """Write what the ground looks like as GeoTIFF (EPSG:4490, three bands of bytes, 0 is nodata); returns the cells."""
    rng = generator(seed, "imagery")
    tone = np.concatenate([[0.0], rng.uniform(-1, 1, int(cover.parcels.max()))])[cover.parcels]
    grain = gaussian_filter(rng.standard_normal(cover.classes.shape), 0.7) * 7
    table = np.zeros((256, 4))
    table[list(LOOKS)] = list(LOOKS.values())
    looks = table[cover.classes]
    light = _light(cover, relief)
    bands = np.moveaxis(looks[..., :3] + (tone * looks[..., 3] + grain + light)[..., None], -1, 0)
    seen = np.where(cover.classes > 0, np.clip(np.rint(bands), 1, 255), 0).astype("uint8")
    return _write(path, seen, cover.transform, "正射影像", ["red", "green", "blue"])


def _light(cover: Cover, relief: Terrain) -> Floats:
    """How much brighter slopes towards the north-west are."""
    rows, columns = np.indices(cover.classes.shape)
    lon, lat = cover.transform * (columns + 0.5, rows + 0.5)
    heights = np.where(relief.values == terrain.NODATA, 0.0, relief.values)
    at = [(terrain.NORTH - lat) / relief.step - 0.5, (lon - terrain.WEST) / relief.step - 0.5]
    ground = map_coordinates(heights, at, order=1, mode="nearest")
    down, across = np.gradient(ground, cover.transform.a * 100_000)
    light: Floats = np.clip((across + down) * 400, -12, 12)
    return light


def _write(path: Path, values: Any, transform: Affine, title: str, names: list[str]) -> int:
    count, height, width = values.shape
    profile = {"driver": "GTiff", "width": width, "height": height, "count": count, "dtype": "uint8", "nodata": 0,
               "crs": "EPSG:4490", "transform": transform, "tiled": True, "blockxsize": 256, "blockysize": 256,
               "compress": "deflate", "predictor": 2}  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
        file.update_tags(
            origin=write.ORIGIN, title=f"聊城市{title}（{write.LABEL}）", TIFFTAG_SOFTWARE="shikong.samples"
        )
    return int(height * width)

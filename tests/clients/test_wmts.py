"""GDAL, QGIS and OWSLib read the WMTS in each matrix set, and what they show lies where it should; gdaldem sees the same
light.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import numpy as np
import pytest
import rasterio
import shapely
from owslib.wmts import WebMapTileService
from PIL import Image
from rasterio.transform import from_bounds, rowcol

from shikong.layers import catalog

SETS = {"c": 4490, "w": 3857, "WebMercatorQuad": 3857, "WorldCRS84Quad": 4490}


def _parcels(sample_city: Any, code: int) -> gpd.GeoDataFrame:
    """Today's parcels; the middle of the largest circle in each, and its radius."""
    parcels = gpd.read_file(sample_city.files / "parcels.fgb")
    parcels = parcels[parcels["valid_to"].isna()].to_crs(code)
    circles = shapely.maximum_inscribed_circle(parcels.geometry.values)
    return parcels.assign(middle=shapely.get_point(circles, 0), reach=shapely.length(circles))


def _check(parcels: gpd.GeoDataFrame, picture: Any, transform: Any, pixel: float) -> int:
    """How many parcels are seen in their own colour; every one that is large enough must be."""
    colours = catalog.default().codes["land_use_survey"].codes
    seen = 0
    for row in parcels[parcels["reach"] > 4 * pixel].itertuples():
        line, column = rowcol(transform, row.middle.x, row.middle.y)
        if 0 <= line < picture.shape[0] and 0 <= column < picture.shape[1]:
            colour = colours[row.dlbm].color or ""
            assert picture[line, column, :3].tolist() == list(bytes.fromhex(colour[1:])), row.bsm
            seen += 1
    return seen


@pytest.mark.parametrize("name", SETS)
def test_gdal_reads_parcels_where_they_lie(
    service: Any, sample_city: Any, run_client: Callable[..., str], tmp_path: Path, name: str
) -> None:
    source = f"WMTS:{service.url}/wmts/1.0.0/WMTSCapabilities.xml,layer=parcels,tilematrixset={name}"
    parcels = _parcels(sample_city, SETS[name])
    west, south, east, north = shapely.total_bounds(parcels.geometry.values)
    box = [str(number) for number in (west, north, east, south)]
    cache = {"GDAL_DEFAULT_WMS_CACHE_PATH": str(tmp_path)}  # else below the working directory
    told = json.loads(run_client("gdalinfo", "-json", source, **cache))
    assert ("4490" if name == "c" else "3857" if SETS[name] == 3857 else "CRS84") in told["coordinateSystem"]["wkt"]
    target = tmp_path / "parcels.tif"
    run_client("gdal_translate", "-q", "-projwin", *box, "-outsize", "1500", "0", source, str(target), **cache)
    with rasterio.open(target) as read:
        picture = np.moveaxis(read.read(), 0, -1)
        assert _check(parcels, picture, read.transform, read.res[0]) > 150


def test_gdal_reads_the_address_of_tianditus_manner(
    service: Any, sample_city: Any, run_client: Callable[..., str], tmp_path: Path
) -> None:
    source = f"WMTS:{service.url}/parcels_c/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&tk=0123456789"
    parcels = _parcels(sample_city, 4490)
    west, south, east, north = shapely.total_bounds(parcels.geometry.values)
    box = [str(number) for number in (west, north, east, south)]
    target, cache = tmp_path / "parcels.tif", {"GDAL_DEFAULT_WMS_CACHE_PATH": str(tmp_path)}
    run_client("gdal_translate", "-q", "-projwin", *box, "-outsize", "1500", "0", source, str(target), **cache)
    with rasterio.open(target) as read:
        assert _check(parcels, np.moveaxis(read.read(), 0, -1), read.transform, read.res[0]) > 150


@pytest.mark.parametrize(
    ("name", "crs"),
    [("c", "EPSG:4490"), ("w", "EPSG:3857"), ("WebMercatorQuad", "EPSG:3857"), ("WorldCRS84Quad", "OGC:CRS84")],
)
def test_qgis_draws_parcels_where_they_lie(
    service: Any, sample_city: Any, artefacts: Path, run_client: Callable[..., str], tmp_path: Path, name: str, crs: str
) -> None:
    parcels = _parcels(sample_city, SETS[name])
    x, y = shapely.get_coordinates(shapely.box(*shapely.total_bounds(parcels.geometry.values)).centroid)[0]
    half = 0.02 if SETS[name] == 4490 else 2400
    box = (x - half, y - half, x + half, y + half)
    layers = ("parcels:default", "land_cover:classes", "imagery:natural", "elevation:hillshade", "precipitation:rain")
    script = Path(__file__).with_name("qgis_wmts.py")
    output = run_client(
        "/usr/bin/python3", str(script), service.url, name, crs, *map(str, box), str(artefacts), *layers,
        QT_QPA_PLATFORM="offscreen", XDG_RUNTIME_DIR=str(tmp_path), QGIS_CUSTOM_CONFIG_PATH=str(tmp_path), HOME=str(tmp_path),
    )  # fmt: skip
    found = json.loads(output.strip().splitlines()[-1])
    assert {told["crs"] for told in found.values()} == {crs}
    picture = np.asarray(Image.open(artefacts / f"qgis_wmts_{name}_parcels.png").convert("RGB"))
    assert _check(parcels, picture, from_bounds(*box, 600, 600), 2 * half / 600) > 60
    for layer in ("land_cover", "imagery", "elevation"):
        drawn = np.asarray(Image.open(artefacts / f"qgis_wmts_{name}_{layer}.png").convert("RGB"))
        assert (drawn[200:400, 200:400] < 250).any(axis=2).mean() > 0.9, layer


@pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")  # OWSLib
def test_owslib_walks_the_wmts(service: Any) -> None:
    wmts = WebMapTileService(f"{service.url}/wmts?SERVICE=WMTS&REQUEST=GetCapabilities&VERSION=1.0.0")
    declared = {layer.id: layer for layer in catalog.default() if layer.tiles}
    assert set(wmts.contents) == set(declared)
    assert wmts.identification.title == catalog.default().city.title.zh
    assert set(wmts.tilematrixsets) == set(SETS)
    assert wmts.contents["elevation"].title == declared["elevation"].title.zh
    assert set(wmts.contents["elevation"].styles) == {"elevation", "hillshade", "terrain_rgb"}
    assert wmts.contents["precipitation"].dimensions["time"]["default"] == "current"
    for name, row, column in (("c", 2438, 13473), ("w", 6410, 13473)):
        tile = wmts.gettile(
            layer="parcels", tilematrixset=name, tilematrix="14", row=row, column=column, format="image/png"
        )
        plain = httpx.get(
            f"{service.url}/collections/parcels/map/tiles/{name}/14/{row}/{column}?f=png", trust_env=False
        )
        assert tile.read() == plain.content


def test_gdaldem_sees_the_same_light(
    service: Any, sample_city: Any, run_client: Callable[..., str], tmp_path: Path
) -> None:
    """On the cells of the file themselves."""
    source = sample_city.files / "elevation.tif"
    with rasterio.open(source) as heights:
        step = heights.res[0]
        west, north = heights.transform * (200, 200)  # dykes of the Yellow River
    size = 100
    box = (west, north - size * step, west + size * step, north)
    # gdaldem takes one size of a degree: that between its width and its height.
    degree = (111_320 * np.cos(np.radians(north - size * step / 2)) + 110_950) / 2
    run_client(
        "gdaldem", "hillshade", "-q", str(source), str(tmp_path / "shade.tif"), "-z", "8", "-az", "315", "-alt", "45",
        "-s", str(degree),
    )  # fmt: skip
    answer = httpx.get(
        f"{service.url}/collections/elevation/map", trust_env=False,
        params={"bbox": ",".join(map(str, box)), "width": size, "height": size, "style": "hillshade", "f": "png"},
    )  # fmt: skip
    ours = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA")).astype(float)
    with rasterio.open(tmp_path / "shade.tif") as shade:
        theirs = shade.read(1)[200 : 200 + size, 200 : 200 + size].astype(float)
    assert ((ours[..., 3] == 0) == (theirs == 0)).all()
    ours, theirs = ours[theirs > 0], theirs[theirs > 0]
    assert theirs.std() > 2
    assert np.corrcoef(ours[..., 0].ravel(), theirs.ravel())[0, 1] > 0.99
    assert np.abs(ours[..., 0] - theirs).max() <= 2

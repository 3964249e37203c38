"""Map tiles and maps over HTTP: what they show, where, in which formats, and what is told when there is none.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import morecantile
import netCDF4
import numpy as np
import pyproj
import pytest
import rasterio
import shapely
from PIL import Image
from rasterio.features import rasterize
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT

from shikong.layers import catalog
from support.loads import load

CITY = catalog.default()
DRAWN = [layer.id for layer in CITY if layer.tiles]
EPSG = "http://www.opengis.net/def/crs/EPSG/0/{}"
SRID = {"WebMercatorQuad": 3857, "WorldCRS84Quad": 4490, "c": 4490, "w": 3857}
PLACE = (116.045, 36.415)


def _picture(answer: Any) -> Any:
    """Red, green, blue and alpha of an answer."""
    assert answer.status == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))


def _path(layer: str, name: str, zoom: int, lon: float = PLACE[0], lat: float = PLACE[1], style: str = "") -> str:
    """The tile of a place. zoom: of WebMercatorQuad at the same scale."""
    registered = morecantile.tms.get("WebMercatorQuad" if SRID[name] == 3857 else "WorldCRS84Quad")
    tile = registered.tile(lon, lat, zoom - (SRID[name] == 4490))
    level = zoom - 1 if name == "WorldCRS84Quad" else zoom
    return f"/collections/{layer}{f'/styles/{style}' if style else ''}/map/tiles/{name}/{level}/{tile.y}/{tile.x}"


def _bounds(name: str, zoom: int) -> Any:
    registered = morecantile.tms.get("WebMercatorQuad" if SRID[name] == 3857 else "WorldCRS84Quad")
    return registered.xy_bounds(registered.tile(*PLACE, zoom - (SRID[name] == 4490)))


def _colours(codes: str) -> dict[str, Any]:
    return {
        code: list(bytes.fromhex(entry.color[1:])) for code, entry in CITY.codes[codes].codes.items() if entry.color
    }


@pytest.mark.parametrize("name", SRID)
def test_parcels_are_drawn_where_they_lie_in_their_colours(client: Any, sample_city: Any, name: str) -> None:
    """Against rasterio's drawing of the delivered file."""
    parcels = gpd.read_file(sample_city.files / "parcels.fgb")
    parcels = parcels[parcels["valid_to"].isna()].to_crs(SRID[name])
    bounds = _bounds(name, 14)
    colours, pixel = _colours("land_use_survey"), (bounds.right - bounds.left) / 256
    codes = sorted(set(parcels["dlbm"]))
    inner = shapely.buffer(parcels.geometry.values, -2.5 * pixel)  # edges are smoothed, and have outlines
    shapes = [
        (shape, codes.index(code) + 1) for shape, code in zip(inner, parcels["dlbm"], strict=True) if not shape.is_empty
    ]
    expected = rasterize(shapes, (256, 256), transform=from_bounds(*bounds, 256, 256))
    found = _picture(client.get(_path("parcels", name, 14), f="png"))
    assert (expected > 0).sum() > 20_000
    for number, code in enumerate(codes, 1):
        assert (found[expected == number] == [*colours[code], 255]).all(), code
    nothing = (
        rasterize(
            shapely.buffer(parcels.geometry.values, 2.5 * pixel), (256, 256), transform=from_bounds(*bounds, 256, 256)
        )
        == 0
    )
    assert (found[nothing] == 0).all()


@pytest.mark.parametrize("name", SRID)
def test_land_cover_is_drawn_where_it_lies_in_its_colours(client: Any, sample_city: Any, name: str) -> None:
    found, bounds = _picture(client.get(_path("land_cover", name, 15), f="png")), _bounds(name, 15)
    with rasterio.open(sample_city.files / "land_cover.tif") as source:
        x, y = np.meshgrid(
            np.linspace(bounds.left, bounds.right, 513)[1::2], np.linspace(bounds.top, bounds.bottom, 513)[1::2]
        )
        points = gpd.points_from_xy(x.ravel(), y.ravel(), crs=SRID[name]).to_crs(4490)
        codes = np.array([value[0] for value in source.sample(zip(points.x, points.y, strict=True))])
    colours = _colours("land_cover")
    expected = np.array([[*colours[str(code)], 255] if code else [0, 0, 0, 0] for code in codes]).reshape(256, 256, 4)
    assert (expected[..., 3] > 0).sum() > 20_000
    assert (found == expected).all(axis=2).mean() > 0.97


def test_imagery_is_a_photograph(client: Any, sample_city: Any) -> None:
    with rasterio.open(sample_city.files / "imagery.tif") as source:
        middle = source.read()[:, 150:300, 150:300]
    for form in ("png", "webp", "jpeg"):
        found = _picture(client.get(_path("imagery", "w", 14), f=form))
        seen = found[found[..., 3] == 255]
        if form == "jpeg":
            seen = seen[(seen[:, :3] < 250).any(axis=1)]
        assert np.abs(seen[:, :3].mean(axis=0) - middle.mean(axis=(1, 2))).max() < 12
    sizes = {form: len(client.get(_path("imagery", "w", 14), f=form).content) for form in ("png", "webp", "jpeg")}
    assert sizes["webp"] < sizes["png"] / 3


def test_rain_is_that_of_the_hour(client: Any, sample_city: Any) -> None:
    """Colours of the middle of a cell, against the delivered file."""
    with netCDF4.Dataset(sample_city.files / "precipitation.nc") as file:
        field = np.asarray(file["precipitation"][:])
        hours = [np.datetime64(int(hour), "h") for hour in file["time"][:]]
        hour, row, column = np.unravel_index(np.argmax(field), field.shape)
        lon, lat = float(file["lon"][column]), float(file["lat"][row])
    ramp = CITY.layer("precipitation").styles["rain"].ramp
    assert ramp is not None
    box = f"{lon - 1e-4},{lat - 1e-4},{lon + 1e-4},{lat + 1e-4}"

    def ask(when: str) -> Any:
        return client.get("/collections/precipitation/map", bbox=box, width=8, f="png", datetime=when)

    for step in (hour, hour - 2, hour + 3):
        value = field[step, row, column]
        expected = [np.interp(value, [stop for stop, _ in ramp], [bytes.fromhex(colour[1:])[band] for _, colour in ramp])
                    for band in range(3)]  # fmt: skip
        found = _picture(ask(f"{hours[step]}:20:00Z"))[4, 4]
        assert np.abs(found[:3] - np.array(expected)).max() <= 3, step
        assert found[3] == (255 if value >= 0.1 else 0)
    assert ask(f"{hours[0] - 2}:00:00Z").status == 404
    late = ask("2099-01-01")
    assert late.status == 404
    assert f"{hours[-1]}:00:00Z" in late.json["detail"]


@pytest.mark.parametrize("layer", DRAWN)
def test_every_drawn_layer_has_tiles_in_every_set_and_format(client: Any, layer: str) -> None:
    tiles = CITY.layer(layer).tiles
    assert tiles is not None
    zoom = min(max(tiles.min_zoom, 13), tiles.max_zoom)
    for name in SRID:
        for form, kind in (("png", "PNG"), ("webp", "WEBP"), ("jpeg", "JPEG")):
            answer = client.get(_path(layer, name, zoom), f=form)
            assert answer.headers["content-type"] == f"image/{form}"
            image = Image.open(io.BytesIO(answer.content))
            assert (image.format, image.size) == (kind, (256, 256))
    listed = client.get(f"/collections/{layer}/map/tiles").json["tilesets"]
    assert {each["links"][0]["href"].rpartition("/")[2] for each in listed} == set(SRID)
    links = client.get(f"/collections/{layer}", f="json").json["links"]
    rels = {link["rel"].rpartition("/")[2] for link in links}
    assert {"map", "tilesets-map"} <= rels


@pytest.mark.parametrize("name", SRID)
def test_a_tileset_tells_where_tiles_are(client: Any, name: str) -> None:
    told = client.get(f"/collections/imagery/map/tiles/{name}").json
    assert told["dataType"] == "map"
    template = next(link["href"] for link in told["links"] if link["rel"] == "item" and link["type"] == "image/png")
    for limits in told["tileMatrixSetLimits"][::4]:
        place = {
            "{tileMatrix}": limits["tileMatrix"],
            "{tileRow}": limits["minTileRow"],
            "{tileCol}": limits["maxTileCol"],
        }
        href = template
        for key, value in place.items():
            href = href.replace(key, str(value))
        assert client.link(href).status == 200
    last = told["tileMatrixSetLimits"][-3]
    row, column = (last["minTileRow"] + last["maxTileRow"]) // 2, (last["minTileCol"] + last["maxTileCol"]) // 2
    assert _picture(client.get(f"/collections/imagery/map/tiles/{name}/{last['tileMatrix']}/{row}/{column}", f="png"))[
        ..., 3
    ].any()


def test_styles_are_chosen_by_name_or_by_address(client: Any) -> None:
    path = _path("elevation", "c", 10)
    pictures = {
        style: client.get(path, f="png", style=style).content for style in ("elevation", "hillshade", "terrain_rgb")
    }
    assert len(set(pictures.values())) == 3
    assert (
        client.get(path, f="png").content == client.get(path, f="png", style="default").content == pictures["elevation"]
    )
    for style, content in pictures.items():
        assert client.get(_path("elevation", "c", 10, style=style), f="png").content == content
    assert (
        client.get(_path("parcels", "c", 14, style="default"), f="png").content
        == client.get(_path("parcels", "c", 14), f="png").content
    )
    wrong = client.get(path, style="nosuch")
    assert (wrong.status, wrong.json["allowed"]) == (400, ["elevation", "hillshade", "terrain_rgb"])
    assert client.get(_path("elevation", "c", 10, style="nosuch")).status == 404
    assert client.get(path, style="terrain_rgb", f="jpeg").json["allowed"] == ["png", "webp"]


def test_terrain_rgb_tells_heights(client: Any, sample_city: Any) -> None:
    found = _picture(client.get(_path("elevation", "c", 10, style="terrain_rgb"), f="webp")).astype(float)
    heights = -10000 + (found[..., 0] * 65536 + found[..., 1] * 256 + found[..., 2]) / 10
    bounds = _bounds("c", 10)
    with rasterio.open(sample_city.files / "elevation.tif") as source:
        window = source.window(*bounds)
        expected = source.read(1, window=window, masked=True)
    assert heights.mean() == pytest.approx(float(expected.mean()), abs=0.3)
    assert np.percentile(heights, [5, 95]) == pytest.approx(np.percentile(expected.compressed(), [5, 95]), abs=0.6)


def test_nothing_is_clear_and_white_as_jpeg(client: Any) -> None:
    away = _path("parcels", "w", 14, 115.3, 36.9)
    assert _picture(client.get(away, f="png"))[..., 3].max() == 0
    assert _picture(client.get(away, f="webp"))[..., 3].max() == 0
    assert _picture(client.get(away, f="jpeg")).min() == 255


def test_formats_follow_accept(client: Any) -> None:
    path = _path("rivers", "w", 11)
    for accept, kind in (("image/webp,*/*;q=0.8", "image/webp"), ("image/jpeg", "image/jpeg"), ("*/*", "image/png"),
                         ("text/html", "image/png")):  # fmt: skip
        answer = client.get(path, accept=accept)
        assert answer.headers["content-type"] == kind
        assert "Accept" in answer.headers["vary"]


def test_pictures_are_tagged_and_not_sent_twice(client: Any) -> None:
    for path in (_path("parcels", "c", 14), _path("elevation", "c", 10), "/collections/land_cover/map"):
        first = client.get(path, f="png")
        tag = first.headers["etag"]
        again = httpx.get(f"{client.url}{path}?f=png", headers={"if-none-match": tag}, trust_env=False)
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, f="webp").headers["etag"] != tag


def test_the_past_is_drawn(client: Any, sample_city: Any) -> None:
    """A parcel whose class changed has its former colour before."""
    parcels = gpd.read_file(sample_city.files / "parcels.fgb").to_crs(4490)
    ended = parcels[parcels["valid_to"].notna()].iloc[0]
    now = parcels[(parcels["bsm"] == ended.bsm) & parcels["valid_to"].isna()].iloc[0]
    x, y = shapely.get_coordinates(ended.geometry.representative_point())[0]
    box = f"{x - 2e-5},{y - 2e-5},{x + 2e-5},{y + 2e-5}"
    colours = _colours("land_use_survey")
    for when, row in ((str(ended.valid_from)[:10], ended), (str(now.valid_from)[:10], now)):
        found = _picture(client.get("/collections/parcels/map", bbox=box, width=64, f="png", datetime=when))
        assert found[32, 32].tolist() == [*colours[row.dlbm], 255]


# --- whole pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CITY.city.crs)
def test_a_map_lies_in_the_crs_that_is_asked_for(client: Any, sample_city: Any, code: int) -> None:
    """The middle of a parcel is in the parcel's colour, in every CRS of the city, features and rasters alike."""
    box = (116.03, 36.40, 116.05, 36.42)
    answer = client.get(
        "/collections/parcels/map", bbox=",".join(map(str, box)), width=600, f="png", crs=EPSG.format(code)
    )
    found = _picture(answer)
    numbers = [float(part) for part in answer.headers["content-bbox"].split(",")]
    assert answer.headers["content-crs"] == f"<{EPSG.format(code)}>"

    north_first = pyproj.CRS.from_epsg(code).axis_info[0].direction == "north"
    south, west, north, east = numbers if north_first else [numbers[1], numbers[0], numbers[3], numbers[2]]
    parcels = gpd.read_file(sample_city.files / "parcels.fgb")
    parcels = parcels[parcels["valid_to"].isna()].to_crs(code)
    colours, checked = _colours("land_use_survey"), 0
    for row in parcels.itertuples():
        x, y = shapely.get_coordinates(shapely.maximum_inscribed_circle(row.geometry))[0]
        reach = shapely.maximum_inscribed_circle(row.geometry).length
        column, line = (x - west) / (east - west) * 600, (north - y) / (north - south) * found.shape[0]
        if 2 < column < 598 and 2 < line < found.shape[0] - 2 and reach > 3 * (east - west) / 600:
            assert found[int(line), int(column)].tolist() == [*colours[row.dlbm], 255]
            checked += 1
    assert checked > 30
    same = client.get("/collections/parcels/map", bbox=answer.headers["content-bbox"], bbox_crs=EPSG.format(code), width=600, f="png",
                      crs=EPSG.format(code))  # fmt: skip
    assert np.abs(_picture(same).astype(int)[: len(found)] - found[: len(_picture(same))]).mean() < 1
    cover = _picture(
        client.get(
            "/collections/land_cover/map", bbox=",".join(map(str, box)), width=600, f="png", crs=EPSG.format(code)
        )
    )
    assert cover.shape == found.shape
    fields = (found[..., :3] == colours["0102"]).all(axis=2)
    assert (cover[fields][:, :3] == _colours("land_cover")["40"]).all(axis=1).mean() > 0.93


def test_sizes_keep_the_shape_of_the_box(client: Any) -> None:
    def size(**given: Any) -> tuple[int, int]:
        answer = client.get("/collections/elevation/map", bbox="115.5,36.2,116.3,36.6", f="png", **given)
        image: tuple[int, int] = Image.open(io.BytesIO(answer.content)).size
        return image

    assert size() == (800, 400)
    assert size(width=300) == (300, 150)
    assert size(height=300) == (600, 300)
    assert size(width=100, height=100) == (100, 100)
    tall = client.get("/collections/elevation/map", bbox="115.5,36,115.7,36.8", f="png")
    assert Image.open(io.BytesIO(tall.content)).size == (200, 800)


def test_several_layers_lie_on_each_other_in_the_order_given(client: Any) -> None:
    given = {"bbox": "116.03,36.40,116.05,36.42", "width": 300, "f": "png"}
    one, other = (_picture(client.get(f"/collections/{layer}/map", **given)) for layer in ("land_cover", "parcels"))
    below = _picture(client.get("/map", collections="land_cover,parcels", **given))
    above = _picture(client.get("/map", collections="parcels,land_cover", **given))
    assert (below[other[..., 3] == 255] == other[other[..., 3] == 255]).all()
    assert (above[one[..., 3] == 255] == one[one[..., 3] == 255]).all()
    assert (below != above).any()


def test_backgrounds(client: Any) -> None:
    path, given = "/collections/rivers/map", {"bbox": "115.3,36.9,115.31,36.91", "width": 20, "f": "png"}
    for more, corner in (({}, [0, 0, 0, 0]), ({"transparent": "false"}, [255, 255, 255, 255]), ({"bgcolor": "0x102030"}, [16, 32, 48, 255]),
                         ({"bgcolor": "#ff0000"}, [255, 0, 0, 255]), ({"bgcolor": "white"}, [255, 255, 255, 255]),
                         ({"bgcolor": "black", "transparent": "true"}, [0, 0, 0, 0])):  # fmt: skip
        assert _picture(client.get(path, **given, **more))[0, 0].tolist() == corner, more


def test_a_layer_is_not_drawn_at_scales_at_which_it_has_no_tiles(client: Any) -> None:
    """A picture of the city with all its buildings would show nothing and take long."""
    given = {"width": 200, "f": "png"}
    wide = _picture(client.get("/collections/buildings/map", bbox="115,36,117,37", **given))
    near = _picture(client.get("/collections/buildings/map", bbox="116.02,36.4,116.05,36.43", **given))
    assert wide[..., 3].max() == 0
    assert near[..., 3].max() == 255


@pytest.mark.parametrize("code", [4490, 3857, 4548])
def test_small_scales_are_drawn_from_tiles_with_merged_areas(client: Any, sample_city: Any, code: int) -> None:
    """Where the window with parcels lies, and mostly in the colours of the parcels."""
    box = (115.9, 36.3, 116.2, 36.5)
    answer = client.get(
        "/collections/parcels/map", bbox=",".join(map(str, box)), width=300, f="png", crs=EPSG.format(code)
    )
    found = _picture(answer)
    numbers = [float(part) for part in answer.headers["content-bbox"].split(",")]
    north_first = pyproj.CRS.from_epsg(code).axis_info[0].direction == "north"
    south, west, north, east = numbers if north_first else [numbers[1], numbers[0], numbers[3], numbers[2]]
    parcels = gpd.read_file(sample_city.files / "parcels.fgb")
    parcels = parcels[parcels["valid_to"].isna()].to_crs(code)
    transform = from_bounds(west, south, east, north, 300, found.shape[0])
    window, pixel = shapely.union_all(parcels.geometry.values), (east - west) / 300
    inside = rasterize([shapely.buffer(window, -2 * pixel)], found.shape[:2], transform=transform).astype(bool)
    outside = ~rasterize([shapely.buffer(window, 2 * pixel)], found.shape[:2], transform=transform).astype(bool)
    assert inside.sum() > 300
    assert found[inside][:, 3].min() > 215  # the ground hardly shines through between areas
    assert found[outside][:, 3].max() < 10
    colours = np.array([_colours("land_use_survey")[code] for code in parcels["dlbm"]])
    expected = np.average(colours, axis=0, weights=shapely.area(parcels.geometry.values))
    assert np.abs(found[inside][:, :3].mean(axis=0) - expected).max() < 50  # outlines darken it


# --- when files are broken ----------------------------------------------------------------------------------------


def test_a_broken_or_vanished_raster_is_told_and_the_server_goes_on(
    empty_store: Any,
    sample_city: Any,
    run_service: Callable[..., AbstractContextManager[Any]],
    tmp_path: Path,
    make_client: Any,
) -> None:
    store = empty_store
    load(store, sample_city.files / "land_cover.tif", "land_cover")
    load(store, sample_city.files / "imagery.tif", "imagery")
    folder = store.settings.data / "rasters"
    with run_service(store.settings.database_url, store.settings.data) as running:
        asking = make_client(running.url)
        path = _path("land_cover", "w", 14)
        assert _picture(asking.get(path, f="png"))[..., 3].any()
        [whole] = [place for place in (folder / "land_cover").iterdir() if not place.is_symlink()]
        kept = whole.read_bytes()
        whole.write_bytes(kept[: len(kept) // 4])
        assert _picture(asking.get(path, f="png"))[..., 3].any(), "what is kept is right all the same"
        path = _path("land_cover", "w", 15)
        for _ in range(3):
            broken = asking.get(path, f="png")
            assert broken.status == 500
            assert broken.headers["content-type"] == "application/problem+json"
            assert "land_cover cannot be read; load it again" in broken.json["detail"]
            assert str(store.settings.data) not in broken.text
        whole.unlink()
        gone = asking.get(path, f="png")
        assert (gone.status, "have vanished" in gone.json["detail"]) == (500, True)
        report = asking.get(f"/wmts/1.0.0/land_cover/classes/{path.partition('tiles/')[2]}.png")
        assert report.status == 500
        assert "ExceptionReport" in report.text
        assert asking.get("/wmts/1.0.0/WMTSCapabilities.xml").status == 200
        whole.write_bytes(kept)
        assert _picture(asking.get(path, f="png"))[..., 3].any()
        assert _picture(asking.get(_path("imagery", "w", 14), f="png"))[..., 3].any()
        assert asking.get(_path("elevation", "w", 9), f="png").status == 404  # nothing has been published
        assert "Traceback" not in running.log.read_text(encoding="utf-8")
        asking.close()


def test_asof_draws_the_release_of_then(
    empty_store: Any,
    sample_city: Any,
    run_service: Callable[..., AbstractContextManager[Any]],
    make_client: Any,
    tmp_path: Path,
) -> None:
    store = empty_store
    load(store, sample_city.files / "land_cover.tif", "land_cover")
    with store.thread_session() as conn:
        first = conn.execute("SELECT published_at FROM shikong.release WHERE layer = 'land_cover'").fetchone()[0]
    with rasterio.open(sample_city.files / "land_cover.tif") as source:
        profile, values = source.profile, source.read()
    with rasterio.open(tmp_path / "all_water.tif", "w", **profile) as target:
        target.write(np.where(values > 0, 80, 0).astype("uint8"))
    load(store, tmp_path / "all_water.tif", "land_cover")
    path, water = _path("land_cover", "c", 14), _colours("land_cover")["80"]
    with run_service(store.settings.database_url, store.settings.data) as running:
        asking = make_client(running.url)
        now, then = (_picture(asking.get(path, f="png", **more)) for more in ({}, {"asOf": first.isoformat()}))
        assert (now[now[..., 3] > 0][:, :3] == water).all()
        assert not (then[then[..., 3] > 0][:, :3] == water).all()
        assert (now[..., 3] == then[..., 3]).all()
        assert asking.get(path, f="png", asOf="2001-01-01").status == 404
        [place] = {p for p in (store.settings.data / "rasters/land_cover").iterdir() if not p.is_symlink()} - {
            (store.settings.data / "rasters/land_cover/current.tif").resolve()}  # fmt: skip
        place.unlink()
        assert asking.get(_path("land_cover", "c", 15), f="png", asOf=first.isoformat()).status == 410
        asking.close()


def test_codes_survive_a_warp_and_overviews(empty_store: Any, sample_city: Any, tmp_path: Path) -> None:
    """A delivery in Gauss-Krueger: cells are brought to degrees, and no code arises that it does not have."""
    with rasterio.open(sample_city.files / "land_cover.tif") as source:
        given = set(np.unique(source.read(1)).tolist())
        with WarpedVRT(source, crs="EPSG:4548") as warped:
            rasterio.shutil.copy(warped, tmp_path / "gk.tif", driver="GTiff")
    load(empty_store, tmp_path / "gk.tif", "land_cover")
    place = next(path for path in (empty_store.settings.data / "rasters/land_cover").iterdir() if not path.is_symlink())
    with rasterio.open(place) as stored:
        assert set(np.unique(stored.read(1)).tolist()) <= given
        factors = stored.overviews(1)
        assert stored.crs.to_epsg() == 4490
    if factors:
        with rasterio.open(place, overview_level=0) as overview:
            assert set(np.unique(overview.read(1)).tolist()) <= given

"""Values as colours, pictures as files, and vector tiles drawn.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import mapbox_vector_tile
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize
from rasterio.io import MemoryFile

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.layers.styles import StyleDecl
from shikong.layers.symbols import Symbol, symbols
from shikong.tiles import drawing, paint

CITY = catalog.default()
STOPS = ((0.0, "#000000"), (10.0, "#0A1464"), (20.0, "#FFFFFF"))


def test_a_ramp_mixes_between_its_colours_and_begins_at_the_first() -> None:
    values = np.ma.masked_equal([[-0.1, 0.0, 5.0, 10.0, 15.0, 20.0, 999.0, -5555.0]], -5555.0)
    drawn = paint.ramp(values, STOPS)[0].tolist()
    assert [pixel[3] for pixel in drawn] == [0, 255, 255, 255, 255, 255, 255, 0]
    assert [tuple(pixel[:3]) for pixel in drawn[1:7]] == [
        (0, 0, 0), (5, 10, 50), (10, 20, 100), (132, 138, 178), (255, 255, 255), (255, 255, 255),
    ]  # fmt: skip


def test_bands_are_colours_and_clear_where_all_are_unknown() -> None:
    values = np.ma.masked_equal(np.array([[[0, 0, 300]], [[0, 7, 5]], [[0, 9, 6]]], dtype="int16"), 0)
    assert paint.bands(values)[0].tolist() == [[0, 0, 0, 0], [0, 7, 9, 255], [255, 5, 6, 255]]


def _read(data: bytes) -> tuple[str, Any]:
    """Driver and bands of a picture, as GDAL reads it."""
    with MemoryFile(data) as memory, memory.open() as picture:
        return picture.driver, picture.read()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_files_are_read_by_gdal() -> None:
    picture = paint.clear(40, 30)
    picture[:15, :, :] = (200, 30, 40, 255)
    for form, driver in (("png", "PNG"), ("webp", "WEBP")):
        found, bands = _read(paint.file(picture, form, exact=True))
        assert found == driver
        assert (bands[3] == picture[..., 3]).all()
        assert (np.moveaxis(bands, 0, -1)[:15] == picture[:15]).all()
    found, bands = _read(paint.file(picture, "jpeg", exact=True))
    assert (found, bands.shape) == ("JPEG", (3, 30, 40))
    assert np.abs(bands[:, :8].astype(int) - np.array([200, 30, 40])[:, None, None]).max() <= 10
    assert bands[:, 24:].min() >= 252
    found, bands = _read(paint.file(picture, "png", exact=True, background=(1, 2, 3)))
    assert bands[:3, 20, 20].tolist() == [1, 2, 3]


def _drawn(layer: Layer, shapes: list[tuple[Any, dict[str, Any]]], **more: Any) -> Any:
    """Shapes in units of the tile, y downwards."""
    extent = more.get("extent", 4096)
    features = [
        {"geometry": shapely.transform(shape, lambda xy: xy * [1, -1] + [0, extent]), "properties": properties}
        for shape, properties in shapes
    ]
    tile = mapbox_vector_tile.encode([{"name": layer.id, "features": features}], default_options={"extents": extent})
    return drawing.draw(tile, layer, symbols(CITY, layer), **more)


def _layer(name: str, **style: Any) -> Layer:
    layer = CITY.layer(name)
    assert layer.style is not None
    return layer.model_copy(update={"style": StyleDecl(**(layer.style.model_dump() | style))})


def test_areas_with_holes_lie_where_they_should_in_the_colours_of_their_codes() -> None:
    """Against rasterio, which draws without smoothing: pixels that a shape fills or does not touch are the same."""
    ring = shapely.Point(1500, 1200).buffer(900) - shapely.Point(1500, 1200).buffer(400)
    shapes = {"0102": ring, "0301": shapely.box(2600, 2600, 3900, 4000), "nosuch": shapely.box(100, 3000, 900, 3900)}
    found = _drawn(_layer("parcels", outline=None), [(shape, {"dlbm": code}) for code, shape in shapes.items()])
    colours = {symbol.value: symbol.color for symbol in symbols(CITY, CITY.layer("parcels"))}
    scale = rasterio.Affine.scale(16)
    for code, shape in shapes.items():
        colour = np.frombuffer(bytes.fromhex(colours.get(code, colours[None])[1:]), dtype="uint8")
        inside = rasterize([shape.buffer(-24)], (256, 256), transform=scale).astype(bool)
        assert inside.sum() > 100
        assert (found[inside] == [*colour, 255]).all()
    touched = rasterize([shape.buffer(24) for shape in shapes.values()], (256, 256), transform=scale, all_touched=True)
    assert (found[~touched.astype(bool)] == 0).all()


@pytest.mark.parametrize("width", [1.0, 5.0])
def test_lines_are_as_wide_as_declared(width: float) -> None:
    layer = _layer("rivers", width=width)
    found = _drawn(layer, [(shapely.LineString([(0, 2048), (4096, 2048)]), {"class": "main"})])
    assert found[:, 100, 3].astype(float).sum() / 255 == pytest.approx(width, abs=0.05)
    assert set(np.flatnonzero(found[:, 100, 3])) <= set(range(125 - int(width), 132 + int(width)))


def test_points_are_as_large_as_declared_with_an_outline_around_them() -> None:
    layer = _layer("heritage_sites", radius=6, width=2, outline="#112233")
    found = _drawn(layer, [(shapely.MultiPoint([(1600, 800)]), {}), (shapely.Point(3200, 3200), {})])
    for x, y in ((100, 50), (200, 200)):
        assert found[y, x].tolist()[3] == 255
        assert found[y - 6, x - 1 : x + 1, :3].tolist() == [[0x11, 0x22, 0x33]] * 2
    assert (found[..., 3].astype(float).sum() / 255) == pytest.approx(2 * np.pi * 7**2, rel=0.03)


def test_opacity_is_kept() -> None:
    layer = _layer("districts", opacity=0.5, outline=None)
    found = _drawn(layer, [(shapely.box(0, 0, 4096, 4096), {})])
    assert found[128, 128, 3] == pytest.approx(128, abs=1)


def test_what_is_drawn_in_many_parts_is_what_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    places = rng.integers(0, 4000, (600, 2))
    codes = rng.choice(["0102", "0301", "1101", "0702"], 600)
    shapes = [
        (shapely.box(x, y, x + 90, y + 60), {"dlbm": code}) for (x, y), code in zip(places.tolist(), codes, strict=True)
    ]
    layer = _layer("parcels", outline=None)
    once = _drawn(layer, shapes)
    monkeypatch.setattr(drawing, "_PART", 500)
    parts = _drawn(layer, shapes)
    assert np.abs(parts.astype(int) - once).mean() < 0.5
    assert (parts == once).all(axis=2).mean() > 0.95


def test_a_wide_picture_is_drawn_from_a_square_tile() -> None:
    found = _drawn(
        _layer("districts", opacity=1, outline=None),
        [(shapely.box(160, 160, 3200, 480), {})],
        width=400,
        height=60,
        extent=6400,
    )
    assert found.shape == (60, 400, 4)
    filled = found[..., 3] == 255
    assert filled[10:30, 10:200].all()
    assert filled.sum() == 20 * 190


def test_the_first_symbol_lies_on_top() -> None:
    layer = _layer("parcels", outline=None)
    shape = shapely.box(0, 0, 4096, 4096)
    tile = mapbox_vector_tile.encode([{"name": layer.id, "features": [
        {"geometry": shape, "properties": {"dlbm": code}} for code in ("a", "b")]}])  # fmt: skip
    text = catalog.default().city.title
    found = drawing.draw(
        tile, layer, [Symbol("a", text, "#FF0000"), Symbol("b", text, "#00FF00"), Symbol(None, text, "#0000FF")]
    )
    assert found[100, 100].tolist() == [255, 0, 0, 255]


def test_the_order_of_features_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    boxes = [(shapely.box(x, y, x + 61, y + 47), {"dlbm": "0102"}) for x, y in rng.integers(0, 4000, (200, 2)).tolist()]
    assert (
        _drawn(_layer("parcels", outline=None), boxes) == _drawn(_layer("parcels", outline=None), boxes[::-1])
    ).all()
    dots = [(shapely.Point(x, y), {}) for x, y in rng.integers(0, 4000, (200, 2)).tolist()]
    layer = _layer("heritage_sites", outline="#000000")
    assert (_drawn(layer, dots) == _drawn(layer, dots[::-1])).all()


def test_what_lies_beyond_the_edge_is_drawn_in_part() -> None:
    """A vector tile has a margin: no outline runs along the edge, and points outside reach in."""
    layer = _layer("parcels", outline="#000000", width=2)
    found = _drawn(layer, [(shapely.box(-64, -64, 4160, 4160), {"dlbm": "0102"})])
    assert (found == [*bytes.fromhex("F5F8DC"), 255]).all()
    dots = _layer("heritage_sites", radius=5, width=1, outline=None)
    found = _drawn(dots, [(shapely.Point(-32, 2048), {}), (shapely.Point(4160, 320), {})])
    assert found[128, :2, 3].tolist() == [255] * 2
    assert found[20, 255, 3] > 0
    assert found[:, 10:250, 3].max() == 0

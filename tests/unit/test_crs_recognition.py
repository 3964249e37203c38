"""Which CRS a source is in: by its own words, by its numbers, or refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from shikong.ingest import crs
from shikong.ingest.errors import UnknownCrs, WrongAxes
from shikong.ingest.readers.base import object_array
from shikong.layers import catalog
from shikong.layers.model import DatumShift

CITY = catalog.load().city


def _recognise(declared: str | None, shapes: Any, **options: Any) -> crs.Recognised:
    defaults = {"stated": None, "geographic_by_name": False, "city": CITY}
    return crs.recognise(declared, sample=object_array(shapes), **(defaults | options))


@pytest.mark.parametrize("code", [4490, 4326, 3857, 4526, 4527, 4547, 4548, 4498])
@pytest.mark.parametrize("version", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
def test_a_stated_crs_is_recognised_in_every_dialect(code: int, version: str) -> None:
    text = CRS.from_epsg(code).to_wkt(version)
    recognised = _recognise(text, [shapely.Point(0, 0)])
    x, y = Transformer.from_crs(4490, code, always_xy=True).transform(115.985, 36.456)
    point = crs.to_storage(object_array([shapely.Point(x, y)]), recognised)[0]
    assert (point.x, point.y) == pytest.approx((115.985, 36.456), abs=1e-9)


@pytest.mark.parametrize(
    ("code", "point"),
    [(4526, (115.4, 36.1)), (4527, (115.985, 36.456)), (4498, (115.985, 36.456)), (4548, (115.985, 36.456)),
     (4547, (115.3, 36.0))],
)  # fmt: skip
def test_gauss_krueger_is_recognised_by_its_numbers(code: int, point: tuple[float, float]) -> None:
    x, y = Transformer.from_crs(4490, code, always_xy=True).transform(*point)
    near = shapely.box(x - 100, y - 100, x + 100, y + 100)
    if code == 4547:  # easting 617 km: the other meridian would put it at 118.3 E, outside the city
        assert x > 600_000
    assert _recognise(None, [near]).crs.to_epsg() == code


def test_what_cannot_be_known_is_refused_with_what_to_say() -> None:
    for shape in (shapely.Point(115.9, 36.4), shapely.Point(500_000, 100_000), None):
        with pytest.raises(UnknownCrs, match="--crs"):
            _recognise(None, [shape])
    assert _recognise(None, [shapely.Point(115.9, 36.4)], geographic_by_name=True).crs.to_epsg() == 4490


@pytest.mark.parametrize("code", [4610, 2384, 4214, 2436])
def test_older_datums_are_refused(code: int) -> None:
    for text in (f"EPSG:{code}", CRS.from_epsg(code).to_wkt("WKT1_ESRI")):
        with pytest.raises(UnknownCrs, match="parameters"):
            _recognise(text, [shapely.Point(0, 0)])


def test_nonsense_is_refused() -> None:
    with pytest.raises(UnknownCrs, match="not a coordinate reference system"):
        _recognise("EPSG:99999999", [shapely.Point(0, 0)])


@pytest.mark.parametrize(
    ("code", "easting", "northing"),
    [(4548, 409012.199, 4036620.821), (4527, 39409012.199, 4036620.821), (4547, 677949.456, 4037973.973),
     (4498, 20409012.199, 4036620.821)],
)  # fmt: skip
def test_published_point_comes_to_its_place(code: int, easting: float, northing: float) -> None:
    recognised = _recognise(f"EPSG:{code}", [shapely.Point(0, 0)])
    point = crs.to_storage(object_array([shapely.Point(easting, northing)]), recognised)[0]
    assert (point.x, point.y) == pytest.approx((115.985, 36.456), abs=2e-8)


ZONES = [(3, zone) for zone in range(25, 46)] + [(6, zone) for zone in range(13, 24)]


def _meridian(width: int, zone: int) -> int:
    return 3 * zone if width == 3 else 6 * zone - 3


def _esri_prj(width: int, zone: int, *, numbered: bool) -> str:
    """A .prj as ArcGIS writes it, without any authority code."""
    meridian = _meridian(width, zone)
    family = "CGCS2000_3_Degree_GK" if width == 3 else "CGCS2000_GK"
    name = f"{family}_Zone_{zone}" if numbered else f"{family}_CM_{meridian}E"
    easting = 500_000 + (zone * 1_000_000 if numbered else 0)
    return (
        f'PROJCS["{name}",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
        'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
        f'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",{easting}.0],PARAMETER["False_Northing",0.0],'
        f'PARAMETER["Central_Meridian",{meridian}.0],PARAMETER["Scale_Factor",1.0],'
        'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
    )


def _expected(width: int, zone: int, *, numbered: bool) -> int:
    """The code as the registry's table has it (written out here, apart from the code under test)."""
    first = {(3, True): 4513, (3, False): 4534, (6, True): 4491, (6, False): 4502}[(width, numbered)]
    return first + zone - (25 if width == 3 else 13)


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize(("width", "zone"), ZONES)
def test_every_zone_is_recognised_from_an_esri_prj(width: int, zone: int, numbered: bool) -> None:
    code = _expected(width, zone, numbered=numbered)
    lon, lat = _meridian(width, zone) + 0.7, 36.4
    x, y = Transformer.from_crs(4490, code, always_xy=True).transform(lon, lat)
    recognised = _recognise(_esri_prj(width, zone, numbered=numbered), [shapely.Point(x, y)])
    assert recognised.crs.to_epsg() == code
    point = crs.to_storage(object_array([shapely.Point(x, y)]), recognised)[0]
    assert (point.x, point.y) == pytest.approx((lon, lat), abs=1e-9)


@pytest.mark.parametrize(("width", "zone"), ZONES)
def test_every_zone_number_is_recognised_from_the_numbers(width: int, zone: int) -> None:
    code = _expected(width, zone, numbered=True)
    x, y = Transformer.from_crs(4490, code, always_xy=True).transform(_meridian(width, zone) - 1.2, 31.0)
    assert _recognise(None, [shapely.Point(x, y)]).crs.to_epsg() == code


@pytest.mark.parametrize(("zone", "code", "lon"), [(38, 4526, 115.4), (39, 4527, 115.6)])
def test_both_zones_of_the_city_are_recognised_on_their_side_of_the_edge(zone: int, code: int, lon: float) -> None:
    """115.5 E cuts the city: its west is zone 38, the rest zone 39."""
    for numbered, expected in ((True, code), (False, code + 21)):
        x, y = Transformer.from_crs(4490, expected, always_xy=True).transform(lon, 36.2)
        for declared in (None, _esri_prj(3, zone, numbered=numbered)):
            recognised = _recognise(declared, [shapely.Point(x, y)])
            assert recognised.crs.to_epsg() == expected
            point = crs.to_storage(object_array([shapely.Point(x, y)]), recognised)[0]
            assert (point.x, point.y) == pytest.approx((lon, 36.2), abs=1e-9)


def test_one_source_in_both_zones_is_refused() -> None:
    points = [
        shapely.Point(Transformer.from_crs(4490, code, always_xy=True).transform(lon, 36.2))
        for code, lon in ((4526, 115.4), (4527, 115.6))
    ]
    with pytest.raises(UnknownCrs, match=r"zone numbers: 38, 39.*one file for each zone"):
        _recognise(None, points)
    with pytest.raises(UnknownCrs, match=r"EPSG:4527.*38 and 39.*one file for each zone"):
        _recognise("EPSG:4527", points)


def test_a_slip_in_one_row_of_many_does_not_hide_the_zone() -> None:
    x, y = Transformer.from_crs(4490, 4527, always_xy=True).transform(115.9, 36.4)
    points = [shapely.Point(x + n, y) for n in range(200)]
    points += [shapely.Point(38_500_000, y), shapely.Point(float("inf"), y), shapely.Point(float("nan"), 0), None]
    assert _recognise(None, points).crs.to_epsg() == 4527


@pytest.mark.parametrize(
    ("declared", "actual", "words"),
    [
        (4548, 4527, ["EPSG:4548", "no zone number", "(39)", "--crs EPSG:4527"]),
        (4527, 4548, ["EPSG:4527", "zone number 39", "(no zone number)", "--crs EPSG:4548"]),
        (4526, 4527, ["EPSG:4526", "zone number 38", "(39)", "--crs EPSG:4527"]),
        (4527, 4498, ["EPSG:4527", "zone number 39", "(20)", "--crs EPSG:4498"]),
    ],
)
def test_a_prj_that_contradicts_the_numbers_is_refused_with_both(declared: int, actual: int, words: list[str]) -> None:
    x, y = Transformer.from_crs(4490, actual, always_xy=True).transform(115.9, 36.4)
    for version in ("WKT1_ESRI", "WKT2_2019"):
        with pytest.raises(UnknownCrs) as caught:
            _recognise(CRS.from_epsg(declared).to_wkt(version), [shapely.Point(x, y)])
        assert all(word in str(caught.value) for word in words)
    with pytest.raises(UnknownCrs, match="--crs says"):
        _recognise(None, [shapely.Point(x, y)], stated=f"EPSG:{declared}")


@pytest.mark.parametrize("code", [4490, 4326, 4526, 4527, 4547, 4548, 4498, 3857])
@pytest.mark.parametrize("declared", [True, False])
def test_swapped_axes_are_refused_and_right_with_the_option(code: int, declared: bool) -> None:
    lon, lat = 115.45, 36.4
    x, y = Transformer.from_crs(4490, code, always_xy=True).transform(lon, lat)
    swapped = [shapely.Point(y, x)]
    degrees = code in (4490, 4326)
    if not declared and code == 3857:
        return  # nothing tells web mercator from other metres
    text = f"EPSG:{code}" if declared else None
    with pytest.raises(WrongAxes, match="--swap-axes"):
        _recognise(text, swapped, geographic_by_name=degrees)
    recognised = _recognise(text, swapped, geographic_by_name=degrees, swap_axes=True)
    assert "--swap-axes" in (recognised.note or "")
    point = crs.to_storage(object_array(swapped), recognised)[0]
    assert (point.x, point.y) == pytest.approx((lon, lat), abs=1e-8)


@pytest.mark.parametrize("point", [(-76.7, 37.3), (24.9, 60.2), (116.4, 39.9), (36.4, 50.0)])
def test_data_elsewhere_is_not_taken_for_swapped(point: tuple[float, float]) -> None:
    assert _recognise("EPSG:4326", [shapely.Point(point)]).crs.to_epsg() == 4326


SHIFT = DatumShift(
    method="position_vector",
    x=112.6,
    y=-101.7,
    z=-61.2,
    rx=0.7,
    ry=-1.1,
    rz=0.4,
    scale=3.1,
    accuracy=0.15,
    source="test",
)


@pytest.mark.parametrize("method", ["position_vector", "coordinate_frame"])
@pytest.mark.parametrize(
    ("key", "code", "ellipsoid"),
    [("xian_1980", 4610, "+a=6378140 +rf=298.257"), ("xian_1980", 2384, "+a=6378140 +rf=298.257"),
     ("xian_1980", 2363, "+a=6378140 +rf=298.257"), ("beijing_1954", 4214, "+ellps=krass"),
     ("beijing_1954", 2436, "+ellps=krass")],
)  # fmt: skip
def test_older_datums_go_through_the_citys_parameters(method: Any, key: Any, code: int, ellipsoid: str) -> None:
    shift = SHIFT.model_copy(update={"method": method})
    city = CITY.model_copy(update={"datums": {key: shift}})
    old = CRS.from_epsg(code)
    x, y = Transformer.from_crs(old.geodetic_crs, old, always_xy=True).transform(115.985, 36.456)
    recognised = _recognise(old.to_wkt("WKT1_ESRI"), [shapely.Point(x, y)], city=city)
    assert "0.15 m" in (recognised.note or "")
    found = crs.to_storage(object_array([shapely.Point(x, y)]), recognised)[0]
    expected = Transformer.from_pipeline(
        f"+proj=pipeline +step +proj=axisswap +order=1,2 +step +proj=unitconvert +xy_in=deg +xy_out=rad"
        f" +step +proj=push +v_3 +step +proj=cart {ellipsoid}"
        f" +step +proj=helmert +x=112.6 +y=-101.7 +z=-61.2 +rx=0.7 +ry=-1.1 +rz=0.4 +s=3.1 +convention={method}"
        " +step +inv +proj=cart +ellps=GRS80 +step +proj=pop +v_3 +step +proj=unitconvert +xy_in=rad +xy_out=deg"
    )
    lon, lat = expected.transform(115.985, 36.456)
    assert (found.x, found.y) == pytest.approx((lon, lat), abs=1e-9)
    moved = Geod(ellps="GRS80").inv(115.985, 36.456, found.x, found.y)[2]
    assert 20 < moved < 300
    back = expected.transform(found.x, found.y, direction="INVERSE")
    assert back == pytest.approx((115.985, 36.456), abs=5e-8)  # the height is lost on the way


def test_another_citys_datum_does_not_help() -> None:
    city = CITY.model_copy(update={"datums": {"beijing_1954": SHIFT}})
    with pytest.raises(UnknownCrs, match=r"layers/city.yml \(datums: xian_1980\)"):
        _recognise("EPSG:4610", [shapely.Point(115.9, 36.4)], city=city)

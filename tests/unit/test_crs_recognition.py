"""Which CRS a source is in: by its own words, by its numbers, or refused.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from pyproj import CRS, Transformer

from shikong.ingest import crs
from shikong.ingest.errors import UnknownCrs
from shikong.ingest.readers.base import object_array
from shikong.layers import catalog

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

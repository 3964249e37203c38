"""The CRSs that are served: which, by what names, and in which order their axes go out and come in.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer

from shikong.layers import catalog
from shikong.providers import crs
from shikong.providers.errors import BadParameter

CODES = catalog.default().city.crs
LON, LAT = 115.985, 36.456


@pytest.mark.parametrize("code", CODES)
def test_axes_are_in_the_authoritys_order(code: int) -> None:
    in_order = Transformer.from_crs(CRS.from_epsg(4490), CRS.from_epsg(code)).transform(LAT, LON)
    in_x_y = Transformer.from_crs(CRS.from_epsg(4490), CRS.from_epsg(code), always_xy=True).transform(LON, LAT)
    assert crs.epsg(code).swapped == (in_order == tuple(reversed(in_x_y)))
    assert in_order != tuple(reversed(in_order))


@pytest.mark.parametrize(
    ("code", "northing", "easting"),
    [(4548, 4036620.821, 409012.199), (4527, 4036620.821, 39409012.199), (4547, 4037973.973, 677949.456),
     (4498, 4036620.821, 20409012.199)],
)  # fmt: skip
def test_a_box_around_the_published_point_holds_it_and_is_as_small(code: int, northing: float, easting: float) -> None:
    west, south, east, north = crs.epsg(code).box_to_storage((northing - 1, easting - 1, northing + 1, easting + 1))
    assert west < LON < east
    assert south < LAT < north
    assert east - west < 4e-5
    assert north - south < 4e-5


@pytest.mark.parametrize("code", [4490, 4326])
def test_degrees_with_latitude_first_are_swapped_and_nothing_else(code: int) -> None:
    served = crs.epsg(code)
    assert served.same_as_storage
    assert served.box_to_storage((36.1, 115.2, 36.4, 115.6)) == (115.2, 36.1, 115.6, 36.4)
    assert crs.DEFAULT.box_to_storage((115.2, 36.1, 115.6, 36.4)) == (115.2, 36.1, 115.6, 36.4)


@given(
    st.sampled_from([code for code in CODES if code not in (4490, 4326)]),
    st.floats(115.2, 116.5), st.floats(35.7, 37.0), st.floats(0.01, 0.4), st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_a_box_in_any_crs_covers_every_place_in_it(
    code: int, lon: float, lat: float, size: float, right: float, up: float
) -> None:
    forward = Transformer.from_crs(4490, code, always_xy=True)
    xs, ys = zip(*(forward.transform(lon + dx, lat + dy) for dx in (0, size) for dy in (0, size)), strict=True)
    x, y = min(xs) + right * (max(xs) - min(xs)), min(ys) + up * (max(ys) - min(ys))
    box = (min(xs), min(ys), max(xs), max(ys))
    assume(box[0] < box[2])
    served = crs.epsg(code)
    stored = served.box_to_storage((box[1], box[0], box[3], box[2]) if served.swapped else box)
    place = shapely.Point(forward.transform(x, y, direction="INVERSE"))
    assert shapely.box(*stored).buffer(1e-9).covers(place)


def test_every_way_to_write_a_crs_is_understood() -> None:
    for text in (
        "http://www.opengis.net/def/crs/EPSG/0/4548", "https://www.opengis.net/def/crs/EPSG/0/4548",
        "http://www.opengis.net/def/crs/EPSG/9.9.1/4548", "urn:ogc:def:crs:EPSG::4548", "urn:ogc:def:crs:EPSG:9.9:4548",
        "[EPSG:4548]", "EPSG:4548", "epsg:4548", " EPSG:4548 ",
    ):  # fmt: skip
        assert crs.parse("crs", text, CODES) is crs.epsg(4548), text
    for none in (None, crs.CRS84, "[OGC:CRS84]", "OGC:CRS84", "[ogc:crs84]"):
        assert crs.parse("crs", none, CODES) is crs.DEFAULT, none


@pytest.mark.parametrize(
    "text", ["", "EPSG:2384", "EPSG:99999999999", "EPSG:", "4548", "CRS84!", "EPSG:4548; DROP", "EPSG:٤٥٤٨"]
)
def test_any_other_crs_is_refused_with_those_that_are_served(text: str) -> None:
    with pytest.raises(BadParameter) as caught:
        crs.parse("bbox-crs", text, CODES)
    assert caught.value.parameter == "bbox-crs"
    assert caught.value.allowed == tuple(crs.uris(CODES))


def test_crs84_is_listed_first_and_every_uri_reads_back() -> None:
    listed = crs.uris(CODES)
    assert listed[0] == crs.CRS84
    assert [crs.parse("crs", uri, CODES).srid for uri in listed] == [4490, *CODES]
    assert len(set(listed)) == len(CODES) + 1


@pytest.mark.parametrize("code", [4548, 4527, 4498])
def test_a_box_where_the_crs_means_nothing_is_refused(code: int) -> None:
    with pytest.raises(BadParameter, match="outside the area"):
        crs.epsg(code).box_to_storage((1e12, 1e12, 2e12, 2e12))


@pytest.mark.parametrize(("code", "decimals"), [(4490, 8), (4326, 8), (3857, 3), (4548, 3)])
def test_coordinates_go_out_to_a_millimetre(code: int, decimals: int) -> None:
    assert crs.epsg(code).decimals == decimals

"""The shift of Chinese web maps against another implementation, and the way back in millimetres.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS, Geod
from scipy import optimize
from transbigdata import coordinates as other

from shikong.ingest import crs, gcj02
from shikong.ingest.errors import UnknownCrs
from shikong.ingest.readers.base import object_array
from shikong.layers import catalog

GEOD = Geod(a=6378137.0, rf=298.257222101)
CITIES = {
    "liaocheng": (115.985, 36.456), "beijing": (116.404, 39.915), "urumqi": (87.617, 43.793),
    "haikou": (110.33, 20.03), "mohe": (122.54, 52.97),
}  # fmt: skip


def _metres(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    _, _, distance = GEOD.inv(first[:, 0], first[:, 1], second[:, 0], second[:, 1])
    return np.asarray(distance)


def _others_way_back(lon: float, lat: float) -> np.ndarray:
    """The point that the other implementation shifts to here, by a solver that knows nothing of ours."""
    found = optimize.root(lambda p: np.subtract(other.wgs84togcj02(*p), (lon, lat)), (lon, lat), tol=1e-13)
    assert np.abs(found.fun).max() < 1e-9
    return np.asarray(found.x)


@given(st.floats(73.5, 135), st.floats(18, 53.5))
@settings(max_examples=200, deadline=None)
def test_the_shift_is_the_one_others_compute(lon: float, lat: float) -> None:
    shifted = gcj02.from_cgcs2000(np.array([[lon, lat]]))
    assert _metres(shifted, np.array([other.wgs84togcj02(lon, lat)]))[0] < 1e-3


@pytest.mark.parametrize("place", CITIES)
def test_the_way_back_is_the_one_others_find(place: str) -> None:
    lon, lat = CITIES[place]
    found = gcj02.to_cgcs2000(np.array([[lon, lat]]))
    assert _metres(found, _others_way_back(lon, lat)[None])[0] < 1e-3
    assert 100 < _metres(found, np.array([[lon, lat]]))[0] < 1000


@given(st.lists(st.tuples(st.floats(73.5, 135), st.floats(18, 53.5)), min_size=1, max_size=20))
@settings(max_examples=100, deadline=None)
def test_the_way_back_closes_below_a_millimetre_over_all_of_china(points: list[tuple[float, float]]) -> None:
    shifted = np.array(points)
    back = gcj02.to_cgcs2000(shifted)
    assert _metres(gcj02.from_cgcs2000(back), shifted).max() < 1e-3
    assert _metres(gcj02.to_cgcs2000(gcj02.from_cgcs2000(shifted)), shifted).max() < 1e-3


def test_no_coordinates_are_no_trouble_and_the_input_stays() -> None:
    assert gcj02.to_cgcs2000(np.empty((0, 2))).shape == (0, 2)
    given_points = np.array([[116.0, 36.4]])
    gcj02.to_cgcs2000(given_points)
    assert given_points.tolist() == [[116.0, 36.4]]


def test_shapes_marked_gcj02_are_moved_whatever_the_source_says() -> None:
    ring = np.array([(116.0, 36.4), (116.1, 36.4), (116.1, 36.5), (116.0, 36.4)])
    shapes = object_array([shapely.Polygon(ring), None])
    recognised = crs.recognise(
        "EPSG:4326", None, shapes, geographic_by_name=False, city=catalog.load().city, datum="gcj02"
    )
    assert recognised.crs == CRS.from_epsg(4490)
    assert recognised.note is not None
    assert "2 m" in recognised.note
    moved = crs.to_storage(shapes, recognised)
    assert moved[1] is None
    expected = [_others_way_back(lon, lat) for lon, lat in ring]
    assert _metres(shapely.get_coordinates(moved[0]), np.array(expected)).max() < 1e-3


def test_another_shifted_datum_is_refused() -> None:
    with pytest.raises(UnknownCrs, match="only gcj02"):
        crs.recognise(
            None, None, object_array([None]), geographic_by_name=False, city=catalog.load().city, datum="bd09"
        )

"""Ellipsoidal areas against the survey's published check values and against PROJ.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod, Transformer

from shikong.store import ellipsoid

ELLIPSOID = "+a=6378137 +rf=298.257222101 +no_defs"
EQUAL_AREA = Transformer.from_crs(f"+proj=longlat {ELLIPSOID}", f"+proj=cea +lon_0=116 {ELLIPSOID}", always_xy=True)


def _in_the_plane(shape: Any) -> Any:
    return shapely.transform(shape, lambda xy: np.column_stack(EQUAL_AREA.transform(xy[:, 0], xy[:, 1])))


@pytest.mark.parametrize(("side", "area"), [(100, 9997.9634), (1_000, 999_798.3517), (10_000, 99_981_792.63)])
def test_published_squares(side: float, area: float) -> None:
    to_degrees = Transformer.from_crs(4548, 4490, always_xy=True)
    x, y = 409012.199, 4036620.821
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    square = shapely.Polygon([to_degrees.transform(*corner) for corner in corners])
    assert ellipsoid.areas([square])[0] == pytest.approx(area, abs=10**-4 * side / 100 if side < 10_000 else 0.01)


def test_one_degree_cell() -> None:
    assert ellipsoid.areas([shapely.box(115, 36, 116, 37)])[0] == pytest.approx(9_941_644_196.749, abs=0.01)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=12, unique=True),
    st.floats(1e-4, 0.5),
)
@settings(max_examples=60, deadline=None)
def test_any_polygon_agrees_with_the_equal_area_plane(points: list[tuple[float, float]], size: float) -> None:
    hull = shapely.MultiPoint([(115.5 + x * size, 36 + y * size) for x, y in points]).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 1e-9:
        return
    hole = hull.buffer(-size / 20)
    shape = hull.difference(hole) if hole.area else hull
    assert ellipsoid.areas([shape])[0] == pytest.approx(_in_the_plane(shape).area, rel=1e-7, abs=1e-3)


def test_a_partition_adds_up_to_the_whole() -> None:
    whole = shapely.box(115.6, 36.1, 115.9, 36.3)
    xs, ys = np.linspace(115.6, 115.9, 18), np.linspace(36.1, 36.3, 14)
    parts = [shapely.box(x0, y0, x1, y1) for x0, x1 in pairwise(xs) for y0, y1 in pairwise(ys)]
    assert ellipsoid.areas(parts).sum() == pytest.approx(ellipsoid.areas([whole])[0], rel=1e-9)
    assert ellipsoid.areas([shapely.MultiPolygon(parts[::2])])[0] == pytest.approx(ellipsoid.areas(parts[::2]).sum())


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=12, unique=True),
    st.sampled_from([0.0005, 0.005, 0.05]),
)
@settings(deadline=None)
def test_areas_as_drawn_are_those_of_edges_with_many_points(points: list[tuple[float, float]], size: float) -> None:
    shape = shapely.convex_hull(shapely.multipoints(np.array(points) * size + (115.9, 36.4)))
    if shapely.get_type_id(shape) != 3 or shape.area < size**2 / 100:
        return
    many = _in_the_plane(shapely.segmentize(shape, size / 2000))
    assert ellipsoid.areas([shape], as_drawn=True)[0] == pytest.approx(many.area, rel=1e-8)


def test_perimeters_are_geodesic() -> None:
    shapes = [shapely.box(115.9, 36.4, 115.91, 36.405), shapely.Point(115, 36).buffer(0.003, quad_segs=4)]
    shapes.append(shapely.difference(shapes[0], shapely.box(115.902, 36.401, 115.903, 36.402)))
    found = ellipsoid.perimeters(shapes, ellipsoid.rings_of(shapes))
    geod = Geod(a=6378137, rf=298.257222101)
    expected = [sum(geod.line_length(*ring.xy) for ring in (s.exterior, *s.interiors)) for s in shapes]
    assert found == pytest.approx(expected, rel=1e-6)


def test_lines_and_missing_shapes_have_no_area() -> None:
    line = shapely.LineString([(115, 36), (116, 37)])
    assert ellipsoid.areas([line, None, shapely.Point(1, 1)]).tolist() == [0, 0, 0]


def test_lengths_are_geodesic() -> None:
    lines = [shapely.LineString([(115, 36), (115.5, 36.2), (116, 36)]), shapely.LineString([(116, 36), (116, 37)])]
    geod = Geod(a=6378137, rf=298.257222101)
    both = shapely.MultiLineString(lines)
    expected = [geod.geometry_length(line) for line in (*lines, both)]
    assert ellipsoid.lengths([*lines, both]) == pytest.approx(expected, rel=1e-9)


def test_shapes_in_pieces_and_with_holes_are_taken_apart_right() -> None:
    """One ring or many, alone or side by side, with points given twice."""
    square, hole = shapely.box(116, 36, 116.1, 36.1), shapely.box(116.02, 36.02, 116.03, 36.03)
    other = shapely.box(117, 36, 117.02, 36.02)
    holed = shapely.Polygon(square.exterior, [hole.exterior])
    doubled = shapely.Polygon([(116, 36), (116, 36), (116.1, 36), (116, 36.1), (116, 36)])
    shapes = [
        square, holed, doubled, shapely.MultiPolygon([square]), shapely.MultiPolygon([square, other]),
        shapely.MultiPolygon([holed, other]), shapely.MultiPolygon([shapely.Polygon(), other]), shapely.Polygon(), None,
    ]  # fmt: skip
    wanted = [0.0 if shape is None else _in_the_plane(shape).area for shape in shapes]
    together = ellipsoid.areas(np.array(shapes, dtype=object))
    np.testing.assert_allclose(together, wanted, rtol=1e-6)
    for shape, area in zip(shapes, together, strict=True):
        assert ellipsoid.areas(np.array([shape], dtype=object))[0] == pytest.approx(area)

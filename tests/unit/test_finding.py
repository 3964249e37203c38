"""Parts of site finding: distances on the ground, cutting, slopes on a plane, what counts how much.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Geod

from shikong.layers.declared import Text
from shikong.layers.find_rules import Criterion
from shikong.processes.finding import land, nearness, rating, terrain
from shikong.processes.finding.land import Land
from shikong.processes.finding.measures import Value
from shikong.processes.overlay import plane
from shikong.store import ellipsoid
from shikong.store.moments import NOW

GEOD = Geod(a=6378137.0, rf=298.257222101)


def objects(*shapes: Any) -> Any:
    found = np.empty(len(shapes), dtype=object)
    found[:] = shapes
    return found


@pytest.mark.parametrize("lon", [115.3, 116.0, 116.55])
def test_distances_are_those_on_the_ellipsoid(lon: float) -> None:
    site = shapely.box(lon, 36.4, lon + 0.001, 36.401)
    for azimuth in (0, 60, 135, 250):
        there = GEOD.fwd(lon + 0.0005, 36.4005, azimuth, 3000)[:2]
        feature = shapely.Point(there)
        nearest = shapely.ops.nearest_points(site, feature)[0]
        metres = GEOD.inv(nearest.x, nearest.y, *there)[2]
        (told,) = nearness.nearest(objects(site), objects(feature), 5000).metres
        assert told == pytest.approx(metres, rel=3e-4)
        ((number, way),) = nearness.within(objects(site), objects(feature), 5000)[0]
        assert (number, way) == (0, pytest.approx(told, rel=1e-12))


def test_what_is_beyond_reach_is_infinitely_far() -> None:
    site, far = shapely.box(116, 36.4, 116.001, 36.401), shapely.Point(116.2, 36.4)
    found = nearness.nearest(objects(site), objects(far), 1000)
    assert (found.metres[0], found.feature[0]) == (math.inf, -1)
    assert nearness.within(objects(site), objects(far), 1000) == [[]]
    assert nearness.nearest(objects(site), objects(), 1000).metres[0] == math.inf
    touching = nearness.nearest(objects(site), objects(shapely.Point(116, 36.4)), 0)
    assert (touching.metres[0], touching.feature[0]) == (0, 0)


def ground(*pieces: Any) -> Land:
    """Land that asks no database."""
    made = Land(cast(Any, None), cast(Any, None), NOW, objects(*pieces))
    made.note("allowed", Text(zh="始", en="Start"), made.pieces)
    return made


def metres(*corners: tuple[float, float]) -> Any:
    """A surface with corners in metres of the plane, from a place in the city."""
    return plane.to_degrees([shapely.Polygon([(400_000 + x, 4_030_000 + y) for x, y in corners])])[0]


def rectangle(west: float, south: float, east: float, north: float) -> Any:
    return metres((west, south), (east, south), (east, north), (west, north))


SHAPES = {
    "square": rectangle(0, 0, 1000, 1000),
    "strip": rectangle(0, 0, 5000, 60),
    "tilted": metres((0, 0), (900, 500), (400, 1400), (-500, 900)),
    "bent": metres((0, 0), (1200, 0), (1200, 300), (300, 300), (300, 1200), (0, 1200)),
    "holed": shapely.difference(rectangle(0, 0, 1500, 1000), rectangle(500, 400, 1000, 600)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_too_large_is_cut_and_nothing_is_lost(name: str) -> None:
    made = ground(SHAPES[name])
    whole = float(made.areas.sum())
    most = whole / 4.3
    land.in_sizes(made, 1.0, most)
    assert len(made.pieces) >= 5
    assert made.areas.max() <= most
    assert made.areas.sum() == pytest.approx(whole, rel=1e-6)
    assert hectares(shapely.intersection_all(made.pieces)) == 0
    assert hectares(shapely.symmetric_difference(shapely.union_all(made.pieces), SHAPES[name])) < 1e-6
    assert all(piece.geom_type == "Polygon" for piece in made.pieces)


def hectares(shape: Any) -> float:
    return float(ellipsoid.areas([shape], as_drawn=True)[0]) / 10_000


def test_strips_are_taken_away_and_corners_stay() -> None:
    body, handle = rectangle(0, 0, 200, 200), rectangle(200, 90, 400, 105)
    made = ground(shapely.union(body, handle), rectangle(1000, 0, 1015, 900))
    land.without_strips(made, 20)
    (piece,) = made.pieces
    assert hectares(piece) == pytest.approx(hectares(body), rel=1e-3)
    assert hectares(shapely.difference(piece, shapely.union(body, handle))) < 1e-9
    step = made.steps[-1]
    assert step.removed == pytest.approx(
        (hectares(handle) + hectares(rectangle(1000, 0, 1015, 900))) * 10_000, rel=5e-3
    )
    bottleneck = ground(shapely.union_all([body, rectangle(200, 90, 300, 105), rectangle(300, 0, 500, 200)]))
    land.without_strips(bottleneck, 20)
    assert len(bottleneck.pieces) == 2, "two places that only a strip joins are two"


def test_steps_account_for_every_square_metre() -> None:
    made = ground(SHAPES["square"], SHAPES["bent"])
    before = float(made.areas.sum())
    made.without("taken", Text(zh="去", en="Off"), objects(rectangle(100, 100, 300, 300), rectangle(5000, 0, 6000, 10)))
    land.in_sizes(made, 400_000, None)
    assert made.steps[0].removed == 0
    assert before - sum(step.removed for step in made.steps) == pytest.approx(made.steps[-1].left, abs=0.01)
    assert made.steps[-1].pieces == len(made.pieces)
    made.without("all", Text(zh="全", en="All"), objects(rectangle(-9000, -9000, 9000, 9000)))
    assert (made.steps[-1].left, made.steps[-1].pieces) == (0, 0)
    made.only("none", Text(zh="无", en="None"), made.areas >= 1)
    land.without_strips(made, 20)
    land.in_sizes(made, 1, 5)
    assert len(made.pieces) == 0


@pytest.fixture
def heights(tmp_path: Path) -> Path:
    """A plane that rises 5 m in 100 m to the east and 3 m in 100 m to the north, with a pit that is not known."""
    step, west, north, size = 0.0005, 115.9, 36.5, 80
    lon, lat = np.meshgrid(west + (np.arange(size) + 0.5) * step, north - (np.arange(size) + 0.5) * step)
    east = np.array([GEOD.inv(west, y, x, y)[2] for x, y in zip(lon.ravel(), lat.ravel(), strict=True)])
    up = np.array([GEOD.inv(west, 36.4, west, y)[2] for y in lat.ravel()])
    values = (100 + 0.05 * east + 0.03 * up).reshape(size, size).astype("float32")
    values[60:, 60:] = -9999
    path = tmp_path / "heights.tif"
    with rasterio.open(path, "w", driver="GTiff", width=size, height=size, count=1, dtype="float32", crs="EPSG:4490",
                       nodata=-9999, transform=Affine(step, 0, west, 0, -step, north)) as file:  # fmt: skip
        file.write(values, 1)
    return path


def test_the_slope_of_a_plane_is_known_and_of_what_is_not_is_not(heights: Path) -> None:
    # To the north the rows are shorter, so that the same longitude is nearer: a little steepness comes of that.
    expected = math.degrees(math.atan(math.hypot(0.05, 0.03)))
    inside = shapely.box(115.905, 36.485, 115.915, 36.495)
    tiny = shapely.box(115.9101, 36.4901, 115.9102, 36.4902)
    pit = shapely.box(115.935, 36.462, 115.9395, 36.4645)
    beyond = shapely.box(117, 36.4, 117.01, 36.41)
    rim = shapely.box(115.8999, 36.4895, 115.9021, 36.4945)
    half = shapely.box(115.925, 36.465, 115.938, 36.475)
    told = terrain.slopes(heights, objects(inside, tiny, pit, beyond, rim, half))
    for slope in (told[0], told[1], told[4], told[5]):
        assert slope is not None
        assert slope.mean == pytest.approx(expected, abs=0.02)
        assert slope.p95 == pytest.approx(expected, abs=0.03)
    assert told[2] is told[3] is None


def criterion(**changed: Any) -> Criterion:
    title = {"zh": "距道路", "en": "To a road"}
    return Criterion.model_validate({"title": title, "unit": "m", "best": 100, "worst": 1100, "weight": 3} | changed)


@pytest.mark.parametrize(("value", "score"), [(0, 1), (100, 1), (600, 0.5), (1100, 0), (9e9, 0), (math.inf, 0)])
def test_a_criterion_counts_in_proportion(value: float, score: float) -> None:
    assert criterion().score(value) == score
    assert criterion(best=1100, worst=100).score(value) == pytest.approx(1 - score)


def test_what_is_not_known_does_not_speak_for_a_site() -> None:
    criteria = {"road": criterion(), "slope": criterion(title={"zh": "坡度", "en": "Slope"}, unit="°", decimals=1)}
    values = {"road": Value(350.2, Text(zh="县道 7", en="County road 7")), "slope": Value(None)}
    rated = rating.rate(cast(Any, values), cast(Any, criteria), {"road": 3, "slope": 1})
    assert [each.score for each in rated] == [pytest.approx(0.7498), 0]
    assert rating.total(rated) == pytest.approx(0.7498 * 3 / 4)
    assert rated[0].reason.zh == "距道路 350 m（县道 7），得 0.75"
    assert rated[0].reason.en == "To a road 350 m (County road 7), 0.75 of 1"
    assert rated[1].reason.zh == "坡度未知，不得分"
    assert [each.speaks_for for each in rated] == [True, False]
    assert rating.total([]) == 0

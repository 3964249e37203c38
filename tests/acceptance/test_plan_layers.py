"""The layers of the other plans over HTTP, compared with the generated files.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely
from pyproj import Geod

from support.sample_files import OTHER_PLANS

GEOD = Geod(a=6378137.0, rf=298.257222101)


def _items(client: Any, layer: str, **params: Any) -> Any:
    return client.get(f"/collections/{layer}/items", f="json", limit=10000, **params).json


@pytest.mark.parametrize("layer", OTHER_PLANS)
def test_every_object_of_a_plan_is_served_with_its_ellipsoidal_area(client: Any, sample_city: Any, layer: str) -> None:
    rows = gpd.read_file(sample_city.files / f"{layer}.gpkg").set_index("code")
    features = {feature["id"]: feature for feature in _items(client, layer)["features"]}
    assert set(features) == set(rows.index)
    for code in list(rows.index)[:: max(1, len(rows) // 50)]:
        properties, shape = features[code]["properties"], shapely.geometry.shape(features[code]["geometry"])
        area = abs(GEOD.geometry_area_perimeter(shapely.orient_polygons(shape))[0])
        # Geodesics bow out of long edges, which the survey's rule takes straight in degrees.
        assert properties["area"] == pytest.approx(area, rel=2e-4)
        assert properties["origin"] == "generated"
        for name in set(rows.columns) - {"geometry", "origin"}:
            expected = None if pd.isna(rows.loc[code, name]) else rows.loc[code, name]
            assert properties[name] == (str(expected)[:10] if name == "approved_on" else expected), (code, name)


def test_quotas_stand_at_the_county_seats(client: Any, sample_city: Any) -> None:
    told = json.loads((sample_city.files / "land_quotas.geojson").read_text(encoding="utf-8"))["features"]
    served = {feature["id"]: feature for feature in _items(client, "land_quotas")["features"]}
    assert len(served) == len(told) == 40
    for each in told:
        feature = served[each["properties"]["code"]]
        assert feature["geometry"]["coordinates"] == each["geometry"]["coordinates"]
        for name in ("kind", "planned", "used", "period_from", "period_to", "xzqdm"):
            assert feature["properties"][name] == each["properties"][name]


def test_limits_can_be_asked_for_and_codes_told_in_words(client: Any, sample_city: Any) -> None:
    plots = gpd.read_file(sample_city.files / "detailed_plots.gpkg")
    high = _items(client, "detailed_plots", filter="jzxg > 60 AND ldl < 35", skipGeometry="true")["features"]
    assert {feature["id"] for feature in high} == set(plots[(plots["jzxg"] > 60) & (plots["ldl"] < 35)]["code"])
    assert high
    told = _items(client, "detailed_plots", ids=high[0]["id"], profile="val-as-title", lang="zh")["features"]
    assert told[0]["properties"]["ghfldm"] in ("零售商业用地", "旅馆用地", "批发市场用地", "商务金融用地")
    belts = _items(client, "heritage_zones", filter="xzgd IS NULL AND type = 'control'")["features"]
    zones = gpd.read_file(sample_city.files / "heritage_zones.gpkg")
    assert {each["id"] for each in belts} == set(zones[zones["xzgd"].isna() & (zones["type"] == "control")]["code"])


@pytest.mark.parametrize("layer", [*OTHER_PLANS, "land_quotas"])
def test_tiles_and_a_legend_show_the_layer(client: Any, sample_city: Any, layer: str) -> None:
    name = next(Path(sample_city.files).glob(f"{layer}.*"))
    point = gpd.read_file(name).to_crs(4326).geometry.iloc[0].representative_point()
    zoom = 13
    column, row = int((point.x + 180) / 360 * 2 ** (zoom + 1)), int((90 - point.y) / 180 * 2**zoom)
    tile = client.get(f"/collections/{layer}/tiles/WorldCRS84Quad/{zoom}/{row}/{column}")
    assert tile.status == 200
    assert len(tile.content) > 50
    legend = client.get(f"/styles/{layer}/legend", f="svg", lang="zh")
    assert legend.status == 200
    assert "<svg" in legend.text

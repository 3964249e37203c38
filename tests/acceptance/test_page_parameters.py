"""What users of other servers ask for on pages of features, each against the features themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pytest
import shapely
from shapely.geometry import shape

from shikong.layers import catalog

PARCELS = "/collections/parcels/items"
BUILDINGS = "/collections/buildings/items"


@pytest.fixture(scope="module")
def parcels(client: Any) -> list[dict[str, Any]]:
    """All parcels of now."""
    features: list[dict[str, Any]] = client.get(PARCELS, f="json", limit=10000).json["features"]
    return features


def _ids(answer: Any) -> set[str]:
    assert answer.status == 200, answer.text
    return {feature["id"] for feature in answer.json["features"]}


def test_features_by_their_ids(client: Any, parcels: list[dict[str, Any]]) -> None:
    wanted = [feature["id"] for feature in parcels[3:60:7]]
    assert _ids(client.get(PARCELS, f="json", ids=",".join([*wanted, "nobody"]), limit=100)) == set(wanted)
    assert client.get(PARCELS, f="json", ids=",".join(map(str, range(1001)))).status == 400


def test_words_are_found_in_texts_and_in_what_codes_mean(client: Any, parcels: list[dict[str, Any]]) -> None:
    by_name = {f["id"] for f in parcels if "水田" in (f["properties"]["dlmc"] or "")}
    assert by_name <= _ids(client.get(PARCELS, f="json", q="水田", limit=10000))
    codes = catalog.default().codes["land_use_survey"].codes
    title = codes[parcels[0]["properties"]["dlbm"]].title.en
    meant = {code for code, means in codes.items() if title.lower() in means.title.en.lower()}
    english = _ids(client.get(PARCELS, f="json", q=title.replace(" ", "_").split("_")[0], limit=10000))
    assert english >= {f["id"] for f in parcels if f["properties"]["dlbm"] in meant} != set()
    one = parcels[5]["properties"]
    both = _ids(client.get(PARCELS, f="json", q=f"{one['bsm']} {one['dlmc']}"))
    assert both == {one["bsm"]}
    assert _ids(client.get(PARCELS, f="json", q="100%_\\")) == set()
    assert client.get(PARCELS, f="json", q=" ".join("abcdefghijk")).status == 400


def test_properties_can_be_left_out(client: Any, parcels: list[dict[str, Any]]) -> None:
    page = client.get(PARCELS, f="json", exclude_properties="dlmc,tbmj").json["features"]
    assert set(page[0]["properties"]) == set(parcels[0]["properties"]) - {"dlmc", "tbmj"}
    refused = client.get(PARCELS, f="json", exclude_properties="dlmc", properties="tbmj")
    assert (refused.status, refused.json["parameter"]) == (400, "exclude-properties")


def test_how_many_match(client: Any, parcels: list[dict[str, Any]]) -> None:
    west, south, east, north = shapely.total_bounds([shape(f["geometry"]) for f in parcels])
    box = f"{west},{south},{(west + east) / 2},{(south + north) / 2}"
    known = len(_ids(client.get(PARCELS, f="json", bbox=box, limit=10000)))
    hits = client.get(PARCELS, f="json", bbox=box, resultType="hits").json
    assert (hits["numberMatched"], hits["numberReturned"], hits["features"]) == (known, 0, [])
    assert not [link for link in hits["links"] if link["rel"] == "next"]
    plain = client.get(PARCELS, f="json", bbox=box, limit=10)
    assert "numberMatched" not in plain.json
    counted = client.get(PARCELS, prefer="count=exact", f="json", bbox=box, limit=10)
    assert counted.headers["preference-applied"] == "count=exact"
    assert counted.json["numberMatched"] == known
    following = next(link["href"] for link in counted.json["links"] if link["rel"] == "next")
    assert client.link(following).json["numberMatched"] == known, "the number travels along, uncounted"
    for extra in ({"filter": "tbmj > 0"}, {"datetime": "2024-06-30"}, {}):
        told = client.get(PARCELS, prefer="count=estimated", f="json", bbox=box, limit=10, **extra).json[
            "numberMatched"
        ]
        assert known / 20 < told < known * 20
    assert client.get(PARCELS, f="json", resultType="all").status == 400


def test_shapes_are_simplified_as_far_as_is_allowed(client: Any) -> None:
    path = "/collections/districts/items"
    whole = {f["id"]: shape(f["geometry"]) for f in client.get(path, f="json", limit=100).json["features"]}
    metres = client.get(path, f="json", limit=100, max_allowable_offset=500,
                        crs="http://www.opengis.net/def/crs/EPSG/0/3857").json["features"]  # fmt: skip
    degrees = client.get(path, f="json", limit=100, max_allowable_offset=0.005).json["features"]
    zoomed = client.get(path, f="json", limit=100, zoom_level=7).json["features"]
    assert len(metres) == len(degrees) == len(zoomed) == len(whole)
    for features, tolerance in ((degrees, 0.005), (zoomed, 360 / 512 / 2**7)):
        for feature in features:
            simple, full = shape(feature["geometry"]), whole[feature["id"]]
            assert simple.is_valid
            assert shapely.get_num_coordinates(simple) < shapely.get_num_coordinates(full)
            assert simple.hausdorff_distance(full) <= tolerance * 1.5
    assert client.get(path, f="json", zoom_level=30).status == 400
    assert client.get(path, f="json", zoom_level=3, max_allowable_offset=1).status == 400
    assert client.get(path, f="json", max_allowable_offset="nan").status == 400

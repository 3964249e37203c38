"""The site compliance check over HTTP, against the sample's own files and what they are known to hold.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from pyproj import Transformer

from shikong.layers import catalog
from shikong.store import ellipsoid

CENTRE = (116.03532, 36.42324)
GAUSS = Transformer.from_crs(4490, 4548, always_xy=True)


def ask(client: Any, site: Any, project: str = "industry", **more: Any) -> Any:
    inputs = {"site": site if isinstance(site, dict) else shapely.geometry.mapping(site), "project": project, **more}
    return client.post("/processes/site-check/execution", {"inputs": inputs})


def answered(client: Any, site: Any, project: str = "industry", **more: Any) -> Any:
    answer = ask(client, site, project, **more)
    assert answer.status == 200, answer.text
    return answer.json


def box(lon: float, lat: float, metres: float) -> Any:
    half = metres / 2 / 111_000
    return shapely.box(lon - half * 1.24, lat - half, lon + half * 1.24, lat + half)


def layer_of(client: Any, name: str) -> gpd.GeoDataFrame:
    items = client.get(f"/collections/{name}/items", f="json", limit=10000).json["features"]
    frame = gpd.GeoDataFrame.from_features(items, crs=4490)
    frame["id"] = [item["id"] for item in items]
    return frame


@pytest.mark.parametrize("name", ["parcels", "permanent_farmland", "transport_plan", "water_plan", "districts"])
def test_overlaps_are_those_of_every_feature(client: Any, name: str) -> None:
    frame = layer_of(client, name)
    by = catalog.default().layer(name).style
    rng = np.random.default_rng(5)
    seen = 0
    for _ in range(4):
        at = frame.geometry.iloc[rng.integers(len(frame))].representative_point()
        site = box(at.x, at.y, float(rng.uniform(80, 900)))
        answer = answered(client, site)
        (told,) = [entry for entry in answer["layers"] if entry["layer"] == name]
        shared = frame.geometry.intersection(site)
        areas = ellipsoid.areas(shared.to_numpy())
        assert told["area_m2"] == pytest.approx(areas.sum(), rel=1e-4, abs=0.5)
        assert told["features"] == int((areas > 1e-3).sum())
        assert told["share"] == pytest.approx(told["area_m2"] / answer["site"]["area_m2"], abs=1e-5)
        assert sum(entry["area_m2"] for entry in told["classes"]) == pytest.approx(told["area_m2"], abs=0.1)
        if by and by.by:
            expected = {
                code: float(areas[(frame[by.by] == code).to_numpy()].sum()) for code in frame[by.by].dropna().unique()
            }
            for entry in told["classes"]:
                assert entry["area_m2"] == pytest.approx(expected[entry["code"]], rel=1e-4, abs=0.5)
        seen += told["features"]
    assert seen > 3


def test_farmland_forbids_factories_and_makes_roads_conditional(client: Any) -> None:
    farmland = layer_of(client, "permanent_farmland")
    place = farmland.geometry.iloc[int(np.argmax(farmland["area"]))].representative_point()
    site = box(place.x, place.y, 60)
    factory, road = answered(client, site), answered(client, site, "transport")
    assert (factory["verdict"], road["verdict"]) == ("forbidden", "conditional")
    (finding,) = [each for each in factory["findings"] if each["rule"] == "permanent_farmland"]
    assert finding["area_m2"] > 0
    assert finding["share"] <= 1.000001
    assert "第三十五条" in finding["basis"]["zh"]
    assert set(finding["features"]) <= set(farmland["id"])
    assert factory["findings"][0]["verdict"] == "forbidden", "the gravest comes first"
    shapes = [f for f in factory["features"]["features"] if f["properties"]["rule"] == "permanent_farmland"]
    assert sum(f["properties"]["area_m2"] for f in shapes) == pytest.approx(finding["area_m2"], abs=0.05)
    assert factory["releases"]["permanent_farmland"] is not None
    assert set(factory["generated"]) == {name for name, number in factory["releases"].items() if number is not None}
    results = {each["rule"]: each["result"] for each in factory["rules"]}
    assert {rule for rule, result in results.items() if result == "broken"} == {f["rule"] for f in factory["findings"]}
    assert results["river_range"] == "kept"
    assert "sewage_and_waste" not in results, "a rule about homes"
    assert shapely.geometry.shape(factory["site"]["geometry"]).equals(site)


def test_land_of_the_right_class_is_allowed(client: Any) -> None:
    zones = layer_of(client, "planning_zones")
    homes = zones[zones["ghfldm"].str.startswith("0701")]
    found = []
    for shape in homes.geometry.iloc[:40]:
        place = shape.representative_point()
        answer = answered(client, box(place.x, place.y, 12), "housing")
        assert "zone_class" not in {each["rule"] for each in answer["findings"]}
        found.append(answer["verdict"])
        other = answered(client, box(place.x, place.y, 12), "industry")
        assert "zone_class" in {each["rule"] for each in other["findings"]}
    assert "allowed" in found


def test_distances_count_where_a_rule_has_one(client: Any) -> None:
    plots = layer_of(client, "detailed_plots")
    homes = plots[plots["ghfldm"].str.startswith("07")]
    shape = homes.geometry.iloc[0]
    east = shape.bounds[2]
    site = box(east + 0.0004, shape.centroid.y, 20)
    answer = answered(client, site)
    for finding in answer["findings"]:
        if finding["rule"] == "industry_near_homes" and finding["nearest"]:
            assert all(each["distance_m"] <= 50 for each in finding["nearest"])
    far = GAUSS.transform(*site.centroid.coords[0])
    moved = homes.to_crs(4548).distance(shapely.Point(far)).min()
    assert ("industry_near_homes" in {each["rule"] for each in answer["findings"]}) == (moved < 50 + 14)


def test_indicators_and_quotas_are_told(client: Any) -> None:
    plots = layer_of(client, "detailed_plots").dropna(subset=["rjl"])
    plot = plots.iloc[0]
    place = plot.geometry.representative_point()
    answer = answered(client, box(place.x, place.y, 15))
    told = {entry["plot"]: entry for entry in answer["indicators"]}
    assert {name: told[plot["id"]][name] for name in ("rjl", "jzxg", "jzmd", "ldl")} == {
        name: (None if plot[name] is None or plot[name] != plot[name] else plot[name]) for name in ("rjl", "jzxg", "jzmd", "ldl")
    }  # fmt: skip
    county = answer["site"]["counties"][0]["code"]
    assert {entry["county"] for entry in answer["quotas"]} == {county}
    for entry in answer["quotas"]:
        if entry["used_ha"] is not None:
            sign = -1 if entry["kind"] in ("cropland", "permanent_farmland") else 1
            assert entry["left_ha"] == pytest.approx(sign * (entry["planned_ha"] - entry["used_ha"]), abs=1e-3)


def test_any_crs_of_the_city_tells_the_same_site(client: Any) -> None:
    site = box(*CENTRE, 300)
    moved = shapely.transform(site, lambda xy: np.column_stack(GAUSS.transform(*xy.T)))
    one, other = answered(client, site), answered(client, moved, crs="EPSG:4548")
    assert other["site"]["area_m2"] == pytest.approx(one["site"]["area_m2"], abs=0.02)
    assert other["verdict"] == one["verdict"]
    unsaid = answered(client, moved)
    assert unsaid["site"]["area_m2"] == other["site"]["area_m2"]
    assert "EPSG:4548" in unsaid["site"]["crs"], "it does not say what the numbers were taken for"
    feature = {"type": "FeatureCollection", "features": [
        {"type": "Feature", "properties": {}, "geometry": shapely.geometry.mapping(site)}]}  # fmt: skip
    assert answered(client, feature)["site"] == one["site"]


BOWTIE = {"type": "Polygon", "coordinates": [[[116, 36.4], [116.01, 36.41], [116.01, 36.4], [116, 36.41], [116, 36.4]]]}


@pytest.mark.parametrize(
    ("site", "more", "parameter", "words"),
    [
        (BOWTIE, {}, "site", "Self-intersection"),
        ({"type": "Polygon", "coordinates": []}, {}, "site", "empty"),
        ({"type": "Point", "coordinates": [116, 36.4]}, {}, "site", "Point"),
        ({"type": "Polygon", "coordinates": "x"}, {}, "site", "GeoJSON"),
        ({}, {}, "site", "GeoJSON"),
        ({"type": "Polygon", "coordinates": [[[116, 36], [None, 36.1], [116.1, 36.1], [116, 36]]]}, {}, "site", ""),
        (shapely.geometry.mapping(shapely.box(115.5, 36, 116.5, 36.9)), {}, "site", "km²"),
        (shapely.geometry.mapping(box(*CENTRE, 0.2)), {}, "site", "square metre"),
        (shapely.geometry.mapping(box(121.5, 31.2, 100)), {}, "site", "outside of the city"),
        (shapely.geometry.mapping(box(*CENTRE, 100)), {"crs": "EPSG:99999"}, "crs", ""),
        (shapely.geometry.mapping(box(*CENTRE, 100)), {"crs": "EPSG:4548"}, "site", "EPSG:4548"),
        (shapely.geometry.mapping(box(*CENTRE, 100)), {"project": "castle"}, "project", "industry"),
        (shapely.geometry.mapping(shapely.set_precision(shapely.Point(*CENTRE).buffer(0.03, quad_segs=6_000), 1e-7)), {}, "site", "corners"),
        (shapely.geometry.mapping(box(*CENTRE, 100)), {"asOf": "2000-01-01"}, "datetime", "later"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_site_is_refused_with_the_reason(
    client: Any, site: Any, more: dict[str, Any], parameter: str, words: str
) -> None:
    answer = client.post("/processes/site-check/execution", {"inputs": {"site": site, "project": "industry", **more}})
    assert answer.status == 400, answer.text
    assert answer.json["parameter"] == parameter
    assert words in json.dumps(answer.json, ensure_ascii=False)


def as_file(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "value": base64.b64encode(content).decode("ascii")}


def zipped(frame: gpd.GeoDataFrame, folder: Path) -> bytes:
    frame.to_file(folder / "地块.shp", encoding="gbk")
    with zipfile.ZipFile(folder / "site.zip", "w") as archive:
        for path in folder.glob("地块.*"):
            archive.write(path, path.name)
    return (folder / "site.zip").read_bytes()


def boundary_text(ring: Any) -> bytes:
    """As the standard has it: northing before easting."""
    head = {
        "坐标系": "2000国家大地坐标系",
        "几度分带": "3",
        "投影类型": "高斯克吕格",
        "计量单位": "米",
        "带号": "39",
        "精度": "0.001",
    }
    lines = [
        "[属性描述]",
        *(f"{key}={value}" for key, value in head.items()),
        "[地块坐标]",
        f"{len(ring)},1.0,1,地块,面,,,,@",
    ]
    lines += [f"J{n},1,{y:.4f},{x:.4f}" for n, (x, y) in enumerate(ring, 1)]
    return "\r\n".join(lines).encode("gbk")


def drawing(ring: Any) -> bytes:
    """An outline and a line that is none, as DXF."""
    vertices = "".join(f"10\n{x}\n20\n{y}\n" for x, y in ring[:-1])
    line = f"0\nLINE\n5\n1B\n8\n0\n10\n{ring[0][0]}\n20\n{ring[0][1]}\n11\n{ring[2][0]}\n21\n{ring[2][1]}\n"
    outline = f"0\nLWPOLYLINE\n5\n1A\n100\nAcDbEntity\n8\n0\n100\nAcDbPolyline\n90\n{len(ring) - 1}\n70\n1\n{vertices}"
    head = "0\nSECTION\n2\nHEADER\n9\n$ACADVER\n1\nAC1015\n0\nENDSEC\n"
    return f"{head}0\nSECTION\n2\nENTITIES\n{outline}{line}0\nENDSEC\n0\nEOF\n".encode("ascii")


def test_files_of_every_kind_tell_the_same_site(client: Any, tmp_path: Path) -> None:
    site = box(*CENTRE, 200)
    ring = np.column_stack(GAUSS.transform(*np.array(site.exterior.coords).T))
    expected = answered(client, site)
    frame = gpd.GeoDataFrame({"name": ["地块"]}, geometry=[shapely.Polygon(ring)], crs=4548)
    frame.to_file(tmp_path / "site.gpkg")
    files = {
        "site.zip": zipped(frame, tmp_path), "site.txt": boundary_text(ring), "site.dxf": drawing(ring),
        "site.gpkg": (tmp_path / "site.gpkg").read_bytes(),
    }  # fmt: skip
    for name, content in files.items():
        answer = client.post(
            "/processes/site-check/execution", {"inputs": {"file": as_file(name, content), "project": "industry"}}
        )
        assert answer.status == 200, (name, answer.text)
        assert answer.json["site"]["area_m2"] == pytest.approx(expected["site"]["area_m2"], abs=0.05), name
        assert answer.json["verdict"] == expected["verdict"]


@pytest.mark.parametrize(
    ("file", "words"),
    [
        (as_file("site.exe", b"MZ"), "known:"),
        (as_file("site.zip", b"not a zip"), "site.zip"),
        (as_file("site.txt", "[地块坐标]\r\nJ1,1,x,y\r\n".encode()), ""),
        (as_file("../../etc/passwd", b"x"), "without suffix"),
        ({"name": "site.zip", "value": "***"}, "base64"),
        (as_file("site.zip", bytes(2_900_001)), "2,900,000"),
        ({"name": "site.zip"}, "required"),
    ],
)
def test_files_that_cannot_be_read_are_refused_with_the_reason(client: Any, file: Any, words: str) -> None:
    answer = client.post("/processes/site-check/execution", {"inputs": {"file": file, "project": "industry"}})
    assert answer.status == 400, answer.text
    assert answer.json["parameter"].startswith("file")
    assert words in json.dumps(answer.json, ensure_ascii=False)
    both = client.post("/processes/site-check/execution", {"inputs": {"file": file, "site": {}, "project": "industry"}})
    assert both.status == 400


def test_the_description_tells_how_a_file_is_given(client: Any) -> None:
    described = client.get("/processes/site-check", f="json", lang="en").json
    schema = described["inputs"]["file"]["schema"]
    assert schema["properties"]["value"]["contentEncoding"] == "base64"
    assert schema["required"] == ["name", "value"]
    assert "$ref" not in json.dumps(schema)
    (told, *_) = described["outputs"]["answer"]["schema"]["oneOf"]
    assert told["properties"]["findings"]["items"]["properties"]["basis"]["title"] == "Legal basis"
    answer = answered(client, box(*CENTRE, 300))
    assert set(told["properties"]) == set(answer)
    assert set(told["properties"]["site"]["properties"]) == set(answer["site"])
    assert set(told["properties"]["findings"]["items"]["properties"]) == set(answer["findings"][0])

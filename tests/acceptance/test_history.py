"""The recorded clock, lineage and releases over HTTP, with a second delivery through the operator's own commands.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
import rasterio
from rasterio.transform import from_origin

FIRST = "stcd,stnm,lon,lat\nA1,一站,115.9,36.4\nA2,二站,115.91,36.4\nA3,,115.92,36.4\n"
SECOND = "stcd,stnm,lon,lat\nA1,改名站,115.9,36.4\nA4,四站,115.93,36.4\n"


@pytest.fixture
def city(
    cluster: Any, template: str, tmp_path: Path, make_service: Callable[[str, Path], Any]
) -> Iterator[tuple[httpx.Client, Callable[..., str]]]:
    """A running service over an empty database, and the `shikong` command for it."""
    name = f"h{uuid.uuid4().hex[:12]}"
    with psycopg.connect(cluster.dsn_of("postgres"), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    data = tmp_path / "data"
    data.mkdir()
    running = make_service(cluster.dsn_of(name), data)
    environment = os.environ | {"DATABASE_URL": cluster.dsn_of(name), "SHIKONG_DATA": str(data), "COLUMNS": "200"}

    def shikong(*words: str, status: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "shikong.cli.main", *words], env=environment, cwd=tmp_path, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == status, done.stderr + done.stdout
        return done.stdout + done.stderr

    with httpx.Client(base_url=running.url, trust_env=False, timeout=30) as client:
        yield client, shikong


def test_two_deliveries_are_told_apart_and_the_first_comes_back(
    city: tuple[httpx.Client, Callable[..., str]], tmp_path: Path
) -> None:
    client, shikong = city
    for name, text in (("first.csv", FIRST), ("second.csv", SECOND)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert "quarantined 1: required stnm" in shikong("ingest", "first.csv", "--layer", "hydro_stations")
    time.sleep(1.1)
    records = "/collections/releases/items"
    first = client.get(records, params={"f": "json", "layer": "hydro_stations"}).json()["features"][0]
    shikong("ingest", "second.csv", "--layer", "hydro_stations")
    items = "/collections/hydro_stations/items"

    def names(**params: str) -> dict[str, str]:
        page = client.get(items, params={"f": "json", **params})
        assert page.status_code == 200, page.text
        return {feature["id"]: feature["properties"]["stnm"] for feature in page.json()["features"]}

    assert names() == {"A1": "改名站", "A4": "四站"}
    assert names(asOf=first["properties"]["created"]) == {"A1": "一站", "A2": "二站"}
    assert names(asOf="2020-01-01") == {}
    one = client.get(f"{items}/A2", params={"f": "json", "asOf": first["properties"]["created"]})
    assert one.json()["properties"]["stnm"] == "二站"
    assert client.get(f"{items}/A2", params={"f": "json"}).status_code == 410

    assert first["properties"]["counts"]["quarantined"] == 1
    assert [(q["rule"], q["field"], q["failed"], q["pass"]) for q in first["properties"]["quality"]] == [
        ("required", "stnm", 1, False), ("compare", "wrz", 0, True),
    ]  # fmt: skip
    assert first["properties"]["lineage"]["sources"][0]["description"] == "first.csv"

    known = client.get(f"{items}/A1/lineage").json()["versions"]
    assert [(v["state"], v["source"]["name"], v["source"]["row"]) for v in known] == [
        ("superseded", "first.csv", 1), ("current", "second.csv", 1),
    ]  # fmt: skip
    assert known[0]["recordedTo"] == known[1]["recordedFrom"]
    assert len(known[0]["source"]["sha256"]) == 64
    assert client.get(f"{items}/A9/lineage").status_code == 404

    second = str(int(first["id"]) + 1)
    assert "added" in (told := shikong("diff", "hydro_stations", first["id"], second, "--to", "diff.geojson"))
    assert "4 features" in told
    assert "is as it was" in shikong("rollback", "hydro_stations", first["id"])
    assert names() == {"A1": "一站", "A2": "二站"}
    assert "rollback to" in shikong("releases", "hydro_stations")
    assert "no release 999" in shikong("rollback", "hydro_stations", "999", status=1)
    assert "required" in shikong("report", first["id"])

    listed = shikong("quarantine", "list", first["id"])
    row = next(line.split("│")[1].strip() for line in listed.splitlines() if "hydro_stations" in line)
    shikong("quarantine", "fix", row, "stnm=三站")
    shikong("quarantine", "resubmit", first["id"])
    assert names() == {"A1": "一站", "A2": "二站", "A3": "三站"}


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "2024-01-01/2024-02-01", ".."])
def test_a_wrong_as_of_is_refused_by_name(client: Any, text: str) -> None:
    answer = client.get("/collections/districts/items", f="json", asOf=text)
    assert answer.status == 400
    assert answer.json["parameter"] == "asOf"


def test_what_was_observed_and_measured_is_told_as_of_then(
    city: tuple[httpx.Client, Callable[..., str]], tmp_path: Path
) -> None:
    client, shikong = city
    (tmp_path / "stations.csv").write_text(FIRST.splitlines()[0] + "\n" + FIRST.splitlines()[1], encoding="utf-8")
    shikong("ingest", "stations.csv", "--layer", "hydro_stations")
    for number in (1, 2):
        (tmp_path / "o.csv").write_text(f"stcd,time,z\nA1,2026-07-01T08:00,{number}\n", encoding="utf-8")
        shikong("ingest", "o.csv", "--layer", "hydro_observations")
        _flat(tmp_path / "e.tif", number)
        shikong("ingest", "e.tif", "--layer", "elevation")
    releases = client.get("/collections/releases/items", params={"f": "json"}).json()["features"]
    created = {}
    for record in reversed(releases):
        created.setdefault(record["properties"]["layer"], record["properties"]["created"])
    place, there = "/collections/hydro_observations/position", {"f": "json", "coords": "POINT(115.9 36.4)"}
    stage = client.get(place, params=there | {"asOf": created["hydro_observations"]})
    assert stage.json()["ranges"]["z"]["values"] == [1.0]
    assert client.get(place, params=there).json()["ranges"]["z"]["values"] == [2.0]
    station = "/collections/hydro_observations/locations/A1"
    assert client.get(station, params={"f": "json", "asOf": created["hydro_observations"]}).json() == stage.json()
    before = client.get("/collections/hydro_observations/locations", params={"f": "json", "asOf": "2020-01-01"})
    assert before.json()["features"] == []
    grid = "/collections/elevation/coverage"
    known = client.get(grid, params={"f": "json", "asOf": created["elevation"]}).json()
    assert set(known["ranges"]["elevation"]["values"]) == {1.0}
    assert set(client.get(grid, params={"f": "json"}).json()["ranges"]["elevation"]["values"]) == {2.0}
    unknown = client.get(grid, params={"f": "json", "asOf": "2020-01-01"})
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert "its first release came later" in unknown.json()["detail"]
    assert client.get(grid, params={"f": "json", "asOf": "gestern"}).json()["parameter"] == "asOf"
    paths = client.get("/openapi", params={"f": "json"}).json()["paths"]
    for name in ("coverage", "position", "locations"):
        path = paths[f"/collections/{{collectionId}}/{name}"]
        assert {"$ref": "#/components/parameters/asOf"} in path["parameters"]


def _flat(path: Path, height: float) -> None:
    with rasterio.open(
        path, "w", driver="GTiff", width=4, height=3, count=1, dtype="float32", crs="EPSG:4490",
        transform=from_origin(116, 36.5, 0.01, 0.01),
    ) as target:  # fmt: skip
        target.write(np.full((1, 3, 4), height, dtype="float32"))


def test_a_walk_through_pages_tells_what_was_known_at_its_start(
    city: tuple[httpx.Client, Callable[..., str]], tmp_path: Path
) -> None:
    client, shikong = city
    for name, stations in (("first.csv", range(30)), ("second.csv", range(10, 50))):
        rows = [f"S{n:02},{name[0]}{n},{115.9 + n / 1000},36.4" for n in stations]
        (tmp_path / name).write_text("stcd,stnm,lon,lat\n" + "\n".join(rows), encoding="utf-8")
    shikong("ingest", "first.csv", "--layer", "hydro_stations")

    def walk(meanwhile: Callable[[], object], **params: Any) -> list[tuple[str, str]]:
        page = client.get("/collections/hydro_stations/items", params={"f": "json", "limit": 7, **params}).json()
        found = [(f["id"], f["properties"]["stnm"]) for f in page["features"]]
        meanwhile()
        while following := [link["href"] for link in page["links"] if link["rel"] == "next"]:
            page = client.get(following[0]).json()
            found += [(f["id"], f["properties"]["stnm"]) for f in page["features"]]
        return found

    before = [(f"S{n:02}", f"f{n}") for n in range(30)]
    assert sorted(walk(lambda: None)) == before
    assert sorted(walk(lambda: shikong("ingest", "second.csv", "--layer", "hydro_stations"))) == before
    after = [(f"S{n:02}", f"s{n}") for n in range(10, 50)]
    assert sorted(walk(lambda: None)) == after
    back = walk(lambda: shikong("ingest", "first.csv", "--layer", "hydro_stations"), sortby="-stnm")
    assert back == sorted(after, key=lambda pair: pair[1], reverse=True)

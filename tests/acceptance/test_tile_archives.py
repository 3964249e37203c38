"""Tiles made beforehand, and archives of them: what is in them is what the service answers, read by others' readers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import mapbox_vector_tile
import pyogrio
import pytest
from pmtiles.reader import MmapSource, Reader, all_tiles
from typer.testing import CliRunner

from shikong.cli import tiles

BOX = "115.9,36.35,116.1,36.5"


@pytest.fixture(scope="module")
def shikong(sample_city: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs the command over the sample city."""
    home = Path(__file__).parents[2]
    environment = os.environ | {
        "DATABASE_URL": sample_city.dsn, "SHIKONG_DATA": str(sample_city.data),
        "SHIKONG_TILE_CACHE": str(tmp_path_factory.mktemp("seeded")),
        "PYGEOAPI_CONFIG": str(home / "pygeoapi-config.yml"),
    }  # fmt: skip

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "shikong.cli.main", "tiles", *arguments], env=environment, capture_output=True,
            text=True, check=False, cwd=sample_city.data,
        )  # fmt: skip

    run.folder = Path(environment["SHIKONG_TILE_CACHE"])  # type: ignore[attr-defined]
    return run


def _kept(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_seeding_makes_what_is_missing_and_goes_on_where_it_was(shikong: Any) -> None:
    done = shikong("seed", "parcels", "roads", "--zoom", "11-13", "--bbox", BOX, "--processes", "1")
    assert done.returncode == 0, done.stderr
    before = _kept(shikong.folder)
    made = {path for path in before if "cells" not in path.parts}
    told = [int(word.replace(",", "")) for word in done.stdout.split() if word.replace(",", "").isdigit()]
    assert sum(told) == len(made) > 40
    assert {path.relative_to(shikong.folder).parts[:5] for path in made} == {
        (layer, "public", "mvt", "now", name)
        for layer in ("parcels", "roads")
        for name in ("WebMercatorQuad", "WorldCRS84Quad")
    }
    gone = sorted(made)[::7]
    for path in gone:
        path.unlink()
    again = shikong("seed", "parcels", "roads", "--zoom", "11-13", "--bbox", BOX, "--processes", "1")
    assert again.stdout == done.stdout
    after = _kept(shikong.folder)
    assert {path for path in after if after[path] != before[path]} == set(gone)


@pytest.mark.parametrize(("arguments", "words"), [
    (("seed", "nosuch"), "nosuch"), (("seed", "elevation"), "elevation"), (("seed", "--zoom", "14-6"), "--zoom 14-6"),
    (("seed", "--zoom", "x"), "--zoom x"), (("seed", "--zoom", "20-40"), "within 0-22"),
    (("seed", "--bbox", "1,2,3"), "west,south,east,north"), (("seed", "--bbox", "3,2,1,4"), "west must be less"),
    (("seed", "--set", "c"), "the same ones"), (("export", "parcels", "--to", "x.zip"), ".pmtiles, .mbtiles"),
])  # fmt: skip
def test_what_cannot_be_done_is_said_in_a_line(arguments: tuple[str, ...], words: str, capfd: Any) -> None:
    done = CliRunner().invoke(tiles.app, list(arguments))
    assert done.exit_code == 1
    told = capfd.readouterr().err + done.output
    assert words in told
    assert "Traceback" not in told


@pytest.fixture(scope="module")
def archives(shikong: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same tiles in both formats."""
    folder = tmp_path_factory.mktemp("archives")
    found = {suffix: folder / f"city.{suffix}" for suffix in ("pmtiles", "mbtiles")}
    for path in found.values():
        done = shikong(
            "export", "parcels", "roads", "--zoom", "11-13", "--bbox", BOX, "--processes", "1", "--to", str(path)
        )
        assert done.returncode == 0, done.stderr
    return found


def _features(tile: bytes) -> dict[str, list[str]]:
    """What is in a tile, layer by layer; the order of features has no meaning."""
    return {
        name: sorted(str(each | {"id": 0}) for each in layer["features"])
        for name, layer in mapbox_vector_tile.decode(tile).items()
    }


def test_an_archive_has_the_tiles_that_the_service_answers(client: Any, archives: dict[str, Path]) -> None:
    with archives["pmtiles"].open("rb") as file:
        source = MmapSource(file)
        reader = Reader(source)
        header, metadata = reader.header(), reader.metadata()
        packed = {address: gzip.decompress(content) for address, content in all_tiles(source)}
    assert (header["min_zoom"], header["max_zoom"]) == (11, 13)
    assert header["min_lon_e7"] == 1_159_000_000
    assert [layer["id"] for layer in metadata["vector_layers"]] == ["parcels", "roads"]
    assert len(packed) > 10
    for (zoom, column, row), content in packed.items():
        path = f"/tiles/WebMercatorQuad/{zoom}/{row}/{column}"
        assert _features(content) == _features(client.get(path, collections="parcels,roads").content)
    rows = sqlite3.connect(archives["mbtiles"]).execute("SELECT * FROM tiles").fetchall()
    same = {(zoom, column, (1 << zoom) - 1 - row): gzip.decompress(content) for zoom, column, row, content in rows}
    assert same == packed


@pytest.mark.parametrize("suffix", ["pmtiles", "mbtiles"])
def test_gdal_reads_an_archive(archives: dict[str, Path], suffix: str) -> None:
    layers = {name for name, _ in pyogrio.list_layers(archives[suffix])}
    assert layers == {"parcels", "roads"}
    read = pyogrio.read_dataframe(archives[suffix], layer="parcels")
    assert len(read) > 50
    assert {"bsm", "dlbm"} <= set(read.columns)
    west, south, east, north = read.to_crs(4326).total_bounds
    assert 115.5 < west < east < 116.5
    assert 36.0 < south < north < 36.9


def test_archives_are_listed_and_given_out_in_parts(client: Any, sample_city: Any, archives: dict[str, Path]) -> None:
    folder = sample_city.data / "archives"
    folder.mkdir(exist_ok=True)
    content = archives["pmtiles"].read_bytes()
    (folder / "city.pmtiles").write_bytes(content)
    (folder / "secret.txt").write_text("no archive")
    try:
        [listed] = client.get("/archives").json["archives"]
        assert (listed["id"], listed["size"]) == ("city.pmtiles", len(content))
        address = listed["links"][0]["href"]
        part = httpx.get(address, headers={"range": "bytes=0-126"}, trust_env=False)
        assert (part.status_code, part.content) == (206, content[:127])
        assert part.headers["content-range"] == f"bytes 0-126/{len(content)}"
        assert part.headers["content-type"] == "application/vnd.pmtiles"
        assert httpx.get(address, trust_env=False).content == content

        def remote(offset: int, length: int) -> bytes:
            wanted = {"range": f"bytes={offset}-{offset + length - 1}"}
            return httpx.get(address, headers=wanted, trust_env=False).content

        assert Reader(remote).header()["max_zoom"] == 13
        for name in ("secret.txt", "nosuch.pmtiles", "..%2Fsecret.txt", ".city.pmtiles"):
            answer = client.get(f"/archives/{name}")
            assert answer.status == 404
            assert answer.headers["content-type"] == "application/problem+json"
        unsatisfied = httpx.get(address, headers={"range": f"bytes={len(content) + 5}-"}, trust_env=False)
        assert unsatisfied.status_code == 416
    finally:
        for path in folder.iterdir():
            path.unlink()


@pytest.mark.parametrize(("method", "path", "status"), [
    ("POST", "/tiles", 405), ("POST", "/tiles/seed", 405), ("PUT", "/tiles/WebMercatorQuad/14/6406/13473", 405),
    ("POST", "/collections/parcels/tiles/WebMercatorQuad/14/6406/13473", 405),
    ("DELETE", "/collections/parcels/tiles/WebMercatorQuad", 405), ("POST", "/archives", 405),
])  # fmt: skip
def test_nobody_can_have_tiles_made_by_the_million_over_http(client: Any, method: str, path: str, status: int) -> None:
    answer = httpx.request(method, client.url + path, json={"zoom": "0-22"}, trust_env=False)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"

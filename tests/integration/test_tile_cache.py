"""The tile cache is never wrong: what changes is seen at once, everywhere, in every variant, and nothing else is made anew.

What is right is told by a server without a cache of its own, and by the bounds that morecantile gives tiles.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import httpx
import mapbox_vector_tile
import morecantile
import psycopg
import pytest
import shapely
import shapely.affinity

from shikong.store.database import Database
from support.editing import Editor, feature, square
from support.loads import load, wait_for

#: Served set -> the registered set with the same tiles, and how far its numbers are behind.
SETS = {"WebMercatorQuad": ("WebMercatorQuad", 0), "WorldCRS84Quad": ("WorldCRS84Quad", 0),
        "c": ("WorldCRS84Quad", 1), "w": ("WebMercatorQuad", 0)}  # fmt: skip
TIMES = ("", "&datetime=2025-06-01", "&datetime=2020-01-01", "&asOf=2020-01-01")
SHEET = shapely.box(115.9, 36.4, 115.94, 36.401)

Tiles = dict[str, tuple[int, bytes, str]]


def _tiles(zooms: tuple[int, ...], sets: tuple[str, ...] = tuple(SETS)) -> dict[str, Any]:
    """Addresses of tiles in and around the sheet of parcels, and their bounds with the margin, in degrees."""
    found = {}
    for name in sets:
        base, less = SETS[name]
        grid = morecantile.tms.get(base)
        for zoom in zooms:
            for tile in grid.tiles(115.895, 36.395, 115.945, 36.405, [zoom - less]):
                bounds = grid.bounds(tile)
                margin = (bounds.right - bounds.left) / 64, (bounds.top - bounds.bottom) / 64
                path = f"/collections/parcels/tiles/{name}/{zoom}/{tile.y}/{tile.x}?f=mvt"
                found[path] = shapely.box(
                    bounds.left - margin[0], bounds.bottom - margin[1], bounds.right + margin[0], bounds.top + margin[1]
                )
    return found


def _seen(http: httpx.Client, paths: Any, times: tuple[str, ...] = TIMES) -> Tiles:
    found = {}
    for path in paths:
        for when in times:
            answer = http.get(path + when)
            assert answer.status_code in (200, 204), answer.text
            found[path + when] = answer.status_code, answer.content, answer.headers["etag"]
    return found


def _contents(tiles: Tiles) -> dict[str, Any]:
    return {path: (status, mapbox_vector_tile.decode(content)) for path, (status, content, _) in tiles.items()}


@pytest.fixture(scope="module")
def others(edited_store: Database, run_service: Callable[..., Any], tmp_path_factory: Any) -> Iterator[tuple[Any, Any]]:
    """Two more servers: one that shares the first one's files, one that has none of its own at all."""
    dsn, data = edited_store.settings.database_url, edited_store.settings.data
    folder = tmp_path_factory.mktemp("bare")
    nowhere = folder / "a file"
    nowhere.write_text("no folder can be made here")
    (folder / "rest").mkdir()
    bare = {"SHIKONG_TILE_CACHE": str(nowhere), "SHIKONG_TILE_MEMORY_MB": "0"}
    with run_service(dsn, data) as sharing, run_service(dsn, folder / "rest", **bare) as without:
        plain = {"accept-encoding": "identity"}  # a compressed answer has a tag of its own
        clients = [
            httpx.Client(base_url=each.url, timeout=60, trust_env=False, headers=plain) for each in (sharing, without)
        ]
        yield clients[0], clients[1]
        for client in clients:
            client.close()


def _heard(http: httpx.Client, paths: Any, times: tuple[str, ...], wanted: Tiles) -> Tiles:
    """What another server shows, once it has heard of the release; a moment is enough."""
    deadline = time.monotonic() + 60
    while (seen := _seen(http, paths, times)) != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


def test_an_edit_changes_exactly_the_tiles_of_what_it_changed(
    editor: Editor, others: tuple[Any, Any], edited_store: Database
) -> None:
    sharing, without = others
    tiles = _tiles((15, 17))
    times = ("", "&datetime=2025-06-01")
    before = _seen(editor.http, tiles, times)
    assert _heard(sharing, tiles, times, before) == before
    files = edited_store.settings.data / "tiles"
    written = {path: path.stat().st_mtime_ns for path in files.rglob("*") if path.is_file()}
    old, new = square(20), shapely.affinity.translate(shapely.affinity.scale(square(20), 0.5, 0.5), yoff=0.004)
    edit = feature(new, dlbm="0102")
    assert (
        editor.patch("parcels", "P20", {"geometry": edit["geometry"], "properties": {"dlbm": "0102"}}).status_code
        == 200
    )

    after = _seen(editor.http, tiles, times)
    touched = {
        path + when for path, area in tiles.items() for when in times if area.intersects(old) or area.intersects(new)
    }
    changed = {path for path in after if after[path][2] != before[path][2]}
    assert changed == touched
    assert 0 < len(touched) < len(before) / 2
    assert {path for path in after if after[path][1] != before[path][1]} <= touched
    present = {path for path in touched if not path.endswith(times[1])}
    assert {path for path in present if after[path][1] != before[path][1]}, "what shows today has changed"
    assert _heard(sharing, tiles, times, after) == after
    assert _contents(_seen(without, tiles, times)) == _contents(after)
    fresh = {path for path in files.rglob("*") if path.is_file() and written.get(path) != path.stat().st_mtime_ns}
    canonical = {
        (
            SETS[path.split("/")[4]][0],
            int(path.split("/")[5]) - SETS[path.split("/")[4]][1],
            *path.split("?")[0].split("/")[6:],
        )
        for path in touched
    }
    assert {(at.parts[-4], int(at.parts[-3]), at.parts[-1], at.parts[-2]) for at in fresh} == canonical


def test_whatever_is_edited_all_servers_show_what_one_without_a_cache_shows(
    editor: Editor, others: tuple[Any, Any]
) -> None:
    sharing, without = others
    tiles = _tiles((8, 11, 14), ("WebMercatorQuad", "c"))
    edits: list[Callable[[], httpx.Response]] = [
        lambda: editor.send("POST", "/collections/parcels/items", feature(square(3, 4), "T9", dlbm="1101")),
        lambda: editor.patch("parcels", "P7", {"properties": {"dlbm": "0301"}}),
        lambda: editor.patch("parcels", "P8", {"geometry": feature(square(8, 3))["geometry"]}),
        lambda: editor.send("DELETE", "/collections/parcels/items/P9", if_match="*"),
        lambda: editor.patch("parcels", "P10", {"properties": {"dlbm": "0301", "valid_from": "2025-03-01T00:00:00Z"}}),
    ]
    for edit in edits:
        assert edit().status_code < 300
        seen = _seen(editor.http, tiles)
        assert _contents(_seen(without, tiles)) == _contents(seen)
        assert _heard(sharing, tiles, TIMES, seen) == seen


def test_a_delivery_and_a_rollback_are_seen_too(
    editor: Editor, others: tuple[Any, Any], edited_store: Database, tmp_path: Path
) -> None:
    sharing, without = others
    tiles = _tiles((9, 15), ("w", "WorldCRS84Quad"))
    _seen(editor.http, tiles)
    keys = [f"P{i}" for i in range(40)]
    frame = {"bsm": keys, "dlbm": ["0201"] * 5 + ["0101"] * 35, "xzqdm": ["371502"] * 40}
    source = tmp_path / "again.gpkg"
    gpd.GeoDataFrame(frame, geometry=[square(i) for i in range(40)], crs=4490).to_file(source)
    load(edited_store, source, "parcels", valid_from=datetime.now(UTC))
    wait_for(lambda: "0201" in str(_contents(_seen(without, tiles, ("",)))), "the release is heard of")
    wanted = _seen(without, tiles)
    for server in (editor.http, sharing):
        assert _contents(_heard(server, tiles, TIMES, wanted)) == _contents(wanted)


def test_a_server_that_hears_nothing_asks(editor: Editor, others: tuple[Any, Any]) -> None:
    """The connections by which servers hear are cut; the first tile after an edit is right all the same."""
    sharing, without = others
    tiles = _tiles((16,), ("WebMercatorQuad",))
    listening = (
        "FROM pg_stat_activity WHERE application_name = 'shikong' AND datname = current_database()"
        " AND query IN ('LISTEN \"shikong_release\"', 'SELECT 1')"
    )
    for code in ("0303", "0304", "0101"):
        wait_for(lambda: editor.rows(f"SELECT count(*) {listening}") == [(3,)], "three servers listen")
        _seen(sharing, tiles, ("",))
        editor.rows(f"SELECT pg_terminate_backend(pid) {listening}")
        assert editor.patch("parcels", "P25", {"properties": {"dlbm": code}}).status_code == 200
        seen = _contents(_seen(sharing, tiles, ("",)))
        assert seen == _contents(_seen(without, tiles, ("",)))
        assert code in str(seen)


def test_what_begins_and_ends_by_itself_is_seen_when_it_does(
    editor: Editor, edited_store: Database, tmp_path: Path
) -> None:
    begin = datetime.now(UTC) + timedelta(seconds=4)
    source = tmp_path / "soon.gpkg"
    times = {"valid_from": [begin], "valid_to": [begin + timedelta(seconds=3)]}
    gpd.GeoDataFrame({"bsm": ["SOON"], "dlbm": ["0101"], **times}, geometry=[square(5, 6)], crs=4490).to_file(source)
    load(edited_store, source, "parcels", mode="update")
    bounds = morecantile.tms.get("WebMercatorQuad")
    tile = bounds.tile(115.9055, 36.4065, 17)
    path = f"/collections/parcels/tiles/WebMercatorQuad/17/{tile.y}/{tile.x}?f=mvt"
    states = []
    while datetime.now(UTC) < begin + timedelta(seconds=4):
        shown = "SOON" in str(mapbox_vector_tile.decode(editor.http.get(path).content))
        if not states or states[-1] != shown:
            states.append(shown)
        time.sleep(0.1)
    assert states == [False, True, False]


def test_a_client_that_has_a_tile_is_told_so_until_it_changes(editor: Editor) -> None:
    path = "/collections/parcels/tiles/WebMercatorQuad/14/{}/{}?f=mvt".format(
        *reversed(morecantile.tms.get("WebMercatorQuad").tile(115.925, 36.4005, 14)[:2])
    )
    first = editor.http.get(path)
    assert first.headers["cache-control"] == "public, max-age=10, stale-while-revalidate=60"
    for known in (first.headers["etag"], f'"other", {first.headers["etag"]}', f"W/{first.headers['etag']}", "*"):
        answer = editor.http.get(path, headers={"if-none-match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == first.headers["etag"]
        assert answer.headers["cache-control"] == first.headers["cache-control"]
    assert editor.patch("parcels", "P26", {"properties": {"dlbm": "0303"}}).status_code == 200
    answer = editor.http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert answer.status_code == 200
    assert answer.headers["etag"] != first.headers["etag"]


def test_five_hundred_clients_of_a_cold_tile_cost_one_query(editor: Editor) -> None:
    tile = morecantile.tms.get("WebMercatorQuad").tile(115.915, 36.4005, 13)
    path = f"/collections/parcels/tiles/WebMercatorQuad/13/{tile.y}/{tile.x}?f=mvt"
    assert editor.patch("parcels", "P15", {"properties": {"dlbm": "0303"}}).status_code == 200

    nothing_there = "/collections/parcels/tiles/WebMercatorQuad/13/0/0"
    assert editor.http.get(nothing_there).status_code == 204  # what all tiles of the layer need is known now
    waiting = "SELECT query FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

    async def ask() -> tuple[list[Any], list[httpx.Response]]:
        limits = httpx.Limits(max_connections=500)
        async with httpx.AsyncClient(base_url=editor.url, timeout=60, trust_env=False, limits=limits) as client:
            with psycopg.connect(editor.dsn) as conn:
                conn.execute("LOCK TABLE data.parcels IN ACCESS EXCLUSIVE MODE")
                asking = [asyncio.create_task(client.get(path)) for _ in range(500)]
                await asyncio.to_thread(wait_for, lambda: editor.rows(waiting), "the first one asks")
                await asyncio.sleep(2)
                held = await asyncio.to_thread(editor.rows, waiting)
            return held, await asyncio.gather(*asking)

    held, answers = asyncio.run(ask())
    assert ["st_asmvt" in query for (query,) in held] == [True]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def test_the_folder_may_be_deleted_or_not_writable_while_the_server_runs(
    editor: Editor, others: tuple[Any, Any], edited_store: Database
) -> None:
    _, without = others
    tiles = _tiles((14, 15), ("WebMercatorQuad",))
    seen = _seen(editor.http, tiles, ("",))
    shutil.rmtree(edited_store.settings.data / "tiles")
    assert _seen(editor.http, tiles, ("",)) == seen
    assert editor.http.get("/health").json()["tile_cache"] == "ok"
    assert editor.patch("parcels", "P30", {"properties": {"dlbm": "0303"}}).status_code == 200
    fresh = _seen(editor.http, tiles, ("",))
    assert any((edited_store.settings.data / "tiles").rglob("mvt"))
    assert fresh != seen
    health = without.get("/health").json()
    assert health["status"] == "ok"
    assert health["tile_cache"].startswith("no tiles are kept: it cannot be written: ")
    assert _contents(_seen(without, tiles, ("",))) == _contents(fresh)

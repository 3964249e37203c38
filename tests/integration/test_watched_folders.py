"""Files that come into watched folders: each is taken once and put away with its report.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import geopandas as gpd
import shapely
from psycopg import sql

from shikong.ingest.jobs import folders, worker
from shikong.layers import catalog
from shikong.layers.source import SourceDecl
from shikong.store import jobs, queue
from shikong.store.database import Database
from support.jobs import job_of
from support.loads import (
    dsn_of,
    names,
    published,
    wait_for,
    write_districts,
)


def test_a_file_in_a_watched_folder_is_taken_once_and_put_away(
    loaded: Database, tmp_path: Path, start_worker: Any
) -> None:
    inbox = loaded.settings.data / "inbox/districts"
    inbox.mkdir(parents=True)
    sources = {"districts": {"folder": "inbox/districts", "pattern": "*.gpkg"}}
    for _ in range(2):
        start_worker(loaded, sources)
    whole = write_districts(tmp_path / "d.gpkg", 30, "新").read_bytes()
    with (inbox / "d.gpkg").open("wb") as file:  # a copy over a slow network: pieces with pauses below `still_for`
        for start in range(0, len(whole), len(whole) // 5):
            file.write(whole[start : start + len(whole) // 5])
            file.flush()
            time.sleep(0.5)
    wait_for((inbox / "done/1-d.gpkg").exists, "the file to be loaded")
    report = json.loads((inbox / "done/1-d.gpkg.report.json").read_text(encoding="utf-8"))
    assert (report["release"]["source"], report["release"]["rows_stored"]) == ("d.gpkg", 30)
    assert names(dsn_of(loaded)) == {"新"}
    (inbox / "again.gpkg").write_bytes(whole)
    (inbox / "bad.gpkg").write_bytes(whole[:3000])
    (inbox / "notes.txt").write_text("left alone", encoding="utf-8")
    wait_for(lambda: list(inbox.glob("failed/*-bad.gpkg")), "the bad file to be put away")
    wait_for(lambda: list(inbox.glob("done/*-again.gpkg")), "the file that is known to be put away")
    error = json.loads(next(inbox.glob("failed/*-bad.gpkg.report.json")).read_text(encoding="utf-8"))["error"]
    assert "bad.gpkg" in error
    found = jobs.seen(loaded.thread_fetch(*jobs.listing(10)))
    assert sorted((job.source, job.state) for job in found) == [
        ("again.gpkg", "successful"), ("bad.gpkg", "failed"), ("d.gpkg", "successful"),
    ]  # fmt: skip
    assert [job.message for job in found if job.source == "again.gpkg"] == [
        "the same file as in release 2; not loaded again"
    ]
    assert sorted(path.name for path in inbox.iterdir()) == ["done", "failed", "notes.txt"]
    assert published(dsn_of(loaded))[4] == 0


def test_a_file_whose_job_was_cancelled_is_not_begun_again(loaded: Database, tmp_path: Path) -> None:
    layer = catalog.default().layer("districts")
    watched = layer.model_copy(update={"source": SourceDecl(folder="inbox", pattern="*.gpkg")})
    watch = folders.Watch(loaded.settings.data, [watched], still_for=10)
    assert watch.look(0) == []
    path = write_districts(loaded.settings.data / "inbox/d.gpkg", 3)
    assert watch.look(1) == []
    assert watch.look(10.9) == []
    (delivery,) = watch.look(11)
    first = folders.defer(loaded, delivery)
    assert first is not None
    assert folders.defer(loaded, delivery) is None
    with queue.session(loaded) as conn:
        assert queue.cancel(conn, first)
    assert folders.defer(loaded, delivery) is None
    os.utime(path, (1, 1))
    assert watch.look(12) == []
    (changed,) = watch.look(30)
    assert folders.defer(loaded, changed) == first + 1
    path.unlink()
    assert watch.look(31) == []


def test_the_report_of_a_refused_delivery_names_its_rows(loaded: Database) -> None:
    loaded.settings.data.mkdir(exist_ok=True)
    path = write_districts(loaded.settings.data / "inbox.gpkg", 3)
    frame = gpd.read_file(path).assign(xzqmc=None)
    frame.to_file(path)
    layer = catalog.default().layer("districts")
    found = replace(catalog.default(), layers=catalog.default().layers | {
        "districts": layer.model_copy(update={"source": SourceDecl(folder="in", pattern="*.gpkg")})
    })  # fmt: skip
    (loaded.settings.data / "in").mkdir()
    path = path.rename(loaded.settings.data / "in/d.gpkg")
    (delivery,) = folders.Watch(loaded.settings.data, list(found), still_for=0).look(0)
    assert folders.defer(loaded, delivery) == 1
    worker.run(loaded, found, worker.Timing(), once=True)
    report = json.loads((path.parent / "failed/1-d.gpkg.report.json").read_text(encoding="utf-8"))
    assert [(row["source_row"], row["rule"], row["field"]) for row in report["findings"]] == [
        (number, "required", "xzqmc") for number in (1, 2, 3)
    ]  # fmt: skip
    assert report["error"] == job_of(loaded, 1).message


def test_rows_of_a_delivery_hold_from_the_day_of_its_file(loaded: Database) -> None:
    found = catalog.default()
    layer = found.layer("parcels").model_copy(
        update={"source": SourceDecl(folder="inbox", pattern="*.gpkg", valid_from="file-date")}
    )
    found = replace(found, layers=found.layers | {"parcels": layer})
    path = loaded.settings.data / "inbox/p.gpkg"
    path.parent.mkdir(parents=True)
    frame = gpd.GeoDataFrame({"bsm": ["1"], "dlbm": ["0101"]}, geometry=[shapely.box(116, 36, 116.01, 36.01)], crs=4490)
    frame.to_file(path)
    os.utime(path, (1735603200, 1735603200))  # 2024-12-31 at eight in the morning in Shanghai
    (delivery,) = folders.Watch(loaded.settings.data, [layer], still_for=0).look(0)
    number = folders.defer(loaded, delivery)
    assert number is not None
    worker.run(loaded, found, worker.Timing(), once=True)
    assert job_of(loaded, number).state == "successful", job_of(loaded, number).message
    rows = loaded.thread_fetch(sql.SQL("SELECT valid_from FROM data.parcels"))
    assert rows == [(datetime(2024, 12, 31, tzinfo=ZoneInfo("Asia/Shanghai")),)]

"""Overlays against shapely pair by pair, areas against pyproj, and work spread over workers against work done here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Geod

from shikong.processes.overlay import kernel, spread
from shikong.processes.overlay.kernel import Shapes
from shikong.store import ellipsoid

GEOD = Geod(a=6378137, rf=298.257222101)
PLACE = (115.98, 36.45)


def cells(number: int, seed: int, side: float = 0.02) -> Shapes:
    """A square near Liaocheng cut into cells that leave no gaps."""
    rng = np.random.default_rng(seed)
    box = shapely.box(*PLACE, PLACE[0] + side, PLACE[1] + side)
    points = shapely.multipoints(rng.random((number, 2)) * side + PLACE)
    found = shapely.get_parts(shapely.voronoi_polygons(points, extend_to=box))
    return np.asarray(shapely.intersection(found, box), dtype=object)


@st.composite
def surfaces(draw: st.DrawFn) -> Shapes:
    """Rectangles, with holes and in several parts, on a grid so coarse that sides and corners often coincide."""
    found = []
    for _ in range(draw(st.integers(0, 6))):
        x, y, wide, high = (draw(st.integers(*span)) for span in ((0, 6), (0, 6), (1, 4), (1, 4)))
        shape = shapely.box(x, y, x + wide, y + high)
        if wide > 2 and high > 2 and draw(st.booleans()):
            shape = shapely.difference(shape, shapely.box(x + 1, y + 1, x + 2, y + 2))
        if draw(st.booleans()):
            shape = shapely.union(shape, shapely.box(x + 8, y, x + 8 + wide, y + high))
        found.append(shapely.transform(shape, lambda xy: xy * 0.001 + PLACE))
    shapes = np.empty(len(found), dtype=object)
    shapes[:] = found
    return shapes


@given(surfaces(), surfaces())
@settings(max_examples=200, deadline=None)
def test_every_pair_gives_what_shapely_says_they_share(first: Shapes, second: Shapes) -> None:
    found = kernel.shared(first, second, kernel.meeting(first, second))
    got = {(i, j): shape for i, j, shape in zip(found.first, found.second, found.shapes, strict=True)}
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            expected = shapely.intersection(one, other)
            if expected.area > 0:
                piece = got.pop((i, j))
                assert shapely.get_type_id(piece) in (3, 6)
                assert shapely.symmetric_difference(piece, expected).area == pytest.approx(0, abs=1e-16)
    assert not got


@given(surfaces(), surfaces())
@settings(max_examples=100, deadline=None)
def test_what_is_left_uncovered_is_what_shapely_says(first: Shapes, second: Shapes) -> None:
    found = kernel.uncovered(first, second, kernel.meeting(first, second))
    got = dict(zip(found.first.tolist(), found.shapes, strict=True))
    for i, one in enumerate(first):
        expected = shapely.difference(one, shapely.union_all(second))
        if expected.area > 0:
            assert shapely.symmetric_difference(got.pop(i), expected).area == pytest.approx(0, abs=1e-16)
    assert not got


def test_pieces_of_a_partition_add_up_to_the_whole() -> None:
    first, second = cells(40, 1), cells(900, 2)
    found = kernel.shared(first, second, kernel.meeting(first, second))
    sums = np.bincount(found.first, weights=found.area, minlength=len(first))
    wholes = ellipsoid.areas(first)
    assert np.abs(sums / wholes - 1).max() < 1e-9
    assert abs(found.area.sum() / wholes.sum() - 1) < 1e-9


def test_area_and_width_are_those_on_the_ellipsoid() -> None:
    first, second = cells(60, 3), cells(60, 4)
    found = kernel.shared(first, second, kernel.meeting(first, second))
    for shape, area, width in zip(found.shapes, found.area, found.width, strict=True):
        expected, around = (abs(value) for value in GEOD.geometry_area_perimeter(shape))
        assert area == pytest.approx(expected, rel=5e-5)  # edges of hundreds of metres, which geodesics bend
        assert width == pytest.approx(2 * expected / around, rel=5e-5)


def test_a_piece_does_not_depend_on_what_else_is_asked() -> None:
    first, second = cells(200, 5), cells(200, 6)
    together = kernel.shared(first, second, kernel.meeting(first, second))
    by_pair = dict(zip(zip(together.first, together.second, strict=True), together.shapes, strict=True))
    for i in range(0, len(first), 7):
        alone = kernel.shared(first[i : i + 1], second, kernel.meeting(first[i : i + 1], second))
        for j, shape, area in zip(alone.second, alone.shapes, alone.area, strict=True):
            assert shapely.to_wkb(shape) == shapely.to_wkb(by_pair[i, j])
            assert area == together.area[(together.first == i) & (together.second == j)][0]


@pytest.fixture
def small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spread, "LEAST", 1)
    monkeypatch.setattr(spread, "STRETCH", 300)


def same(one: kernel.Pieces, other: kernel.Pieces) -> bool:
    return (
        np.array_equal(one.first, other.first)
        and np.array_equal(one.second, other.second)
        and np.array_equal(shapely.to_wkb(one.shapes), shapely.to_wkb(other.shapes))
        and np.array_equal(one.area, other.area)
        and np.array_equal(one.width, other.width)
    )


@pytest.mark.usefixtures("small_stretches")
@pytest.mark.parametrize("relation", ["shared", "uncovered"])
def test_threads_give_what_one_gives(relation: kernel.Relation) -> None:
    first, second = cells(700, 7), cells(500, 8)[::2]
    told: list[tuple[int, int]] = []
    with spread.spread() as where:
        found = where.overlay(relation, first, second, lambda done, total: told.append((done, total)))
    assert same(found, kernel.work(relation, first, second, kernel.meeting(first, second)))
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


#: Threads that ask the same large surfaces at the same moment, many times over.
ASKED_AT_ONCE = """
import sys, threading
import numpy as np, shapely
from shikong.processes.overlay import kernel

sys.setswitchinterval(1e-6)
angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
ring = 0.5 * np.c_[np.cos(angles), np.sin(angles)] + (116, 36)
x, y = np.random.default_rng(1).uniform((115.7, 35.7), (116.3, 36.3), (40, 2)).T
for _ in range(20):
    second = shapely.polygons(np.repeat(ring[None], 60, axis=0))
    together = threading.Barrier(4)

    def ask():
        first = shapely.box(x, y, x + 1e-4, y + 1e-4)
        pairs = kernel.meeting(first, second)
        together.wait()
        assert len(kernel.shared(first, second, pairs)) == 40 * 60

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_may_ask_the_same_surfaces_at_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", ASKED_AT_ONCE], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@contextmanager
def scheduler(workers: int) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A Dask scheduler and workers as processes of their own."""
    run = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    started = subprocess.Popen(
        [*run, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"], stderr=subprocess.PIPE
    )
    assert started.stderr is not None
    address = ""
    for line in started.stderr:
        if b"Scheduler at:" in line:
            address = line.decode().split("Scheduler at:")[1].strip()
            break
    run = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    helpers = [
        subprocess.Popen([*run, "--no-nanny", "--host", "127.0.0.1"], stderr=subprocess.DEVNULL) for _ in range(workers)
    ]
    try:
        yield address, helpers
    finally:
        for process in (*helpers, started):
            process.kill()
            process.wait()
        started.stderr.close()


@pytest.mark.usefixtures("small_stretches")
def test_a_worker_that_is_killed_costs_no_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = cells(6000, 9), cells(6000, 10)
    with scheduler(2) as (address, helpers):
        monkeypatch.setenv("SHIKONG_DASK", address)
        killed: list[float] = []

        def progress(done: int, total: int) -> None:
            if not killed and done > total / 5:
                os.kill(helpers[0].pid, signal.SIGKILL)
                killed.append(time.monotonic())

        with spread.spread() as where:
            found = where.overlay("shared", first, second, progress)
    assert killed
    assert same(found, kernel.shared(first, second, kernel.meeting(first, second)))


@pytest.mark.usefixtures("small_stretches")
def test_what_progress_raises_ends_the_work() -> None:
    class Stop(Exception):
        pass

    def progress(done: int, total: int) -> Any:
        raise Stop

    with spread.spread() as where, pytest.raises(Stop):
        where.overlay("shared", cells(700, 7), cells(500, 8), progress)


def test_an_absent_scheduler_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIKONG_DASK", "tcp://127.0.0.1:1")
    monkeypatch.setattr(spread, "_PATIENCE", "1s")
    with pytest.raises(spread.SchedulerAway, match="SHIKONG_DASK"), spread.spread():
        pass

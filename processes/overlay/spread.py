"""Overlays cut into stretches that lie together on the map, and worked on side by side.

A few pairs are done here and now. Many go to Dask: to the scheduler that SHIKONG_DASK names, else to its scheduler for
threads, one a core, for cutting surfaces does not hold the interpreter, and threads carry nothing. Elsewhere each
stretch carries its surfaces, so that a worker that dies takes nothing with it: another one does the stretch again.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import dask.threaded
import geopandas as gpd
import numpy as np
import pyarrow as pa

from shikong.processes.errors import SchedulerAway
from shikong.processes.overlay import kernel
from shikong.processes.overlay.kernel import Numbers, Pairs, Pieces, Relation, Shapes

if TYPE_CHECKING:
    from distributed import Client

#: Pairs in a stretch: a second's work or so, and a megabyte or two to carry.
STRETCH = 10_000

#: Below so many pairs they are done at once, as one.
LEAST = 20_000

#: Stretches that are handed out and not yet done, for each core at work.
_AHEAD = 2

#: How long a scheduler is waited for.
_PATIENCE = "10s"

Progress = Callable[[int, int], None]
Choose = Callable[[Pairs], Pairs]

_NOWHERE: Numbers = np.empty(0, np.intp)


@dataclass(frozen=True)
class _Stretch:
    """A part of an overlay by itself. pairs: by their positions among its surfaces. where: of its surfaces on both
    sides of the whole."""

    relation: Relation
    first: Shapes
    second: Shapes
    pairs: Pairs
    where: tuple[Numbers, Numbers]

    def __reduce__(self) -> tuple[Any, ...]:
        """What a worker elsewhere gets: WKB, as short as can be."""
        return _stretch, (self.relation, kernel.packed(self.first), kernel.packed(self.second), self.pairs)


def _stretch(relation: Relation, first: pa.Array, second: pa.Array, pairs: Pairs) -> _Stretch:
    return _Stretch(relation, kernel.unpacked(first), kernel.unpacked(second), pairs, (_NOWHERE, _NOWHERE))


class Spread:
    """Where overlays are done: by so many threads of this process, or by the workers of a client."""

    def __init__(self, threads: int = 1, client: Client | None = None) -> None:
        self._threads, self._client = threads, client

    def overlay(
        self, relation: Relation, first: Shapes, second: Shapes, progress: Progress, choose: Choose | None = None
    ) -> Pieces:
        """The pieces of a relation, in the order of the first side and then of the second.

        progress: hears how many pairs are done, of how many; what it raises ends the work. choose: which of the pairs
        whose boxes meet are of interest.
        """
        pairs = kernel.meeting(first, second)
        if choose is not None:
            pairs = choose(pairs)
        if len(pairs) < LEAST:
            done = kernel.work(relation, first, second, pairs)
            progress(len(pairs), len(pairs))
            return done
        told = _Told(len(pairs), progress)
        stretches = _stretches(relation, first, second, pairs)
        if self._client is None:
            return kernel.together(_here(list(stretches), self._threads, told))
        return kernel.together(list(_elsewhere(self._client, stretches, told)))


@dataclass
class _Told:
    """Adds up what is done, and tells it."""

    total: int
    progress: Progress
    done: int = 0

    def add(self, stretch: _Stretch) -> None:
        """A stretch is done."""
        self.done += len(stretch.pairs)
        self.progress(self.done, self.total)


def _here(stretches: list[_Stretch], number: int, told: _Told) -> list[Pieces]:
    """Have stretches worked on by threads of this process, which share its surfaces."""
    graph = {number: (partial(_work, stretch),) for number, stretch in enumerate(stretches)}

    def after(key: int, *_: Any) -> None:
        told.add(stretches[key])

    # What is called at a start, once it is known, before a task, after it, at the end; the context that dask has for
    # these is the whole process's.
    calls = (None, None, None, after, None)
    done = dask.threaded.get(graph, list(graph), num_workers=number, callbacks=[calls])
    return [_in_the_whole(stretch, part) for stretch, part in zip(stretches, done, strict=True)]


def _elsewhere(client: Client, stretches: Iterator[_Stretch], told: _Told) -> Iterator[Pieces]:
    """Have stretches worked on by a client's workers, so many at a time."""
    from distributed import as_completed

    cores = max(1, sum(client.ncores().values()))
    under_way: dict[Any, _Stretch] = {}
    coming = as_completed(loop=client.loop)

    def following() -> Pieces:
        future = next(coming)
        stretch = under_way.pop(future)
        told.add(stretch)
        return _in_the_whole(stretch, future.result())

    try:
        for stretch in stretches:
            future = client.submit(_work, stretch, pure=False)
            under_way[future] = stretch
            coming.add(future)
            if len(under_way) >= cores * _AHEAD:
                yield following()
        while under_way:
            yield following()
    finally:
        client.cancel(list(under_way))


@contextmanager
def spread() -> Iterator[Spread]:
    """Where large overlays are done. Raises SchedulerAway."""
    address = os.environ.get("SHIKONG_DASK")
    if not address:
        yield Spread(os.cpu_count() or 1)
        return
    from distributed import Client

    try:
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        told = f"no Dask scheduler answers at {address}; start it, or correct SHIKONG_DASK"
        raise SchedulerAway(told) from error
    with client:
        yield Spread(client=client)


def _stretches(relation: Relation, first: Shapes, second: Shapes, pairs: Pairs) -> Iterator[_Stretch]:
    """Cut an overlay along the Hilbert curve. All pairs of a surface of the first side stay together."""
    number = np.bincount(pairs.first, minlength=len(first))
    begins = np.cumsum(number) - number
    order = np.argsort(gpd.GeoSeries(first).hilbert_distance(), kind="stable")
    if relation == "shared":
        order = order[number[order] > 0]
    # What nothing meets is kept whole by `uncovered`; it weighs a little too, lest a stretch holds all of it.
    weight = np.cumsum(number[order] + 1)
    for part in np.split(order, np.searchsorted(weight, np.arange(STRETCH, weight[-1], STRETCH))):
        if not len(part):
            continue
        of = np.sort(part)
        counts = number[of]
        first_in = np.repeat(np.arange(len(of)), counts)
        places = (begins[of] - (np.cumsum(counts) - counts))[first_in] + np.arange(len(first_in))
        others, second_in = np.unique(pairs.second[places], return_inverse=True)
        yield _Stretch(relation, first[of], second[others], Pairs(first_in, second_in), (of, others))


def _work(stretch: _Stretch) -> Pieces:
    """Done by a worker."""
    return kernel.work(stretch.relation, stretch.first, stretch.second, stretch.pairs)


def _in_the_whole(stretch: _Stretch, done: Pieces) -> Pieces:
    """Pieces by their positions in the whole."""
    of, others = stretch.where
    second = done.second if stretch.relation == "uncovered" else others[done.second]
    return replace(done, first=of[done.first], second=second)

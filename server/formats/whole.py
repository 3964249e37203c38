"""Formats that a thread writes to a file, which is then sent: the way between the event loop's rows and that thread.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pyarrow as pa

from shikong.layers.model import Layer
from shikong.providers.crs import ServedCrs
from shikong.server.formats import files

_PIECE = 1 << 18


class _Pull:
    """Batches of the event loop as a thread pulls them, until somebody stops it."""

    def __init__(self, batches: AsyncGenerator[pa.RecordBatch]) -> None:
        self._batches = batches
        self._loop = asyncio.get_running_loop()
        self._reading: asyncio.Task[Any] | None = None
        self._stopped = False
        self.fault: Exception | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """In the thread: the batches. What goes wrong is kept, for Arrow passes on its text alone."""
        try:
            while (batch := asyncio.run_coroutine_threadsafe(self._next(), self._loop).result()) is not None:
                yield batch
        except Exception as error:
            self.fault = error
            raise

    async def _next(self) -> pa.RecordBatch | None:
        if self._stopped:
            raise InterruptedError("nobody waits for the file any more")
        self._reading = asyncio.current_task()
        return await anext(self._batches, None)

    async def stop(self, writing: asyncio.Future[Path]) -> None:
        """In the event loop: end the thread's work and the query that it waits for, and wait until both have ended."""
        self._stopped = True
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await asyncio.wait([writing])
        writing.exception()  # that it was stopped is no news


async def file_chunks(
    batches: AsyncGenerator[pa.RecordBatch], schema: pa.Schema, form: str, layer: Layer, crs: ServedCrs, encoding: str
) -> AsyncGenerator[bytes]:
    """Write batches to a file in a format and give the file's pieces. encoding: of a Shapefile's texts.

    Raises what reading the batches raises, and BadParameter for what the format cannot hold.
    """
    with tempfile.TemporaryDirectory(prefix="shikong-export-") as folder:
        async with aclosing(batches):
            pull = _Pull(batches)
            reader = pa.RecordBatchReader.from_batches(schema, iter(pull))
            writing = asyncio.ensure_future(
                asyncio.to_thread(files.write, form, Path(folder), layer, crs, reader, encoding)
            )
            try:
                path = await asyncio.shield(writing)
            except asyncio.CancelledError:
                await pull.stop(writing)  # before its folder goes
                raise
            except Exception as error:
                if pull.fault is not None and pull.fault is not error:
                    raise pull.fault from error
                raise
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE):
                yield piece

"""Those who prepare batches side by side: threads for a small source, processes for a large one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TypeVar

from shikong.ingest.errors import IngestError
from shikong.store.helpers import end_with_parent

_SERVER = "forkserver"

#: Seconds that a process is kept busy at its start: one that is idle would keep the next from being started.
_STARTING = 0.05

Part = TypeVar("Part")
Done = TypeVar("Done")


class Workers:
    """Threads or processes. While processes are still starting, whoever gives them something to do does it."""

    def __init__(self, executor: Executor, begun: Future[None] | None) -> None:
        self._executor, self._begun = executor, begun

    def give(self, work: Callable[[Part], Done], part: Part) -> Future[Done]:
        """Let one of them do a part of the work."""
        if self._begun is None or self._begun.done():
            return self._executor.submit(work, part)
        done: Future[Done] = Future()
        done.set_result(work(part))
        return done


@contextmanager
def workers(number: int, *, processes: bool) -> Iterator[Workers]:
    """Workers, who are gone at the end; what they have not begun by then is not done.

    Processes end by themselves when this one dies. Raises IngestError when one of them was killed.
    """
    with ExitStack() as stack:
        made = _processes(number) if processes else ThreadPoolExecutor(number)
        stack.callback(made.shutdown, cancel_futures=True)
        begun = None
        if isinstance(made, ProcessPoolExecutor):
            begun = stack.enter_context(ThreadPoolExecutor(1)).submit(_start, made, number)
        try:
            yield Workers(made, begun)
        except BrokenExecutor as error:
            raise IngestError(
                "a process that prepared rows was killed, most likely for want of memory; free some and load again"
            ) from error


def _processes(number: int) -> ProcessPoolExecutor:
    """Processes that come from a small one without threads or sessions, which has imported what they need."""
    context = multiprocessing.get_context(_SERVER)
    context.set_forkserver_preload(["shikong.ingest.prepare"])
    return ProcessPoolExecutor(number, mp_context=context, initializer=end_with_parent)


def _start(processes: ProcessPoolExecutor, number: int) -> None:
    """Start processes, and let them not run the main module again: they need nothing of it, and it is large."""
    main = sys.modules["__main__"]
    file = main.__dict__.pop("__file__", None)
    try:
        for each in [processes.submit(time.sleep, _STARTING) for _ in range(number)]:
            each.result()
    finally:
        if file is not None:
            main.__file__ = file


def return_memory() -> None:
    """Give memory that batches have left free back to the system, where its C library knows how (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)

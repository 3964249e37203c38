"""Those who prepare batches side by side: threads for a small source, processes for a large one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

from shikong.ingest.errors import IngestError

_SERVER = "forkserver"


@contextmanager
def pool(number: int, *, processes: bool) -> Iterator[Executor]:
    """Workers, which are gone at the end; what they have not begun by then is not done.

    Processes end by themselves when this one dies. Raises IngestError when one of them was killed.
    """
    made = _processes(number) if processes else ThreadPoolExecutor(number)
    try:
        yield made
    except BrokenExecutor as error:
        raise IngestError(
            "a process that prepared rows was killed, most likely for want of memory; free some and load again"
        ) from error
    finally:
        made.shutdown(cancel_futures=True)


def _processes(number: int) -> ProcessPoolExecutor:
    """Processes that come from a small one without threads or sessions, which has imported what they need."""
    context = multiprocessing.get_context(_SERVER)
    context.set_forkserver_preload(["shikong.ingest.prepare"])
    return ProcessPoolExecutor(number, mp_context=context, initializer=_end_with_parent)


def _end_with_parent() -> None:
    """Let this process end when the one that uses it is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()


def _end_after(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)

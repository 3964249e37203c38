"""Watched folders: which files have come whole, and where they go afterwards.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from procrastinate.jobs import Job

from shikong.layers.model import Layer
from shikong.store import queue
from shikong.store.database import Database

TAKE = "take"

_DEFERRING = 7_156_003  # any constant; two workers that see the same file would defer it twice


@dataclass(frozen=True)
class Delivery:
    """A file that has come whole into a layer's folder. mtime: nanoseconds, as the file system has it."""

    layer: str
    path: Path
    size: int
    mtime: int

    @property
    def identity(self) -> str:
        """The same for as long as the file stays as it is."""
        return f"{self.layer}:{self.path.name}:{self.size}:{self.mtime}"


@dataclass
class Watch:
    """Looks into the layers' folders.

    A file over a network share grows while it is copied, so it is taken only when its size and its time of
    change have been the same for `still_for` seconds.
    """

    data: Path
    layers: Iterable[Layer]
    still_for: float
    _seen: dict[Path, tuple[Delivery, float]] = field(default_factory=dict)

    def look(self, now: float) -> list[Delivery]:
        """The files that have been still for long enough at `now` (seconds of a clock that never goes back)."""
        found = {delivery.path: delivery for delivery in self._present()}
        self._seen = {
            path: self._seen[path] if path in self._seen and self._seen[path][0] == delivery else (delivery, now)
            for path, delivery in found.items()
        }
        return [delivery for delivery, since in self._seen.values() if now - since >= self.still_for]

    def _present(self) -> Iterator[Delivery]:
        for layer in self.layers:
            if layer.source is None or layer.source.folder is None or layer.source.pattern is None:
                continue
            folder = self.data / layer.source.folder
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob(layer.source.pattern)):
                if path.is_symlink() or not path.is_file() or path.name.startswith("."):
                    continue
                status = path.stat()
                yield Delivery(layer.id, path, status.st_size, status.st_mtime_ns)


def defer(database: Database, delivery: Delivery) -> int | None:
    """Defer the load of a delivery; its number, or None when it has a job already.

    A file has one job as long as it stays as it is: one that was cancelled is not begun again by itself.
    """
    with queue.session(database) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (_DEFERRING,))
        known = conn.execute(
            "SELECT FROM procrastinate_jobs WHERE queueing_lock = %s LIMIT 1", (delivery.identity,)
        ).fetchone()
        if known is not None or not delivery.path.exists():
            return None
        args: dict[str, Any] = {"shown": delivery.path.name, "source": str(delivery.path)}
        job = Job(
            queue="default", task_name=TAKE, lock=delivery.layer, queueing_lock=delivery.identity, task_kwargs=args
        )
        return queue.defer(conn, job)


def where_is(source: Path, job: int) -> Path:
    """Where a job's file is: in the folder, or among the failed when the job is tried again."""
    failed = _place(source, "failed", job)
    return failed if failed.exists() and not source.exists() else source


def put_away(source: Path, where: Literal["done", "failed"], job: int, report: bytes) -> None:
    """Move a job's file out of the watched folder and write the report (JSON) beside it."""
    target = _place(source, where, job)
    target.parent.mkdir(exist_ok=True)
    target.with_name(f"{target.name}.report.json").write_bytes(report)
    os.replace(where_is(source, job), target)


def _place(source: Path, where: str, job: int) -> Path:
    """A name that no other job's file has."""
    return source.parent / where / f"{job}-{source.name}"

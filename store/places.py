"""Where rasters and cubes lie below the data folder, and which release of each is the present one.

A release is written beside the present one and then named by a link that is replaced in one step,
so that a reader sees the old or the new and never half.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection

from shikong.layers.model import Layer
from shikong.store import as_of, locks
from shikong.store.database import Database
from shikong.store.errors import NoSuchRelease, NotKept, NotPublished, Unreadable
from shikong.store.principal import current_principal

_SUFFIX = {"coverage": ".tif", "cube": ".zarr"}


def folder(data: Path, layer: Layer) -> Path:
    """The folder of a layer's releases."""
    return data / ("rasters" if layer.kind == "coverage" else "cubes") / layer.id


def new(data: Path, layer: Layer) -> Path:
    """A place for a release that is being written."""
    place = folder(data, layer) / f"{uuid.uuid4().hex}{_SUFFIX[layer.kind]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def publish(data: Path, layer: Layer, place: Path) -> None:
    """Make a written release the present one."""
    link = folder(data, layer) / f"current{_SUFFIX[layer.kind]}"
    fresh = link.with_name(f".{place.name}.link")
    fresh.symlink_to(place.name)
    os.replace(fresh, link)


def rollback(conn: Connection[Any], data: Path, layer: Layer, release: int) -> int:
    """Make a release's raster or cube the present one again, as a new release; returns its number.

    A load that is under way is waited for. Raises NoSuchRelease, also when the files are no longer there.
    """
    with locks.loading(conn, layer.id), conn.transaction():
        as_of.require_release(conn, layer, release)
        fresh, place = conn.execute(
            _RESTORE, {"release": release, "principal": current_principal.get().name}
        ).fetchone()  # type: ignore[misc]
        if not (data / place).exists():
            raise NoSuchRelease(f"the files of release {release} are not at {data / place} any more")
        publish(data, layer, data / place)
    return int(fresh)


_RESTORE = """
    INSERT INTO shikong.release (
        layer, source, source_sha256, source_crs, datum_note, origin, principal, kind, restores, place, extent,
        time_from, time_to, rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged, current_rows
    )
    SELECT layer, source, source_sha256, source_crs, datum_note, origin, %(principal)s, 'rollback', id, place, extent,
        time_from, time_to, rows_read, rows_stored, 0, 0, 1, 0, 0, current_rows
    FROM shikong.release WHERE id = %(release)s
    RETURNING id, place
"""


def current(data: Path, layer: Layer) -> Path:
    """The present release. Raises NotPublished, and Unreadable where its files have vanished."""
    link = folder(data, layer) / f"current{_SUFFIX[layer.kind]}"
    if not link.exists():
        if link.is_symlink():
            raise Unreadable(f"the files of {layer.id} have vanished; load it again, or go back to an earlier release")
        raise NotPublished(f"nothing has been published for {layer.id} yet; load it with `shikong ingest`")
    return link.resolve()


def at(store: Database, layer: Layer, moment: datetime | None) -> Path:
    """The release that is asked for: the present one, or the one that was it at a time. Raises as `known` does."""
    if moment is None:  # asks nothing of the database
        return current(store.settings.data, layer)
    with store.thread_session() as conn:
        return known(conn, store.settings.data, layer, moment)


def known(conn: Connection[Any], data: Path, layer: Layer, moment: datetime | None) -> Path:
    """The release that was the present one at a time, or is it now. Raises NotPublished before the first, NotKept
    without files."""
    if moment is None:
        return current(data, layer)
    row = conn.execute(
        "SELECT id, place FROM shikong.release WHERE layer = %s AND published_at <= %s ORDER BY id DESC LIMIT 1",
        (layer.id, moment),
    ).fetchone()
    if row is None:
        raise NotPublished(f"nothing of {layer.id} was known at {moment.isoformat()}; its first release came later")
    release, path = row
    place: Path = data / path
    if not place.exists():
        raise NotKept(f"the files of release {release}, known at {moment.isoformat()}, are not kept any more")
    return place

"""The layers that figures are from, and whether any of them are samples.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.processes.figures.table import Row
from shikong.processes.moments import releases_of
from shikong.store.moments import Moment

_RELEASE = "SELECT published_at, origin FROM shikong.release WHERE id = %(release)s"


def sources_of(
    conn: Connection[Any], city: Catalog, layers: Iterable[str], moment: Moment
) -> tuple[list[Row], dict[str, str] | None]:
    """The layers with the release of each, and what samples are called where one of them is a sample."""
    origins = city.codes["data_origin"].codes
    found, sample = [], None
    for name, release in releases_of(conn, map(city.layer, layers), moment).items():
        layer = city.layer(name)
        published, origin = conn.execute(_RELEASE, {"release": release}).fetchone() or (None, None)
        if origin == "generated":
            sample = origins[origin].title.model_dump()
        found.append({
            "layer": name, "title": layer.title.model_dump(), "release": release,
            "published": published.isoformat(timespec="seconds") if published else None,
            "origin": origins[origin].title.model_dump() if origin else None,
        })  # fmt: skip
    return found, sample

"""How answers of hydrology are put together: tables with where, when and which releases.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from psycopg import Connection

from shikong.layers.catalog import Catalog
from shikong.layers.declared import Text
from shikong.processes.base import Process, Rendering
from shikong.processes.figures import charts, page, text, workbook
from shikong.processes.figures.sources import sources_of
from shikong.processes.figures.table import Table
from shikong.processes.hydrology import readings
from shikong.store.moments import Moment


class Series(Process):
    """A process that answers with tables of readings."""

    renderings: ClassVar[Mapping[str, Rendering]] = {
        "csv": text.CSV, "xlsx": workbook.XLSX, "svg": charts.SVG, "html": page.HTML,
    }  # fmt: skip

    def told(
        self, subtitle: Text, tables: Mapping[str, Table], sources: tuple[list[dict[str, Any]], dict[str, str] | None]
    ) -> dict[str, Any]:
        """The answer. sources: as `sources` tells them."""
        return {
            "title": self.title.model_dump(), "subtitle": subtitle.model_dump(), "label": sources[1],
            "tables": {name: each.told for name, each in tables.items()}, "sources": sources[0],
        }  # fmt: skip


def sources(
    conn: Connection[Any], city: Catalog, moment: Moment, layers: Iterable[str], *, generated: bool = False
) -> tuple[list[dict[str, Any]], dict[str, str] | None]:
    """The releases of some layers and of the stations, and what samples are called where one of them is a sample.

    generated: something else in the answer is one, such as a declared curve.
    """
    found, label = sources_of(conn, city, dict.fromkeys([*layers, readings.STATIONS]), moment)
    if generated and label is None:
        label = city.codes["data_origin"].codes["generated"].title.model_dump()
    return found, label


def span(first: str, last: str) -> str:
    """A stretch of time as text."""
    return f"{first.replace('T', ' ')[:16]} ~ {last.replace('T', ' ')[:16]}"

"""Features as text: JSON-FG, lines of GeoJSON, CSV.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from typing import Any

import orjson

from shikong.layers.model import Layer
from shikong.providers.crs import CRS84, ServedCrs

Row = tuple[Any, ...]

CORE = "http://www.opengis.net/spec/json-fg-1/1.0/conf/core"


class GeoJSONLines:
    """Each feature as GeoJSON on a line of its own. columns: the properties, in the rows after id and geometry."""

    def __init__(self, columns: tuple[str, ...]) -> None:
        self._columns = columns

    def write(self, rows: list[Row]) -> bytes:
        """Some lines."""
        return b"".join(
            orjson.dumps(
                {
                    "type": "Feature", "id": row[0], "geometry": None if row[1] is None else orjson.Fragment(row[1]),
                    "properties": dict(zip(self._columns, row[2:], strict=False)),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        )  # fmt: skip

    def finish(self) -> bytes:
        """Lines have no end."""
        return b""


class JSONFG:
    """OGC Features and Geometries JSON: GeoJSON with the time in which each feature holds, and in any CRS.

    What is not in CRS84 stands in `place`, since `geometry` is CRS84 by definition.
    columns: the properties, in the rows after id and geometry; after them come those that tell the time.
    """

    def __init__(self, layer: Layer, crs: ServedCrs, columns: tuple[str, ...]) -> None:
        self._shown = columns
        self._role = "geometry" if crs.uri == CRS84 else "place"
        self._layer = layer
        self._crs = crs
        self._start, self._end = time_fields(layer)
        self._columns = tuple(dict.fromkeys([*columns, *(name for name in time_fields(layer) if name)]))
        self._number = 0

    def write(self, rows: list[Row]) -> bytes:
        """Some features, and before the first what all have in common."""
        head = b"," if self._number else self._head()
        self._number += len(rows)
        return head + b",\n".join(orjson.dumps(self._feature(row)) for row in rows)

    def finish(self, links: list[dict[str, str]] | None = None) -> bytes:
        """The end, which tells the number and what only the end can know."""
        tail = {"numberReturned": self._number, "timeStamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
        text = orjson.dumps(tail | {"links": links or []})
        return (b"" if self._number else self._head()) + b"]," + text[1:]

    def _head(self) -> bytes:
        head: dict[str, Any] = {"type": "FeatureCollection", "conformsTo": [CORE], "featureType": self._layer.id}
        head["coordRefSys"] = self._crs.uri
        return orjson.dumps(head)[:-1] + b',"features":['

    def _feature(self, row: Row) -> dict[str, Any]:
        values = dict(zip(self._columns, row[2:], strict=False))
        geometry = None if row[1] is None else orjson.Fragment(row[1])
        feature = {
            "type": "Feature", "id": row[0], "time": self._time(values), "place": None, "geometry": None,
            "properties": {name: values[name] for name in self._shown},
        }  # fmt: skip
        feature[self._role] = geometry
        return feature

    def _time(self, values: dict[str, Any]) -> dict[str, Any] | None:
        if self._start is None:
            return None
        start = values[self._start]
        if self._end is None:
            return None if start is None else {_kind(start): _moment(start)}
        return {"interval": [_moment(start), _moment(values[self._end])]}


def time_fields(layer: Layer) -> tuple[str | None, str | None]:
    """The properties that say since when and until when a feature holds."""
    if layer.versioned:
        return "valid_from", "valid_to"
    return (layer.time.start, layer.time.end) if layer.time else (None, None)


def _kind(moment: date) -> str:
    return "timestamp" if isinstance(moment, datetime) else "date"


def _moment(moment: date | None) -> str:
    """A time as JSON-FG has it: in UTC, open ends as two dots."""
    if moment is None:
        return ".."
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return moment.isoformat()


class CSV:
    """A table for spreadsheets: the properties, then the geometry as WKT, x first; points also in two columns.

    It begins with a byte order mark, without which spreadsheets in Chinese take UTF-8 for GBK.
    """

    def __init__(self, layer: Layer, crs: ServedCrs, columns: tuple[str, ...], geometry: bool) -> None:
        degrees = crs.decimals > 3
        self._axes = ("lon", "lat") if degrees else ("x", "y")
        self._points = geometry and layer.geometry == "Point" and not set(self._axes) & set(columns)
        self._geometry, self._number = geometry, len(columns)
        self._header = [*columns, *(self._axes if self._points else ()), *(["wkt"] if geometry else ())]
        self._begun = False

    def write(self, rows: list[Row]) -> bytes:
        """Some lines, and before the first the header."""
        text = io.StringIO()
        writer = csv.writer(text)
        if not self._begun:
            text.write("\ufeff")
            writer.writerow(self._header)
            self._begun = True
        writer.writerows(map(self._line, rows))
        return text.getvalue().encode()

    def finish(self) -> bytes:
        """The header where there were no rows."""
        return b"" if self._begun else self.write([])

    def _line(self, row: Row) -> list[Any]:
        line = [_cell(value) for value in row[2 : 2 + self._number]]
        if self._points:
            line += row[1][len("POINT(") : -1].split(" ") if row[1] else ["", ""]
        return [*line, row[1]] if self._geometry else line


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else value

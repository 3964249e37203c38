"""Tables with coordinates: CSV and other delimited text, and JSON lists of records.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv
import shapely

from shikong.ingest.errors import EmptySource, UnknownCrs, UnreadableSource
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, Geometries, object_array

SUFFIXES = (".csv", ".tsv", ".txt")

#: Column names that say by themselves that they hold degrees, and names that do not.
_LONGITUDE = ("lon", "lng", "long", "longitude", "lgtd", "经度", "gauge_lon", "dec_long_va")
_LATITUDE = ("lat", "latitude", "lttd", "纬度", "gauge_lat", "dec_lat_va")
_X = ("x", "x_coord", "easting", "横坐标")
_Y = ("y", "y_coord", "northing", "纵坐标")
_WKT = ("wkt", "geometry", "geom", "the_geom")


def open_source(path: Path) -> FeatureSource:
    """Open a table. Raises UnreadableSource, EmptySource, and UnknownCrs when no column holds places."""
    frame = read_frame(path)
    shapes, geographic = _geometry(path, frame)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(frame), BATCH_ROWS):
            part = slice(start, start + BATCH_ROWS)
            yield Batch(start + 1, frame.iloc[part].reset_index(drop=True), shapes[part])

    return FeatureSource("table", None, [str(name) for name in frame.columns], len(frame), batches, geographic)


def read_frame(path: Path) -> pd.DataFrame:
    """The rows of a delimited text or JSON list; every value of a text file stays text."""
    text = _decode(path)
    frame = _json_frame(path, text) if path.suffix.lower() == ".json" else _text_frame(path, text)
    if frame.empty:
        raise EmptySource(f"{path.name} has no rows")
    return frame


def is_record_list(path: Path) -> bool:
    """Whether a .json file is a list of records (and not GeoJSON)."""
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _decode(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableSource(f"{path.name} is neither UTF-8 nor GB18030 text")


def _json_frame(path: Path, text: str) -> pd.DataFrame:
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableSource(f"{path.name} is not valid JSON: line {error.lineno}: {error.msg}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UnreadableSource(f"{path.name} is neither GeoJSON nor a list of records")
    return pd.DataFrame.from_records(records)


def _text_frame(path: Path, text: str) -> pd.DataFrame:
    """Delimited text below any leading comments. A line with too few or too many cells makes the file unreadable."""
    lines = iter(text.splitlines())
    head = next((line for line in lines if line.strip() and not line.startswith("#")), None)
    if head is None:
        raise EmptySource(f"{path.name} is empty")
    delimiter = max(",;\t|", key=head.count)
    if delimiter not in head:
        raise UnreadableSource(f"{path.name} is not a delimited table: its first line has one column")
    body = text[text.index(head) + len(head) :].lstrip("\r\n")
    if _is_rdb_format_line(next(lines, ""), delimiter):
        body = body.partition("\n")[2]
    names = next(csv.reader([head], delimiter=delimiter))
    try:
        rows = pyarrow.csv.read_csv(
            io.BytesIO(body.encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=names),
            parse_options=pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pyarrow.string()), null_values=[""], strings_can_be_null=True
            ),
        )
    except pyarrow.ArrowInvalid as error:
        if not body.strip():
            raise EmptySource(f"{path.name} has no rows") from error
        raise UnreadableSource(f"{path.name} is not a regular table: {error}") from error
    return rows.to_pandas()  # type: ignore[no-any-return]


def _is_rdb_format_line(line: str, delimiter: str) -> bool:
    """USGS RDB files give widths such as `5s` in the second line."""
    cells = line.split(delimiter)
    return len(cells) > 1 and all(cell[:-1].isdigit() and cell[-1:] in "sdn" for cell in cells if cell)


def _geometry(path: Path, frame: pd.DataFrame) -> tuple[Geometries, bool]:
    names = {str(name).strip().lower(): name for name in frame.columns}
    for xs, ys, geographic in ((_LONGITUDE, _LATITUDE, True), (_X, _Y, False)):
        x = next((names[name] for name in xs if name in names), None)
        y = next((names[name] for name in ys if name in names), None)
        if x is not None and y is not None:
            eastings, northings = _numbers(frame[x]), _numbers(frame[y])
            points = object_array(shapely.points(eastings, northings))
            points[~(np.isfinite(eastings) & np.isfinite(northings))] = None
            return points, geographic
    for name in _WKT:
        if name in names:
            texts = frame[names[name]].astype(object)
            return object_array(shapely.from_wkt(texts.where(texts.notna(), None), on_invalid="ignore")), False
    for name in frame.columns:
        if frame[name].map(_is_position).all():
            return object_array(shapely.points([value[:2] for value in frame[name]])), True
    raise UnknownCrs(
        f"{path.name} has no columns with places; name them lon and lat, x and y, or wkt. "
        f"It has: {', '.join(str(name) for name in frame.columns)}"
    )


def _numbers(column: pd.Series[Any]) -> Any:
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)


def _is_position(value: object) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(isinstance(part, int | float) for part in value)

"""Tables with coordinates: CSV and other delimited text, and JSON lists of records.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from shikong.ingest.errors import EmptySource, UnreadableSource, UnsafeSource
from shikong.ingest.readers import positions
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource

SUFFIXES = (".csv", ".tsv", ".txt")

#: A cell that a spreadsheet would compute: =A1*2, +SUM(A1), -1+cmd|'x'!A1. Numbers, "-" and "+86 635" are none.
_FORMULA = r"^\s*(=\s*[^\s=]|[+\-@]\s*[A-Za-z_.][\w.]*\s*\(|[+\-@].*\|.*!)"

_BLOCK_BYTES = 8 * 2**20


def open_source(path: Path) -> FeatureSource:
    """Open a table.

    Raises UnreadableSource, EmptySource, UnsafeSource (formula cells), and UnknownCrs when no column holds places.
    """
    return _json_source(path) if path.suffix.lower() == ".json" else _text_source(path)


def read_frame(path: Path) -> pd.DataFrame:
    """The rows of a delimited text or JSON list; every value of a text file stays text."""
    if path.suffix.lower() == ".json":
        return _json_frame(path)
    layout = _layout(path)
    rows: list[pd.DataFrame] = [batch.to_pandas() for batch in _text_batches(path, layout)]
    if not rows:
        raise EmptySource(f"{path.name} has no rows")
    return pd.concat(rows, ignore_index=True)


def is_record_list(path: Path) -> bool:
    """Whether a .json file is a list of records (and not GeoJSON)."""
    with path.open("rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def text_encoding(path: Path) -> str:
    """`utf-8-sig` or `gb18030`, whichever the whole file is. Raises UnreadableSource when it is neither."""
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise UnreadableSource(f"{path.name} is neither UTF-8 nor GB18030 text")


def _json_source(path: Path) -> FeatureSource:
    frame = _json_frame(path)
    places = positions.find(path.name, frame)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(frame), BATCH_ROWS):
            part = frame.iloc[start : start + BATCH_ROWS].reset_index(drop=True)
            yield Batch(start + 1, part, places.shapes(part))

    return FeatureSource("table", None, [str(name) for name in frame.columns], len(frame), batches, places.geographic)


def _json_frame(path: Path) -> pd.DataFrame:
    try:
        records = json.loads(path.read_text(encoding=text_encoding(path)))
    except json.JSONDecodeError as error:
        raise UnreadableSource(f"{path.name} is not valid JSON: line {error.lineno}: {error.msg}") from error
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise UnreadableSource(f"{path.name} is neither GeoJSON nor a list of records")
    if not records:
        raise EmptySource(f"{path.name} has no rows")
    return pd.DataFrame.from_records(records)


@dataclass(frozen=True)
class _Layout:
    """How a delimited text is laid out. start: the byte at which the rows begin."""

    encoding: str
    delimiter: str
    names: list[str]
    start: int


def _text_source(path: Path) -> FeatureSource:
    """A delimited text, read twice: once to check and count all its rows, once for the rows themselves."""
    layout = _layout(path)
    head: pd.DataFrame | None = None
    total = 0
    for rows in _text_batches(path, layout):
        head = rows.slice(0, 100).to_pandas() if head is None else head
        total += len(rows)
    if head is None:
        raise EmptySource(f"{path.name} has no rows")
    places = positions.find(path.name, head)

    def batches() -> Iterator[Batch]:
        row = 1
        for rows in _text_batches(path, layout):
            frame = rows.to_pandas()
            yield Batch(row, frame, places.shapes(frame))
            row += len(frame)

    return FeatureSource("table", None, layout.names, total, batches, places.geographic)


def _layout(path: Path) -> _Layout:
    """The first line below leading comments names the columns and shows the delimiter."""
    encoding = text_encoding(path)
    with path.open("rb") as file:
        lines = ((line, file.tell()) for line in iter(file.readline, b""))
        decoded = ((line.decode(encoding).rstrip("\r\n"), after) for line, after in lines)
        head, start = next(((line, after) for line, after in decoded if line.strip() and line[0] != "#"), ("", 0))
        second, after_second = next(decoded, ("", start))
    if not head:
        raise EmptySource(f"{path.name} is empty")
    delimiter = max(",;\t|", key=head.count)
    if delimiter not in head:
        raise UnreadableSource(f"{path.name} is not a delimited table: its first line has one column")
    names = next(csv.reader([head], delimiter=delimiter))
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise UnreadableSource(f"{path.name} has two columns called {repeated[0]!r}; give each a name of its own")
    return _Layout(encoding, delimiter, names, after_second if _is_rdb_format_line(second, delimiter) else start)


def _is_rdb_format_line(line: str, delimiter: str) -> bool:
    """USGS RDB files give widths such as `5s` in the second line."""
    cells = line.split(delimiter)
    return len(cells) > 1 and all(cell[:-1].isdigit() and cell[-1:] in "sdn" for cell in cells if cell)


def _text_batches(path: Path, layout: _Layout) -> Iterator[pa.RecordBatch]:
    """The rows as text, in batches of at most BATCH_ROWS. A line with too few or too many cells is an error."""
    row = 1
    with path.open("rb") as file:
        file.seek(layout.start)
        if not any(line.strip() for line in file):
            return
        file.seek(layout.start)
        try:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(file, mode="r"),
                read_options=pyarrow.csv.ReadOptions(
                    column_names=layout.names, block_size=_BLOCK_BYTES,
                    encoding="utf8" if layout.encoding == "utf-8-sig" else layout.encoding,
                ),
                parse_options=pyarrow.csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(layout.names, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )  # fmt: skip
            for block in reader:
                for start in range(0, len(block), BATCH_ROWS):
                    part = block.slice(start, BATCH_ROWS)
                    _refuse_formulas(path, part, row)
                    yield part
                    row += len(part)
        except pa.ArrowInvalid as error:
            raise UnreadableSource(f"{path.name} is not a regular table, near row {row}: {error}") from error


def _refuse_formulas(path: Path, rows: pa.RecordBatch, first_row: int) -> None:
    """A formula's value is not in the file, and it would run for whoever opens the layer in a spreadsheet."""
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        found = pc.index(pc.match_substring_regex(column, _FORMULA), value=True).as_py()
        if found >= 0:
            raise UnsafeSource(
                f"{path.name}, row {first_row + found}, column {name}: {column[found].as_py()[:60]!r} is a formula, "
                "not a value; save the table with values only"
            )

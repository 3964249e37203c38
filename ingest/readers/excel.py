"""Spreadsheets with coordinates: .xlsx, .xls and .ods.

The names of the columns stand below title rows, sometimes in two rows with merged cells: 坐标 over 经度 and 纬度
becomes 坐标/经度.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook

from shikong.ingest.errors import EmptySource, UnreadableSource
from shikong.ingest.readers import archive, frames
from shikong.ingest.readers.base import FeatureSource

SUFFIXES = (".xlsx", ".xls", ".ods")

#: Rows from the top among which the names of the columns are looked for.
_HEADER_WITHIN = 30

_Row = list[Any]
_Range = tuple[tuple[int, int], tuple[int, int]]


def open_source(path: Path, sheet: str | None) -> FeatureSource:
    """Open a sheet of a workbook.

    sheet: its name, needed when several sheets have rows.
    Raises UnreadableSource, UnsafeSource, EmptySource, and UnknownCrs when no column holds places.
    """
    return frames.source_of(read_frame(path, sheet), "spreadsheet", path.name)


def sheets(path: Path) -> list[str]:
    """The names of a workbook's sheets. Raises UnreadableSource, UnsafeSource."""
    return list(_book(path).sheet_names)


def read_frame(path: Path, sheet: str | None) -> pd.DataFrame:
    """The rows of a sheet below its header; empty rows are left out, whole numbers are integers."""
    chosen, rows = _choose_sheet(path, sheet)
    header = _header(rows, chosen.merged_cell_ranges or [])
    names = _names(path, header)
    body = [[_value(cell) for cell in row] for row in rows[header.last + 1 :] if any(not _empty(cell) for cell in row)]
    if not body:
        raise EmptySource(f"{path.name} has no rows below its header {', '.join(names.values())}")
    return pd.DataFrame({name: [row[column] for row in body] for column, name in names.items()}, dtype=object)


def _choose_sheet(path: Path, sheet: str | None) -> tuple[CalamineSheet, list[_Row]]:
    book = _book(path)
    try:
        if sheet is not None and sheet not in book.sheet_names:
            raise UnreadableSource(f"{path.name} has no sheet {sheet!r}; it has: {', '.join(book.sheet_names)}")
        names = book.sheet_names if sheet is None else [sheet]
        sheets = [(found, found.to_python(skip_empty_area=False)) for found in map(book.get_sheet_by_name, names)]
    except CalamineError as error:
        raise UnreadableSource(f"{path.name} cannot be read as a spreadsheet: {error}") from error
    filled = [(found, rows) for found, rows in sheets if any(not _empty(cell) for row in rows for cell in row)]
    if not filled:
        raise EmptySource(f"{path.name} has no rows")
    if len(filled) > 1:
        names = [found.name for found, _ in filled]
        raise UnreadableSource(f"{path.name} has several sheets; choose one with --source-layer: {', '.join(names)}")
    return filled[0]


def _book(path: Path) -> CalamineWorkbook:
    if path.suffix.lower() != ".xls":
        archive.check(path)
    try:
        return CalamineWorkbook.from_path(path)
    except CalamineError as error:
        raise UnreadableSource(f"{path.name} cannot be read as a spreadsheet: {error}") from error


@dataclass(frozen=True)
class _Header:
    """The rows that name the columns, merged cells filled in. last: index of the last of them."""

    rows: list[_Row]
    last: int


def _header(rows: list[_Row], merged: list[_Range]) -> _Header:
    """The first row that is about as full as the fullest; with merged cells it goes on below.

    A title fills one cell, merged over the width of the table.
    """
    spread = [_spread(row, index, merged) for index, row in enumerate(rows[:_HEADER_WITHIN])]
    texts = [{str(cell).strip() for cell in row if not _empty(cell)} for row in spread]
    widest = max(map(len, texts))
    first = next(index for index, different in enumerate(texts) if len(different) * 2 > widest)
    last = first
    for (start_row, start_column), (end_row, end_column) in merged:
        if start_row == first:
            over_columns = end_column > start_column and end_row == first
            last = max(last, end_row, first + 1 if over_columns and first + 1 < len(rows) else first)
    return _Header(spread[first : last + 1], last)


def _spread(row: _Row, index: int, merged: list[_Range]) -> _Row:
    """A row with the value of a cell merged over columns in each of them."""
    filled = list(row)
    for (start_row, start_column), (_, end_column) in merged:
        if start_row == index:
            filled[start_column : end_column + 1] = [row[start_column]] * (end_column - start_column + 1)
    return filled


def _names(path: Path, header: _Header) -> dict[int, str]:
    """Index of a column -> its name; columns without one are left out."""
    names: dict[int, str] = {}
    for column in range(len(header.rows[0])):
        parts = [str(row[column]).strip() for row in header.rows if not _empty(row[column])]
        name = "/".join(part for index, part in enumerate(parts) if index == 0 or part != parts[index - 1])
        if name and name in names.values():
            raise UnreadableSource(f"{path.name} has two columns called {name!r}; give each a name of its own")
        if name:
            names[column] = name
    return names


def _empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _value(cell: Any) -> Any:
    """A cell's value: None for an empty one, an integer for a whole number (codes are stored as numbers)."""
    if _empty(cell):
        return None
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53 else cell

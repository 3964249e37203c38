"""From a source's columns to a layer's declared fields, row by row accountable.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from shikong.ingest.errors import IngestError
from shikong.ingest.quality.findings import Finding
from shikong.layers.catalog import Catalog
from shikong.layers.model import FieldDecl, Layer

_TRUE = frozenset({"true", "t", "1", "yes", "y", "是"})
_FALSE = frozenset({"false", "f", "0", "no", "n", "否"})

#: Columns that every source may have besides the declared fields.
_COMMON = {"origin": (), "valid_from": ("begin", "生效日期"), "valid_to": ("end", "失效日期")}


@dataclass
class Converted:
    """Rows in declared fields; `keep` is False for those that were rejected."""

    values: dict[str, Any]
    keep: np.ndarray[Any, np.dtype[np.bool_]]
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True)
class Mapping:
    """Which source column feeds which field, and which source columns nobody asked for."""

    columns: dict[str, str]
    unused: tuple[str, ...]


def map_fields(layer: Layer, source_fields: list[str], chosen: dict[str, str]) -> Mapping:
    """Pair source columns with declared fields by name or alias, without regard to case.

    chosen: field -> source column as the operator gave it; it wins.
    Raises IngestError when a chosen column or field does not exist, or a required field has no column.
    """
    by_name = {name.strip().lower(): name for name in reversed(source_fields)}
    wanted: dict[str, Iterable[str]] = {
        name: decl.aliases for name, decl in layer.fields.items() if decl.derived is None
    }
    wanted |= {name: aliases for name, aliases in _COMMON.items() if name == "origin" or layer.versioned}
    columns: dict[str, str] = {}
    for name, source in chosen.items():
        if name not in wanted:
            raise IngestError(f"--map {name}={source}: {layer.id} has no field {name!r}; fields: {', '.join(wanted)}")
        if source not in source_fields:
            raise IngestError(f"--map {name}={source}: the source has no column {source!r}; {_listed(source_fields)}")
        columns[name] = source
    for name, aliases in wanted.items():
        match = next((by_name[alias.lower()] for alias in (name, *aliases) if alias.lower() in by_name), None)
        if name not in columns and match is not None:
            columns[name] = match
    missing = [name for name, decl in layer.fields.items() if decl.required and not decl.key and name not in columns]
    if missing:
        raise IngestError(
            f"no column for the required field {missing[0]!r} of {layer.id}; "
            f"name it with --map {missing[0]}=COLUMN. {_listed(source_fields)}"
        )
    return Mapping(columns, tuple(name for name in source_fields if name not in columns.values()))


def _listed(fields: list[str]) -> str:
    return f"The source has: {', '.join(fields)}"


def convert(catalog: Catalog, layer: Layer, mapping: Mapping, frame: pd.DataFrame, first_row: int) -> Converted:
    """Convert one batch to the declared types; a value that does not fit rejects its row."""
    done = Converted({}, np.ones(len(frame), dtype=bool))
    zone = ZoneInfo(catalog.city.timezone)
    for name, decl in layer.fields.items():
        if decl.derived is not None:
            continue
        if name not in mapping.columns:
            done.values[name] = np.full(len(frame), None, dtype=object)
            continue
        raw = frame[mapping.columns[name]]
        values, bad = _typed(raw, decl, zone)
        _reject(done, bad, first_row, f"not_a_{decl.type}", name, raw)
        if decl.codes:
            values = _coded(catalog, decl, values)
            unknown = ~(_missing(values) | pd.Series(values).isin(catalog.codes[decl.codes].codes).to_numpy())
            _reject(done, unknown, first_row, f"not_in_code_list:{decl.codes}", name, raw)
        if decl.required and not decl.key:
            _reject(done, _missing(values) & ~bad, first_row, "required", name, raw)
        done.values[name] = values
    _common_columns(done, layer, mapping, frame, first_row, zone)
    return done


def _common_columns(
    done: Converted, layer: Layer, mapping: Mapping, frame: pd.DataFrame, first_row: int, zone: ZoneInfo
) -> None:
    if "origin" in mapping.columns:
        done.values["origin"] = np.where(frame[mapping.columns["origin"]] == "generated", "generated", "delivered")
    if layer.versioned:
        for name in ("valid_from", "valid_to"):
            if name in mapping.columns:
                raw = frame[mapping.columns[name]]
                values, bad = _datetimes(raw, zone)
                _reject(done, bad, first_row, "not_a_datetime", name, raw)
                done.values[name] = values
        _check_versions(done, mapping, frame, first_row)


def _check_versions(done: Converted, mapping: Mapping, frame: pd.DataFrame, first_row: int) -> None:
    """A version needs a start, and an end after it."""
    starts, ends = done.values.get("valid_from"), done.values.get("valid_to")
    if starts is not None:
        _reject(
            done,
            _missing(starts) & done.keep,
            first_row,
            "required",
            "valid_from",
            frame[mapping.columns["valid_from"]],
        )
    if starts is not None and ends is not None:
        pairs = zip(starts, ends, strict=True)
        ended = np.array([bool(start and end and end <= start) for start, end in pairs], dtype=bool)
        _reject(done, ended, first_row, "ends_before_it_starts", "valid_to", frame[mapping.columns["valid_to"]])


def _typed(raw: pd.Series[Any], decl: FieldDecl, zone: ZoneInfo) -> tuple[Any, Any]:
    if decl.type == "string":
        return _strings(raw)
    if decl.type in ("integer", "number"):
        return _numbers(raw, whole=decl.type == "integer")
    if decl.type == "boolean":
        return _booleans(raw)
    values, bad = _datetimes(raw, zone)
    if decl.type == "date":
        values = _objects([None if value is None else value.date() for value in values])
    return values, bad


def _strings(raw: pd.Series[Any]) -> tuple[Any, Any]:
    if pd.api.types.is_float_dtype(raw):
        whole = raw.dropna()
        if (whole == whole.round()).all():
            raw = raw.astype("Int64")  # codes such as 371502 that a tool has stored as numbers
    if isinstance(raw.dtype, pd.StringDtype):
        texts = pa.array(raw, pa.large_string(), from_pandas=True)
    else:
        values, which = _distinct(raw)
        texts = pa.array([None if pd.isna(value) else str(value) for value in values], pa.large_string()).take(which)
    texts = pc.utf8_trim_whitespace(texts)
    bad = pc.fill_null(pc.match_substring(texts, "\0"), False)  # PostgreSQL has no place for it
    texts = pc.if_else(pc.or_(bad, pc.equal(texts, "")), None, texts)
    return texts.to_numpy(zero_copy_only=False), bad.to_numpy(zero_copy_only=False)


def _distinct(raw: pd.Series[Any]) -> tuple[list[Any], Any]:
    """A column's different values, and for each row which one it has: most columns have few."""
    codes, values = pd.factorize(raw, use_na_sentinel=False)
    return values.tolist(), codes


def _numbers(raw: pd.Series[Any], *, whole: bool) -> tuple[Any, Any]:
    numbers = pd.to_numeric(raw, errors="coerce")
    filled = raw.notna() & (raw.astype(str).str.strip() != "")
    plain = numbers.to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(plain)
    bad = (filled & ~finite).to_numpy(dtype=bool)
    if whole:
        known = np.where(finite, plain, 0)
        bad = bad | (known % 1 != 0) | (np.abs(known) >= 2**63)  # a bigint holds no more
    good = finite & ~bad
    cast = int if whole else float
    return _objects([cast(value) if ok else None for value, ok in zip(numbers.tolist(), good, strict=True)]), bad


def _booleans(raw: pd.Series[Any]) -> tuple[Any, Any]:
    words = raw.astype(str).str.strip().str.lower()
    filled = (raw.notna() & (words != "")).to_numpy(dtype=bool)
    words = words.str.removesuffix(".0")
    true, false = words.isin(_TRUE).to_numpy(dtype=bool), words.isin(_FALSE).to_numpy(dtype=bool)
    values = [(True if yes else False if no else None) for yes, no in zip(filled & true, filled & false, strict=True)]
    return _objects(values), filled & ~true & ~false


def _datetimes(raw: pd.Series[Any], zone: ZoneInfo) -> tuple[Any, Any]:
    """Times with a zone; a time that gives none is the city's own."""
    values, which = _distinct(raw)
    filled = np.array([not pd.isna(value) and str(value).strip() != "" for value in values], dtype=bool)
    stamps = _objects([moment(value, zone) if ok else None for value, ok in zip(values, filled, strict=True)])
    bad = filled & _missing(stamps)
    return stamps[which], bad[which]


def moment(value: Any, zone: tzinfo) -> Any:
    """A time with a zone, None for what is not a time. A time that gives no zone is the city's own."""
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError):
        return None
    if pd.isna(stamp):
        return None
    return (stamp.tz_localize(zone) if stamp.tzinfo is None else stamp).to_pydatetime(warn=False)


def _coded(catalog: Catalog, decl: FieldDecl, values: Any) -> Any:
    """Codes as they are; an alias or a title of a code, in either language, stands for the code."""
    codes = catalog.codes[decl.codes or ""].codes
    other = {name: code for code, entry in codes.items() for name in (entry.title.zh, entry.title.en, *entry.aliases)}
    which, found = pd.factorize(values)
    return _objects([*(value if value in codes else other.get(value, value) for value in found), None])[which]


def _objects(values: list[Any]) -> Any:
    """A one-dimensional array of Python objects."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _missing(values: Any) -> Any:
    return np.asarray(pd.isna(values), dtype=bool)


def _reject(done: Converted, bad: Any, first_row: int, rule: str, name: str | None, raw: pd.Series[Any] | None) -> None:
    for index in np.flatnonzero(bad):
        value = None if raw is None or pd.isna(raw.iloc[index]) else str(raw.iloc[index])[:200]
        done.findings.append(Finding(first_row + int(index), rule, name, value))
    done.keep = done.keep & ~bad

"""CoverageJSON: grids and point series, with the layer's parameters and units.

Axis values are cell centres. Missing values are null.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from shikong.layers.model import ParameterDecl
from shikong.providers.crs import CRS84
from shikong.providers.observed import Question, Station

_GEOGRAPHIC = {"coordinates": ["x", "y"], "system": {"type": "GeographicCRS", "id": CRS84}}
_TEMPORAL = {"coordinates": ["t"], "system": {"type": "TemporalRS", "calendar": "Gregorian"}}


def instant(time: datetime) -> str:
    """A time as CoverageJSON has it: UTC, ISO 8601."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instants(times: Any) -> list[str]:
    """Times of a numpy datetime64 axis, which is UTC."""
    return [f"{text}Z" for text in np.datetime_as_string(np.atleast_1d(times), unit="s")]


def domain(kind: str, axes: dict[str, Any]) -> dict[str, Any]:
    """A domain over the given axes."""
    referencing = [_GEOGRAPHIC] + ([_TEMPORAL] if "t" in axes else [])
    return {"type": "Domain", "domainType": kind, "axes": axes, "referencing": referencing}


def parameters(declared: dict[str, ParameterDecl]) -> dict[str, Any]:
    """The parameter descriptions of some of a layer's parameters."""
    return {
        name: {
            "type": "Parameter",
            "description": {"zh": decl.title.zh, "en": decl.title.en},
            "unit": {"symbol": {"value": decl.unit, "type": "http://www.opengis.net/def/uom/UCUM/"}},
            "observedProperty": {"id": name, "label": {"zh": decl.title.zh, "en": decl.title.en}},
        }
        for name, decl in declared.items()
    }


def values(array: Any, axes: Sequence[str]) -> dict[str, Any]:
    """An array as a range; its axes in the array's own order."""
    array = np.asarray(array, dtype=float)
    return {"type": "NdArray", "dataType": "float", "axisNames": list(axes), "shape": list(array.shape),
            "values": numbers(array)}  # fmt: skip


def numbers(array: Any) -> list[float | None]:
    """An array's values in a row, as JSON can have them."""
    return [None if math.isnan(value) else round(value, 6) for value in array.ravel().tolist()]


def coverage(domain_: dict[str, Any], declared: dict[str, ParameterDecl], ranges: dict[str, Any]) -> dict[str, Any]:
    """A coverage document."""
    return {"type": "Coverage", "domain": domain_, "parameters": parameters(declared), "ranges": ranges}


def series(question: Question, station: Station, rows: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    """The coverage of a station's rows (`observed.values`); what has no value in any of them is left out."""
    axes = {
        "x": {"values": [station.lon]}, "y": {"values": [station.lat]},
        "t": {"values": [instant(row[1]) for row in rows]},
    }  # fmt: skip
    columns = zip(question.columns(), zip(*(row[2:] for row in rows), strict=True), strict=True)
    present = {name: column for name, column in columns if any(value is not None for value in column)}
    declared = {name: decl for name, decl in question.layer.parameters.items() if name in present}
    ranges = {name: values(column, ("t",)) for name, column in present.items()}
    told: dict[str, Any] = {"id": station.key, "name": station.name}
    if station.distance is not None:
        told["distance"] = round(station.distance, 1)
    return coverage(domain("PointSeries", axes), declared, ranges) | {"shikong:station": told}

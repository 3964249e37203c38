"""Checks of geometries against a layer's declaration, whole batches at a time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import shapely

from shikong.ingest.errors import WrongGeometry
from shikong.ingest.quality.findings import Finding, storable
from shikong.ingest.readers.base import Geometries
from shikong.layers.model import Layer
from shikong.layers.rules import Severity, ValidGeometry
from shikong.store import ellipsoid
from shikong.store.ellipsoid import Rings

_TYPE_IDS = {
    "Point": 0, "LineString": 1, "Polygon": 3, "MultiPoint": 4, "MultiLineString": 5, "MultiPolygon": 6,
}  # fmt: skip
_NAMES = {number: name for name, number in _TYPE_IDS.items()} | {2: "LinearRing", 7: "GeometryCollection"}
_MULTI = {0: (4, shapely.multipoints), 1: (5, shapely.multilinestrings), 3: (6, shapely.multipolygons)}


def fit_type(layer: Layer, shapes: Geometries) -> Geometries:
    """Make single shapes multiple where the layer wants it, and the other way where nothing is lost.

    Raises WrongGeometry when no shape of the batch is of the layer's kind: the wrong file was given.
    """
    wanted = _TYPE_IDS[layer.geometry or ""]
    kinds = shapely.get_type_id(shapes)
    for single, (multi, build) in _MULTI.items():
        if wanted == multi:
            promote = kinds == single
            if promote.any():
                shapes = shapes.copy()
                parts = shapes[promote]
                shapes[promote] = build(parts, indices=np.arange(len(parts)))
        elif wanted == single:
            alone = (kinds == multi) & (shapely.get_num_geometries(shapes) == 1)
            if alone.any():
                shapes = shapes.copy()
                shapes[alone] = shapely.get_geometry(shapes[alone], 0)
    present = ~shapely.is_missing(shapes)
    found = shapely.get_type_id(shapes)
    if present.any() and not (found[present] == wanted).any():
        names = sorted({_NAMES.get(int(kind), "unknown") for kind in found[present]})
        raise WrongGeometry(f"{layer.id} holds {layer.geometry}, but the source has {', '.join(names)}")
    return shapes


def check(layer: Layer, shapes: Geometries, first_row: int) -> tuple[Geometries, Any, list[Finding]]:
    """Check a batch that is in storage coordinates.

    Gives the shapes (repaired where the layer allows, and each repair noted), which rows to keep, and what was found.
    """
    findings: list[Finding] = []
    keep = np.ones(len(shapes), dtype=bool)

    def find(bad: Any, rule: str, told: Callable[[int], Any] | None = None, severity: Severity = "error") -> None:
        nonlocal keep
        found = np.flatnonzero(bad & keep)
        for index, shape in zip(found.tolist(), storable(shapes[found]), strict=True):
            value = None if told is None else str(told(index))
            findings.append(Finding(first_row + index, rule, "geometry", value, severity, shape=shape))
        if severity != "warning":
            keep &= ~bad

    find(shapely.is_missing(shapes) | shapely.is_empty(shapes), "no_geometry")
    kinds = shapely.get_type_id(shapes)
    wrong = kinds != _TYPE_IDS[layer.geometry or ""]
    find(wrong, f"not_a_{layer.geometry}", lambda row: _NAMES.get(int(kinds[row])))
    bounds = shapely.bounds(shapes)
    with np.errstate(invalid="ignore"):
        outside = ~((bounds[:, 0] >= -180) & (bounds[:, 2] <= 180) & (bounds[:, 1] >= -90) & (bounds[:, 3] <= 90))
    if not np.isfinite(shapely.get_coordinates(shapes)).all():  # bounds pass over a NaN, and a repair would drop it
        coordinates, owner = shapely.get_coordinates(shapes, return_index=True)
        outside[owner[~np.isfinite(coordinates).all(axis=1)]] = True
    find(outside, "outside_the_earth", lambda row: bounds[row].tolist())
    rule = layer.rule(ValidGeometry)
    invalid = ~shapely.is_valid(shapes) & keep
    if rule is not None and invalid.any():
        reasons = shapely.is_valid_reason(shapes)
        if rule.repair:
            mended = _repair(layer, shapes, invalid)
            done = invalid & shapely.is_valid(mended) & ~shapely.is_empty(mended)
            find(done, "repaired_geometry", reasons.__getitem__, "warning")
            shapes = np.where(done, mended, shapes)
            invalid &= ~done
        find(invalid, rule.rule, reasons.__getitem__, rule.severity)
    return shapes, keep, findings


def _repair(layer: Layer, shapes: Geometries, invalid: Any) -> Geometries:
    """Repair with the structure method, which keeps what the rings enclose and adds nothing."""
    shapes = shapes.copy()
    shapes[invalid] = shapely.make_valid(shapes[invalid], method="structure", keep_collapsed=False)
    shapes[invalid] = fit_type(layer, shapes[invalid])
    return shapes


def derive(layer: Layer, shapes: Geometries, rings: Rings | None) -> dict[str, Any]:
    """Values of the layer's derived fields (m2, m), rounded to 0.01 as areas are reported."""
    found = {}
    for name, decl in layer.fields.items():
        if decl.derived == "ellipsoidal_area":
            found[name] = np.round(ellipsoid.areas(shapes, rings), 2)
        elif decl.derived == "ellipsoidal_length":
            found[name] = np.round(ellipsoid.lengths(shapes), 2)
    return found

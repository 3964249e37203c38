"""The boundary-point text of land approval (部标界址点 .txt).

A header [属性描述] with the CRS, then [地块坐标]: for each parcel a line of attributes that ends with @, and its points
`J1,1,X,Y` with the ring number in the second place, X = northing and Y = easting.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import shapely

from shikong.ingest import gauss_krueger
from shikong.ingest.errors import EmptySource, UnknownCrs, UnreadableSource
from shikong.ingest.gauss_krueger import Datum, Width
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource, object_array
from shikong.ingest.readers.table import text_encoding

_POINTS = "[地块坐标]"

#: The attributes of a parcel's line, in the standard's order.
FIELDS = ("点数", "面积", "地块编号", "地块名称", "几何类型", "图幅号", "用途", "地类编码")

#: What stands under 坐标系, by the year in it.
_DATUMS: dict[str, Datum] = {"2000": "cgcs2000", "80": "xian_1980", "54": "beijing_1954"}


@dataclass
class _Parcel:
    """A parcel as it is written. line: where it begins in the file, from 1; rings: by ring number, (x, y) = (Y, X)."""

    line: int
    attributes: list[str]
    rings: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def is_boundary_text(path: Path) -> bool:
    """Whether a .txt file has the section of boundary points."""
    with path.open("rb") as file:
        head = file.read(65_536)
    return any(_POINTS.encode(encoding) in head for encoding in ("utf-8", "gb18030"))


def open_source(path: Path) -> FeatureSource:
    """Open a boundary-point text. Raises UnreadableSource (with the line), EmptySource and UnknownCrs."""
    text = path.read_text(encoding=text_encoding(path))
    before, _, after = text.partition(_POINTS)
    parcels = list(_parcels(path.name, after, before.count("\n") + 1))
    if not parcels:
        raise EmptySource(f"{path.name} has no parcels")
    crs = _crs(path.name, _header(before), parcels)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(parcels), BATCH_ROWS):
            part = parcels[start : start + BATCH_ROWS]
            rows = [[value or None for value in parcel.attributes] for parcel in part]
            yield Batch(start + 1, pd.DataFrame(rows, columns=list(FIELDS)), object_array([_shape(p) for p in part]))

    return FeatureSource("boundary points", crs, list(FIELDS), len(parcels), batches)


def _header(text: str) -> dict[str, str]:
    pairs = (line.replace("＝", "=").partition("=") for line in text.splitlines())
    return {key.strip(): value.strip() for key, sign, value in pairs if sign}


def _parcels(name: str, text: str, line: int) -> Iterator[_Parcel]:
    parcel: _Parcel | None = None
    for number, content in enumerate(text.splitlines(), line):
        cells = [cell.strip() for cell in content.replace("，", ",").split(",")]
        if cells[-1] == "@":
            if parcel:
                yield _complete(name, parcel)
            parcel = _Parcel(number, (cells[:-1] + [""] * len(FIELDS))[: len(FIELDS)])
        elif any(cells):
            if parcel is None:
                raise UnreadableSource(f"{name}, line {number}: a point before the first parcel's line (…,@)")
            _add_point(name, number, parcel, cells)
    if parcel:
        yield _complete(name, parcel)


def _add_point(name: str, line: int, parcel: _Parcel, cells: list[str]) -> None:
    try:
        _, ring, northing, easting = cells[:4]
        parcel.rings.setdefault(ring, []).append((float(easting), float(northing)))
    except ValueError as error:
        raise UnreadableSource(f"{name}, line {line}: not a point such as J1,1,X,Y: {','.join(cells)[:80]}") from error


def _complete(name: str, parcel: _Parcel) -> _Parcel:
    """Refuse a parcel that has not the points that its line says: the file is cut off or edited."""
    there = sum(map(len, parcel.rings.values()))
    if parcel.attributes[0] and parcel.attributes[0] != str(there):
        raise UnreadableSource(
            f"{name}, line {parcel.line}: parcel {parcel.attributes[2] or parcel.attributes[3]} says "
            f"{parcel.attributes[0]} points and has {there}; deliver the file again"
        )
    return parcel


def _crs(name: str, header: dict[str, str], parcels: list[_Parcel]) -> str | None:
    """The CRS that the header says, with or without the zone number as the eastings have it; None if it says none."""
    if (unit := header.get("计量单位", "米")) not in ("米", "m", "M"):
        raise UnknownCrs(f"{name}: 计量单位={unit}; coordinates in metres (米) are needed")
    if not (said := header.get("坐标系")):
        return None
    datum = next((datum for year, datum in _DATUMS.items() if year in said), None)
    width: Width | None = {"3": 3, "6": 6}.get(header.get("几度分带", "").strip("度"))  # type: ignore[assignment]
    number = header.get("带号", "")
    if datum is None or width is None or not number.isdigit() or int(number) not in gauss_krueger.ZONES[width]:
        raise UnknownCrs(
            f"{name}: 坐标系={said}, 几度分带={header.get('几度分带')}, 带号={number} is no Gauss-Krüger zone; "
            "correct the header (带号: 25-45 of 3 degrees, 13-23 of 6 degrees)"
        )
    eastings = [x for parcel in parcels for ring in parcel.rings.values() for x, _ in ring]
    carried = {gauss_krueger.zone_before(x) for x in eastings} - {None}
    if not carried <= {0} and carried != {int(number)}:
        zones = ", ".join(str(zone) if zone else "none" for zone in sorted(carried, key=str))
        raise UnknownCrs(
            f"{name}: the header says 带号={number}, but the Y values carry the zone number {zones} "
            f"({min(eastings):,.0f} to {max(eastings):,.0f}); correct one of them"
        )
    return f"EPSG:{gauss_krueger.code(datum, width, int(number), numbered=carried != {0})}"


def _shape(parcel: _Parcel) -> shapely.Geometry | None:
    """A parcel's shape: a ring inside one before it is a hole of that, any other a part of its own."""
    kind = parcel.attributes[4]
    if kind == "点":
        points = [point for ring in parcel.rings.values() for point in ring]
        return shapely.MultiPoint(points) if len(points) > 1 else shapely.Point(points[0]) if points else None
    if kind == "线":
        lines = [ring for ring in parcel.rings.values() if len(ring) > 1]
        return shapely.MultiLineString(lines) if lines else None
    shells: list[tuple[shapely.Polygon, list[list[tuple[float, float]]]]] = []
    for ring in parcel.rings.values():
        if len(ring) < 3:
            return None
        outline = shapely.Polygon(ring)
        around = next(
            (holes for shell, holes in shells if shell.contains_properly(outline.representative_point())), None
        )
        if around is None:
            shells.append((outline, []))
        else:
            around.append(ring)
    polygons = [shapely.Polygon(shell.exterior, holes) for shell, holes in shells]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons) if polygons else None

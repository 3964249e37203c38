"""Gauss-Krueger zones of the Chinese datums: their EPSG codes, and what a CRS or an easting says of them.

A zone is 3 or 6 degrees wide. Eastings carry the zone number before them (39 409 012 m, false easting 39 500 000 m)
or not (409 012 m, false easting 500 000 m).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyproj import CRS

Datum = Literal["cgcs2000", "xian_1980", "beijing_1954"]
Width = Literal[3, 6]

#: Zone numbers by width in degrees. They do not overlap, so a number before an easting tells the width.
ZONES: dict[Width, range] = {3: range(25, 46), 6: range(13, 24)}

#: EPSG code of the first zone, by width and whether eastings carry the zone number; the others follow in order.
_FIRST_CODE: dict[Datum, dict[tuple[Width, bool], int]] = {
    "cgcs2000": {(3, True): 4513, (3, False): 4534, (6, True): 4491, (6, False): 4502},
    "xian_1980": {(3, True): 2349, (3, False): 2370, (6, True): 2327, (6, False): 2338},
    "beijing_1954": {(3, True): 2401, (3, False): 2422, (6, True): 21413, (6, False): 21453},
}

#: Eastings of a zone without its number, in m, with room for data that reaches over its edge.
_PLAIN_EASTINGS = (50_000, 950_000)


@dataclass(frozen=True)
class Projection:
    """The Gauss-Krueger projection of a CRS. zone: the number that its eastings carry, None when they carry none."""

    central_meridian: float
    zone: int | None


def code(datum: Datum, width: Width, zone: int, *, numbered: bool) -> int:
    """The EPSG code of a zone. numbered: eastings carry the zone number. Raises ValueError for an unknown zone."""
    return _FIRST_CODE[datum][(width, numbered)] + ZONES[width].index(zone)


def width_of(zone: int) -> Width | None:
    """The width in degrees of the zones that this number belongs to."""
    return next((width for width, numbers in ZONES.items() if zone in numbers), None)


def zone_before(easting: float) -> int | None:
    """The zone number before an easting (m); 0 when it looks like an easting without one, None for anything else."""
    zone, rest = divmod(easting, 1_000_000)
    if not _PLAIN_EASTINGS[0] < rest < _PLAIN_EASTINGS[1]:
        return None
    return int(zone) if zone == 0 or width_of(int(zone)) else None


def projection(crs: CRS) -> Projection | None:
    """The Gauss-Krueger projection that a CRS uses, None when it is another or has another false easting."""
    operation = crs.coordinate_operation
    if operation is None or operation.method_code not in ("9807", "9824"):
        return None
    values = {parameter.name: float(parameter.value) for parameter in operation.params}
    zone, rest = divmod(values.get("False easting", 0.0), 1_000_000)
    if rest != 500_000 or values.get("Scale factor at natural origin", 1.0) != 1.0:
        return None
    return Projection(values.get("Longitude of natural origin", 0.0), int(zone) or None)

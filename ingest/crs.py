"""Which coordinate reference system a source is in, and the way from there to CGCS2000.

Everything is stored in EPSG:4490 as x = longitude, y = latitude.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from shikong.ingest import gcj02
from shikong.ingest.errors import UnknownCrs
from shikong.ingest.readers.base import Geometries

STORAGE = CRS.from_epsg(4490)

#: Datums that PROJ would move to CGCS2000 without any shift, though the true shift is tens of metres.
_NEED_PARAMETERS = {"xian 1980": "Xi'an 1980", "beijing 1954": "Beijing 1954", "xian_1980": "Xi'an 1980",
                    "beijing_1954": "Beijing 1954", "new beijing": "New Beijing"}  # fmt: skip

#: CGCS2000 zones around the city: with the zone number before the easting, and without.
_PREFIXED = {38: 4526, 39: 4527}
_PREFIXED_6 = {19: 4497, 20: 4498}
_PLAIN = (4547, 4548)


@dataclass(frozen=True)
class Recognised:
    """A source's CRS.

    how: where the knowledge comes from, for the report.
    note: what the way to CGCS2000 means for accuracy.
    """

    crs: CRS
    how: str
    note: str | None = None
    datum: str | None = None

    @property
    def name(self) -> str:
        """Short name for reports: authority code if there is one."""
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else self.crs.name


def recognise(
    declared: str | None,
    stated: str | None,
    sample: Geometries,
    *,
    geographic_by_name: bool,
    city_bbox: tuple[float, float, float, float],
    datum: str | None = None,
) -> Recognised:
    """Find a source's CRS.

    declared: what the source says; stated: what the operator says (wins); sample: some of its shapes;
    datum: `gcj02` when longitudes and latitudes carry the GCJ-02 shift, whatever the source says.
    Raises UnknownCrs when it cannot be known or must not be used.
    """
    if datum is not None:
        if datum != "gcj02":
            raise UnknownCrs(f"--datum {datum}: only gcj02 is known")
        return Recognised(STORAGE, "--datum gcj02", gcj02.NOTE, datum)
    text = stated or declared
    if text:
        return _usable(_parse(text), "--crs" if stated else "the source")
    present = sample[~shapely.is_missing(sample)]
    if len(present):
        bounds = shapely.total_bounds(present)
        if geographic_by_name and _is_degrees(bounds):
            return Recognised(STORAGE, "columns named longitude and latitude", "taken as CGCS2000 degrees")
        if found := _from_numbers(bounds, city_bbox):
            return found
    raise UnknownCrs(
        "the source does not say its coordinate reference system and its numbers do not tell it; "
        "give it with --crs, for example --crs EPSG:4490 (degrees) or --crs EPSG:4527 (zone 39)"
    )


def _parse(text: str) -> CRS:
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise UnknownCrs(f"{text!r} is not a coordinate reference system: {error}") from error
    if (code := crs.to_epsg(min_confidence=70)) is not None:
        return CRS.from_epsg(code)
    return crs  # a dialect that leaves the axes out; its parameters are enough


def _usable(crs: CRS, how: str) -> Recognised:
    names = f"{crs.name} {crs.geodetic_crs.name if crs.geodetic_crs else ''}".lower()
    for word, title in _NEED_PARAMETERS.items():
        if word in names:
            raise UnknownCrs(
                f"{crs.name} is on the {title} datum, which needs the city's own transformation parameters; "
                "without them positions would be off by tens of metres. Convert the source to CGCS2000 first"
            )
    note = None
    datum = crs.geodetic_crs.datum if crs.geodetic_crs else None
    if datum is not None and "2000" not in datum.name:
        note = (
            f"{datum.name} taken as CGCS2000 without shift (they agree to about a metre)"
            if "84" in datum.name
            else (f"transformed from {datum.name} by PROJ's default operation")
        )
    return Recognised(crs, how, note)


def _is_degrees(bounds: NDArray[np.float64]) -> bool:
    return bool(abs(bounds[[0, 2]]).max() <= 180 and abs(bounds[[1, 3]]).max() <= 90)


def _from_numbers(bounds: NDArray[np.float64], city_bbox: tuple[float, float, float, float]) -> Recognised | None:
    """CGCS2000 Gauss-Krueger zones show in the numbers: the zone stands before the easting, or the
    one central meridian that puts the data into the city tells it."""
    west, south, east, north = bounds
    if not 3_000_000 < south <= north < 5_000_000:
        return None
    zone = int(west // 1_000_000)
    if zone == int(east // 1_000_000):
        code = _PREFIXED.get(zone) or _PREFIXED_6.get(zone)
        if code:
            return Recognised(CRS.from_epsg(code), f"the zone number {zone} before the easting")
    fitting = [code for code in _PLAIN if _lies_in(code, bounds, city_bbox)]
    if len(fitting) == 1:
        return Recognised(CRS.from_epsg(fitting[0]), "the only central meridian that puts the data into the city")
    return None


def _lies_in(code: int, bounds: NDArray[np.float64], bbox: tuple[float, float, float, float]) -> bool:
    transformer = Transformer.from_crs(code, STORAGE, always_xy=True)
    lon, lat = transformer.transform((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
    return bool(bbox[0] <= lon <= bbox[2] and bbox[1] <= lat <= bbox[3])


def to_storage(geometries: Geometries, source: Recognised) -> Geometries:
    """Move shapes to EPSG:4490, x = longitude. Heights are dropped: layers are two-dimensional."""
    flat = shapely.force_2d(geometries)
    if source.datum == "gcj02":
        moved = gcj02.to_cgcs2000
    elif source.crs == STORAGE or source.crs.to_epsg() == 4326:
        return flat  # type: ignore[no-any-return]
    else:
        transformer = Transformer.from_crs(source.crs, STORAGE, always_xy=True)

        def moved(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y = transformer.transform(coordinates[:, 0], coordinates[:, 1])
            return np.column_stack([x, y])

    return shapely.transform(flat, moved)  # type: ignore[no-any-return]

"""Which coordinate reference system a source is in, and the way from there to CGCS2000.

Everything is stored in EPSG:4490 as x = longitude, y = latitude.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from shikong.ingest import datum_shift, gauss_krueger, gcj02
from shikong.ingest.errors import UnknownCrs, WrongAxes
from shikong.ingest.readers.base import Geometries
from shikong.layers.model import City, DatumShift

STORAGE = CRS.from_epsg(4490)

#: Datums that PROJ would move to CGCS2000 without any shift, though the true shift is tens of metres.
#: The second is its name in the city's `datums`, if it may stand there.
_NEED_PARAMETERS: dict[str, tuple[str, Literal["xian_1980", "beijing_1954"] | None]] = {
    "xian 1980": ("Xi'an 1980", "xian_1980"), "xian_1980": ("Xi'an 1980", "xian_1980"),
    "new beijing": ("New Beijing", None), "new_beijing": ("New Beijing", None),
    "beijing 1954": ("Beijing 1954", "beijing_1954"), "beijing_1954": ("Beijing 1954", "beijing_1954"),
}  # fmt: skip

#: Degrees around the city within which a source still counts as lying in it.
_CITY_MARGIN = 0.5

#: A zone number that fewer shapes carry is a slip in those rows, not the source's zone.
_ZONE_SHARE = 0.01


@dataclass(frozen=True)
class Recognised:
    """A source's CRS.

    how: where the knowledge comes from, for the report.
    note: what the way to CGCS2000 means for accuracy.
    shift: the city's parameters from the CRS's datum, where that needs them.
    swapped: the source has y before x.
    """

    crs: CRS
    how: str
    note: str | None = None
    datum: str | None = None
    shift: DatumShift | None = None
    swapped: bool = False

    @property
    def name(self) -> str:
        """Short name for reports: authority code if there is one."""
        authority = self.crs.to_authority()
        return ":".join(authority) if authority else self.crs.name


@dataclass(frozen=True)
class _Numbers:
    """What the coordinates of a sample say.

    x, y: the median shape's centre. west, east: range of the shapes' centres.
    zones: the numbers before their eastings, 0 for none.
    """

    x: float
    y: float
    west: float
    east: float
    zones: tuple[int, ...]

    @property
    def eastings(self) -> str:
        return f"{self.west:,.0f}" if self.west == self.east else f"{self.west:,.0f} to {self.east:,.0f}"


def recognise(
    declared: str | None,
    stated: str | None,
    sample: Geometries,
    *,
    geographic_by_name: bool,
    city: City,
    datum: str | None = None,
    swap_axes: bool = False,
) -> Recognised:
    """Find a source's CRS.

    declared: what the source says; stated: what the operator says (wins); sample: some of its shapes;
    datum: `gcj02` when longitudes and latitudes carry the GCJ-02 shift, whatever the source says;
    swap_axes: the operator says that y stands before x.
    Raises UnknownCrs when it cannot be known, must not be used or contradicts the numbers, and WrongAxes when the
    source would lie in the city with its axes swapped, and only then.
    """
    numbers = _numbers(shapely.transform(sample, np.fliplr) if swap_axes else sample)
    found = _find(declared, stated, numbers, geographic_by_name, city, datum)
    if numbers is not None:
        _check_axes(found, numbers, city)
        _check_zone(found, numbers, city)
    if swap_axes:
        note = "x and y swapped (--swap-axes)"
        found = replace(found, swapped=True, note=f"{found.note}; {note}" if found.note else note)
    return found


def _find(
    declared: str | None, stated: str | None, numbers: _Numbers | None, geographic_by_name: bool, city: City,
    datum: str | None,
) -> Recognised:  # fmt: skip
    if datum is not None:
        if datum != "gcj02":
            raise UnknownCrs(f"--datum {datum}: only gcj02 is known")
        return Recognised(STORAGE, "--datum gcj02", gcj02.NOTE, datum)
    if text := stated or declared:
        return _usable(_parse(text), "--crs" if stated else "the source", city)
    if numbers is not None:
        if geographic_by_name and max(abs(numbers.x), abs(numbers.y)) <= 180:  # in either order
            return Recognised(STORAGE, "columns named longitude and latitude", "taken as CGCS2000 degrees")
        if found := _from_numbers(numbers, city):
            return found
        flipped = replace(numbers, x=numbers.y, y=numbers.x, zones=(gauss_krueger.zone_before(numbers.y) or 0,))
        if (found := _from_numbers(flipped, city)) and _lies_in(found, flipped.x, flipped.y, city):
            raise _wrong_axes(found, numbers)
    raise UnknownCrs(
        "the source does not say its coordinate reference system and its numbers do not tell it; "
        "give it with --crs, for example --crs EPSG:4490 (degrees) or --crs EPSG:4527 (zone 39)"
    )


def _numbers(sample: Geometries) -> _Numbers | None:
    bounds = shapely.bounds(sample[~shapely.is_missing(sample)])
    bounds = bounds[np.isfinite(bounds).all(axis=1)]
    if not len(bounds):
        return None
    xs, ys = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    counted = Counter(gauss_krueger.zone_before(x) for x in xs.tolist())
    zones = sorted(zone for zone, n in counted.items() if zone is not None and n >= _ZONE_SHARE * len(xs))
    return _Numbers(float(np.median(xs)), float(np.median(ys)), float(xs.min()), float(xs.max()), tuple(zones))


def _parse(text: str) -> CRS:
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise UnknownCrs(f"{text!r} is not a coordinate reference system: {error}") from error
    if (code := crs.to_epsg(min_confidence=70)) is not None:
        return CRS.from_epsg(code)
    return crs  # a dialect that leaves the axes out; its parameters are enough


def _usable(crs: CRS, how: str, city: City) -> Recognised:
    names = f"{crs.name} {crs.geodetic_crs.name if crs.geodetic_crs else ''}".lower()
    for word, (title, key) in _NEED_PARAMETERS.items():
        if word in names:
            shift = city.datums.get(key) if key else None
            if shift is None:
                raise UnknownCrs(
                    f"{crs.name} is on the {title} datum, which needs the city's own transformation parameters; "
                    "without them positions would be off by tens of metres. "
                    + (f"Put them into layers/city.yml (datums: {key}), or convert" if key else "Convert")
                    + " the source to CGCS2000 first"
                )
            note = f"moved from {title} by the city's parameters ({shift.source}), accurate to {shift.accuracy:g} m"
            return Recognised(crs, how, note, shift=shift)
    remark = None
    datum = crs.geodetic_crs.datum if crs.geodetic_crs else None
    if datum is not None and "2000" not in datum.name:
        remark = (
            f"{datum.name} taken as CGCS2000 without shift (they agree to about a metre)"
            if "84" in datum.name
            else (f"transformed from {datum.name} by PROJ's default operation")
        )
    return Recognised(crs, how, remark)


def _from_numbers(numbers: _Numbers, city: City) -> Recognised | None:
    """CGCS2000 Gauss-Krueger zones show in the numbers: the zone stands before the easting, or the
    one central meridian that puts the data into the city tells it."""
    if not 0 < numbers.y < 6_000_000 or not numbers.zones:
        return None
    if len(numbers.zones) > 1:
        raise UnknownCrs(
            f"the eastings ({numbers.eastings}) carry different zone numbers: {', '.join(map(str, numbers.zones))} "
            "(0: none); deliver one file for each zone"
        )
    if zone := numbers.zones[0]:
        code = gauss_krueger.code("cgcs2000", gauss_krueger.width_of(zone) or 3, zone, numbered=True)
        return Recognised(CRS.from_epsg(code), f"the zone number {zone} before the easting", "taken as CGCS2000")
    plain = (gauss_krueger.code("cgcs2000", 3, zone, numbered=False) for zone in gauss_krueger.ZONES[3])
    candidates = [Recognised(CRS.from_epsg(code), "the only central meridian that puts the data into the city",
                             "taken as CGCS2000") for code in plain]  # fmt: skip
    fitting = [found for found in candidates if _lies_in(found, numbers.x, numbers.y, city)]
    return fitting[0] if len(fitting) == 1 else None


def _lies_in(found: Recognised, x: float, y: float, city: City, margin: float = 0.0) -> bool:
    lon, lat = Transformer.from_crs(found.crs, STORAGE, always_xy=True).transform(x, y)
    west, south, east, north = city.bbox
    return bool(west - margin <= lon <= east + margin and south - margin <= lat <= north + margin)


def _check_axes(found: Recognised, numbers: _Numbers, city: City) -> None:
    """A source that lies in the city only with its axes swapped has them swapped."""
    here = _lies_in(found, numbers.x, numbers.y, city, _CITY_MARGIN)
    if not here and _lies_in(found, numbers.y, numbers.x, city, _CITY_MARGIN):
        raise _wrong_axes(found, numbers)


def _wrong_axes(found: Recognised, numbers: _Numbers) -> WrongAxes:
    first, second = ("latitude", "longitude") if found.crs.is_geographic else ("northing", "easting")
    return WrongAxes(
        f"x is about {numbers.x:,.10g} and y about {numbers.y:,.10g}, which lies in the city only the other way "
        f"round ({first} stands before {second}); if that is so, say --swap-axes"
    )


def _check_zone(found: Recognised, numbers: _Numbers, city: City) -> None:
    """The zone of a Gauss-Krueger CRS must be the one that the eastings carry."""
    projection = gauss_krueger.projection(found.crs)
    if projection is None or not numbers.zones or numbers.zones == (projection.zone or 0,):
        return
    said = f"zone number {projection.zone} before the easting" if projection.zone else "no zone number"
    carried = " and ".join(str(zone) if zone else "no zone number" for zone in numbers.zones)
    advice = "deliver one file for each zone"
    if len(numbers.zones) == 1:
        other = _from_numbers(numbers, city)
        advice = f"if the numbers are right, say --crs {other.name}" if other else "say the right one with --crs"
    raise UnknownCrs(
        f"{found.how} says {found.name} ({found.crs.name}: central meridian {projection.central_meridian:g}E, {said}), "
        f"but the eastings are {numbers.eastings} ({carried}); {advice}"
    )


def to_storage(geometries: Geometries, source: Recognised) -> Geometries:
    """Move shapes to EPSG:4490, x = longitude. Heights are dropped: layers are two-dimensional."""
    flat = shapely.force_2d(geometries) if (shapely.get_coordinate_dimension(geometries) > 2).any() else geometries
    if source.swapped:
        flat = shapely.transform(flat, np.fliplr)
    moved: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    if source.datum == "gcj02":
        moved = gcj02.to_cgcs2000
    elif source.shift is not None:
        moved = datum_shift.to_cgcs2000(source.crs, source.shift)
    elif source.crs == STORAGE or source.crs.to_epsg() == 4326:
        return flat
    else:
        transformer = Transformer.from_crs(source.crs, STORAGE, always_xy=True)

        def moved(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
            x, y = np.ascontiguousarray(coordinates.T)  # what lies together is moved in place
            transformer.transform(x, y, inplace=True)
            return np.column_stack([x, y])

    return shapely.transform(flat, moved)  # type: ignore[no-any-return]

"""Which venues, events and heritage sites does the sample city have?

Some names are those of well-known places, put down roughly; the rest is invented, and every record
is labelled as generated. Coordinates are EPSG:4490 lon, lat.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from shikong.samples import districts, names, places, write
from shikong.samples.culture_names import EVENTS, HERITAGE, INVENTED, KNOWN_VENUES
from shikong.samples.ground import Ground
from shikong.samples.plane import generator, to_degrees, to_metres

Row = dict[str, Any]
Place = tuple[float, float]
HOURS = {
    "library": "Tu-Su 09:00-20:30", "culture_hall": "Tu-Su 08:30-17:30", "museum": "Tu-Su 09:00-17:00",
    "art_gallery": "Tu-Su 09:00-17:00", "memorial": "Tu-Su 08:30-17:00", "theatre": "Mo-Su 13:30-22:00",
    "culture_station": "Mo-Fr 08:30-17:30", "village_centre": "Mo-Su 08:00-20:00", "sports": "Mo-Su 08:00-21:30",
}  # fmt: skip
CAPACITY = {"library": (300, 1500), "culture_hall": (200, 900), "museum": (300, 2000), "art_gallery": (100, 400),
            "memorial": (150, 600), "theatre": (500, 1400), "culture_station": (60, 260), "village_centre": (40, 120),
            "sports": (800, 6000)}  # fmt: skip
DAYS_BEFORE, DAYS_AFTER, A_DAY = 20, 40, 5


def venues(ground: Ground, path: Path) -> tuple[int, list[tuple[Row, Place]]]:
    """Write the venues as CSV in GB18030; returns the rows, and each venue with its place."""
    rng = generator(ground.seed, "venues")
    found: list[tuple[Row, Place]] = []
    for name, kind, place in KNOWN_VENUES:
        found.append(_venue(ground, len(found), name, kind, place, rng))
    for county in places.COUNTIES[1:]:
        short = county.name[:-1]
        for tail, kind in (("图书馆", "library"), ("文化馆", "culture_hall"), ("博物馆", "museum")):
            found.append(_venue(ground, len(found), county.name + tail, kind, _about(county.seat, 1200, rng), rng))
        if rng.random() < 0.5:
            found.append(_venue(ground, len(found), short + "大剧院", "theatre", _about(county.seat, 1500, rng), rng))
    all_ = ground.villages
    for (county_index, group), (_, name) in districts.townships(ground).items():
        mine = (all_.county == county_index) & (all_.township == group)
        seat = np.flatnonzero(mine & (all_.seats > 0))
        x, y = all_.sites[seat[0]] if len(seat) else all_.sites[mine].mean(axis=0)
        place = _about(to_degrees(float(x), float(y)), 150, rng)
        found.append(_venue(ground, len(found), name + "综合文化站", "culture_station", place, rng))
    rows = [{**row, "lon": round(lon, 6), "lat": round(lat, 6)} for row, (lon, lat) in found]
    return write.table(path, rows, "gb18030"), found


def _about(place: Place, reach: float, rng: np.random.Generator) -> Place:
    x, y = to_metres(*place)
    dx, dy = rng.uniform(-reach, reach, 2)
    lon, lat = to_degrees(x + float(dx), y + float(dy))
    return float(lon), float(lat)


def _county(ground: Ground, place: Place) -> places.County:
    x, y = to_metres(*place)
    nearest = int(np.argmin(np.hypot(*(ground.villages.sites - (x, y)).T)))
    return places.COUNTIES[int(ground.villages.county[nearest])]


def _venue(
    ground: Ground, number: int, name: str, kind: str, place: Place, rng: np.random.Generator
) -> tuple[Row, Place]:
    county = _county(ground, place)
    street = names.STREETS[int(rng.integers(len(names.STREETS)))]
    low, high = CAPACITY[kind]
    row = {
        "venue_id": f"WH{number + 1:04d}", "name": name, "type": kind,
        "address": f"{county.name}{street}{int(rng.integers(1, 320))}号", "xzqdm": county.code,
        "opening_hours": HOURS[kind], "capacity": int(rng.integers(low, high) // 10 * 10),
    }  # fmt: skip
    return row, place


def events(ground: Ground, places_: list[tuple[Row, Place]], now: datetime, path: Path) -> int:
    """Write events from 20 days before to 40 days after ``now``, some on every day; returns the rows."""
    rng = generator(ground.seed, "events")
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    rows: list[Row] = []
    points: list[Place] = []
    for day in range(-DAYS_BEFORE, DAYS_AFTER + 1):
        for turn in range(A_DAY):
            kind = "exhibition" if turn == 0 and day % 3 == 0 else list(EVENTS)[1 + int(rng.integers(len(EVENTS) - 1))]
            titles, suited, (first, last), length = EVENTS[kind]
            fitting = [item for item in places_ if item[0]["type"] in suited]
            venue, place = fitting[int(rng.integers(len(fitting)))]
            starts = midnight + timedelta(days=day, minutes=30 * int(rng.integers(2 * first, 2 * last + 1)))
            ends = starts + timedelta(minutes=length)
            if kind == "exhibition":
                starts = midnight + timedelta(days=day, hours=9)
                ends = starts + timedelta(days=int(rng.integers(6, 30)), hours=8)
            title = titles[int(rng.integers(len(titles)))]
            rows.append({
                "event_id": f"HD{len(rows) + 1:05d}", "title": title, "type": kind, "venue_id": venue["venue_id"],
                "venue_name": venue["name"], "starts": starts.isoformat(), "ends": ends.isoformat(),
                "free": bool(rng.random() < (0.45 if kind in ("performance", "film") else 0.9)),
            })  # fmt: skip
            points.append(place)
    return write.geojson(path, rows, points)


def heritage(ground: Ground, path: Path) -> list[tuple[Row, Place]]:
    """Write the heritage sites; returns each with its place."""
    rng = generator(ground.seed, "heritage")
    wanted = list(HERITAGE)
    rural = np.flatnonzero(~ground.villages.urban())
    while len(wanted) < 64:
        index = int(rural[int(rng.integers(len(rural)))])
        tail, kind, eras = INVENTED[int(rng.integers(len(INVENTED)))]
        level = ("municipal", "county", "county", "unrated")[int(rng.integers(4))]
        era = eras[int(rng.integers(len(eras)))]
        place = _about(to_degrees(*ground.villages.sites[index]), 250, rng)
        wanted.append((names.village(ground.seed, index) + tail, kind, level, era, place))
    rows = []
    for number, (name, kind, level, era, place) in enumerate(wanted, 1):
        county = _county(ground, place)
        rows.append({
            "site_id": f"WW{county.code}{number:04d}", "name": name, "type": kind, "level": level, "era": era,
            "address": f"山东省聊城市{county.name}", "xzqdm": county.code,
        })  # fmt: skip
    places_ = [item[4] for item in wanted]
    write.geojson(path, rows, places_)
    return list(zip(rows, places_, strict=True))

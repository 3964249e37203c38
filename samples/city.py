"""How is a whole sample city made, and of what size?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypedDict
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from shikong.layers import catalog
from shikong.samples import (
    blueprint,
    buildings,
    conflicts,
    cover,
    culture,
    districts,
    ground,
    hydro,
    lines,
    monitoring,
    records,
    storms,
    survey,
    terrain,
    write,
)
from shikong.samples.plane import to_metres

SEED = 371500
#: Where smaller samples are taken from: the south-east edge of the city's town, where a river runs.
CENTRE = (116.045, 36.415)
#: Parcels of a village and of a town's quarter, on average.
PER_VILLAGE, PER_QUARTER = 72.3, 46.5


@dataclass(frozen=True)
class Size:
    """How much is generated: about so many parcels (or the whole city), cells of elevation and of land cover in
    degrees, days of observations, rain gauges with a record of decades."""

    parcels: int
    whole: bool
    elevation_step: float
    cover_step: float
    days: int
    records: int = 3


SIZES: dict[str, Size] = {
    "tiny": Size(600, False, 0.004, 0.0001, 7, 1),
    "small": Size(8_000, False, 0.001, 0.0001, 30),
    "town": Size(60_000, False, 0.001, 0.0002, 30),
    "city": Size(500_000, True, 0.001, 0.0005, 90),
}


class Step(TypedDict):
    """One file of the sample: the layer it is for, and what is in it."""

    layer: str
    file: str
    rows: int
    title: str


class Manifest(TypedDict):
    """What was generated, in the order in which it is to be ingested."""

    size: str
    seed: int
    now: str
    origin: str
    steps: list[Step]


def _quiet(_: str) -> None:
    """Progress that nobody watches."""


def generate(
    size: str, out: Path, *, seed: int = SEED, now: datetime | None = None, progress: Callable[[str], None] = _quiet
) -> Manifest:
    """Generate a sample city into a folder and write its manifest.json, and known_conflicts.json: what checks of its
    plans against each other have to find.

    The same size, seed and now give the same content. ``now`` is cut to the hour; without it, it is the
    current hour in Shanghai. Raises KeyError for an unknown size.
    """
    wanted = SIZES[size]
    now = (now or datetime.now(ZoneInfo("Asia/Shanghai"))).astimezone(ZoneInfo("Asia/Shanghai"))
    now = now.replace(minute=0, second=0, microsecond=0)
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, tuple[str, int]] = {}

    def done(layer: str, file: str, count: int) -> None:
        rows[layer] = (file, count)
        progress(f"{layer}: {count} rows")

    base = ground.prepare(seed)
    chosen = _chosen(base, wanted)
    done("districts", "districts.gpkg", districts.deliver(base, out / "districts.gpkg", chosen))
    covered = _survey(base, wanted, chosen, out, done)
    plans = conflicts.deliver(base, out)
    for layer, (codes, _) in plans.written.items():
        done(layer, f"{layer}.gpkg", len(codes))
    relief = _water(base, wanted, now, out, done)
    done("land_cover", "land_cover.tif", cover.deliver(covered, out / "land_cover.tif"))
    done("imagery", "imagery.tif", cover.imagery(seed, covered, relief, out / "imagery.tif"))
    count, venues = culture.venues(base, out / "culture_venues.csv")
    done("culture_venues", "culture_venues.csv", count)
    done("culture_events", "culture_events.geojson", culture.events(base, venues, now, out / "culture_events.geojson"))
    sites = culture.heritage(base, out / "heritage_sites.geojson")
    done("heritage_sites", "heritage_sites.geojson", len(sites))
    more, known = blueprint.deliver(base, plans, sites, out)
    for layer, (file, count) in more.items():
        done(layer, file, count)
    write.document(out / "known_conflicts.json", plans.known + known)
    titles = catalog.default().layers
    steps: list[Step] = [
        {"layer": layer, "file": file, "rows": count, "title": f"{titles[layer].title.zh}（{write.LABEL}）"}
        for layer, (file, count) in rows.items()
    ]
    manifest: Manifest = {"size": size, "seed": seed, "now": now.isoformat(), "origin": write.ORIGIN, "steps": steps}
    write.document(out / "manifest.json", manifest)
    return manifest


def _chosen(base: ground.Ground, size: Size) -> NDArray[np.int64]:
    """The villages whose parcels are generated: all, or those nearest to the centre."""
    sites = base.villages.sites
    if size.whole:
        return np.arange(len(sites))
    x, y = to_metres(*CENTRE)
    order = np.argsort(np.hypot(*(sites - (x, y)).T), kind="stable")
    expected = np.cumsum(np.where(base.villages.urban()[order], PER_QUARTER, PER_VILLAGE))
    return order[: max(1, int(np.searchsorted(expected, size.parcels, side="right")))]


def _survey(
    base: ground.Ground, size: Size, chosen: NDArray[np.int64], out: Path, done: Callable[[str, str, int], None]
) -> cover.Cover:
    """Roads, buildings and parcels; returns what covers the ground."""
    window: Any = shapely.coverage_union_all(base.villages.shapes[chosen])
    done("roads", "roads.gpkg", lines.roads(base, out / "roads.gpkg", window))
    parcel_tables, building_tables = zip(*ground.fill(base, chosen), strict=True)
    done("buildings", "buildings.fgb", buildings.deliver(pa.concat_tables(building_tables), out / "buildings.fgb"))
    parcels = pa.concat_tables(parcel_tables)
    done("parcels", "parcels.fgb", survey.deliver(base, parcels, out / "parcels.fgb"))
    return cover.build(parcels, size.cover_step)


def _water(
    base: ground.Ground, size: Size, now: datetime, out: Path, done: Callable[[str, str, int], None]
) -> terrain.Terrain:
    """Elevation, rivers, stations, observations and precipitation; returns the ground's heights."""
    relief = terrain.build(base, size.elevation_step)
    done("elevation", "elevation.tif", terrain.deliver(relief, out / "elevation.tif"))
    done("rivers", "rivers.gpkg", lines.rivers(base, out / "rivers.gpkg"))
    hours = size.days * 24
    rain = storms.rain(base.seed, hours + storms.LEAD_H)
    gauged = hydro.simulate(base, relief, rain)
    others = monitoring.stations(base)
    done("hydro_stations", "hydro_stations.csv", hydro.stations(base, gauged, others, out / "hydro_stations.csv"))
    file = "hydro_observations.csv"
    done("hydro_observations", file, hydro.observations(base.seed, gauged, now, hours, out / file))
    done("rain_forecast", "rain_forecast.csv", hydro.expected(gauged, now, out / "rain_forecast.csv"))
    file = "water_quality.csv"
    done("water_quality", file, monitoring.water_quality(base.seed, now, out / file))
    for layer, kind in monitoring.DAILY.items():
        done(layer, f"{layer}.csv", monitoring.daily(base.seed, kind, now, out / f"{layer}.csv"))
    records_file = out / "hydro_records.csv"
    done("hydro_records", records_file.name, records.deliver(base.seed, now, size.records, records_file))
    done("precipitation", "precipitation.nc", storms.deliver(rain[-hours:], now, out / "precipitation.nc"))
    return relief

"""When and where does it rain over the city?

Storms cross the area; each has a centre that moves, a reach and a life. They are placed in hours
before ``now``, so that the same seed has the same weather whatever the date: light storms every
few days, and a heavy one on the day before ``now``. Rain is in mm in the hour that ends at a time.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np

from shikong.samples import write
from shikong.samples.plane import Floats, generator, to_metres

STEP = 0.05
LON: Floats = np.round(115.225 + STEP * np.arange(28), 3)
LAT: Floats = np.round(35.775 + STEP * np.arange(26), 3)
#: Hours simulated before the first one delivered, so that rivers start from a state of their own.
LEAD_H = 240
#: Hours before now at which the heavy storm is at its height.
HEAVY_H = 26.0


@dataclass(frozen=True)
class Storm:
    """A storm: hours before now of its height, life (h), peak (mm/h), reach (m), place and speed (m/h)."""

    before: float
    life: float
    peak: float
    reach: float
    x: float
    y: float
    u: float
    v: float


def storms(seed: int, hours: int) -> list[Storm]:
    """The storms of the last ``hours``; a longer span adds earlier ones and leaves the rest as they are."""
    rng = generator(seed, "storms")
    x0, y0 = to_metres(115.92, 36.42)
    found = [Storm(HEAVY_H, 5.5, 26.0, 33_000, x0 - 8000, y0 - 6000, 2600, 1500)]
    before = 62.0
    while before < hours:
        found.append(Storm(
            before, float(rng.uniform(2, 5)), float(rng.gamma(2.0, 3.2) + 1.5), float(rng.uniform(16_000, 42_000)),
            x0 + float(rng.uniform(-40_000, 40_000)), y0 + float(rng.uniform(-45_000, 45_000)),
            float(rng.uniform(-1000, 5000)), float(rng.uniform(-2500, 3500))))  # fmt: skip
        before += float(rng.uniform(30, 130))
    return found


def rain(seed: int, hours: int) -> Floats:
    """Rain of the last ``hours`` on the grid: [hour, lat, lon], the last hour ending now; 0.1 mm."""
    x, y = to_metres(*np.meshgrid(LON, LAT))
    end = np.arange(-hours + 1, 1)[:, None, None] - 0.5
    field: Floats = np.zeros((hours, *x.shape))
    for storm in storms(seed, hours):
        age = end + storm.before
        near = np.abs(age[:, 0, 0]) < 3.2 * storm.life
        age = age[near]
        away = np.hypot(x - storm.x - storm.u * age, (y - storm.y - storm.v * age))
        field[near] += storm.peak * np.exp(-((age / storm.life) ** 2) - (away / storm.reach) ** 2)
    # Numbered from now backwards, so that a longer span has the same texture in its last hours.
    texture = generator(seed, "texture").gamma(4.0, 0.25, (hours, *x.shape))[::-1]
    field[:] = np.round(field * texture, 1)
    field[field < 0.2] = 0.0
    return field


def cell(lon: float, lat: float) -> tuple[int, int]:
    """Row and column of the grid cell that a place is in."""
    return int(np.abs(LAT - lat).argmin()), int(np.abs(LON - lon).argmin())


def deliver(field: Floats, now: datetime, path: Path) -> int:
    """Write the grid as CF NetCDF, its last hour ending at ``now``; returns the number of hours."""
    hours = len(field)
    first = int(now.timestamp()) // 3600 - hours + 1
    end = np.arange(first, first + hours, dtype=np.float64)
    path.unlink(missing_ok=True)
    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        file.setncatts({
            "Conventions": "CF-1.8", "title": f"聊城市逐时降水格网（{write.LABEL}）", "institution": "聊城市气象局",
            "origin": write.ORIGIN, "source": "shikong.samples", "history": f"generated for {now.isoformat()}",
        })  # fmt: skip
        for name, size in (("time", hours), ("lat", len(LAT)), ("lon", len(LON)), ("bounds", 2)):
            file.createDimension(name, size)
        _axis(file, "time", end, {"units": "hours since 1970-01-01 00:00:00", "calendar": "standard",
                                  "standard_name": "time", "axis": "T", "bounds": "time_bounds"})  # fmt: skip
        _axis(file, "lat", LAT, {"units": "degrees_north", "standard_name": "latitude", "axis": "Y"})
        _axis(file, "lon", LON, {"units": "degrees_east", "standard_name": "longitude", "axis": "X"})
        file.createVariable("time_bounds", "f8", ("time", "bounds"))[:] = np.column_stack([end - 1, end])
        grid = file.createVariable("crs", "i4", ())
        grid.setncatts({"grid_mapping_name": "latitude_longitude", "semi_major_axis": 6378137.0,
                        "inverse_flattening": 298.257222101, "long_name": "CGCS2000 (EPSG:4490)"})  # fmt: skip
        variable = file.createVariable(
            "precipitation", "f4", ("time", "lat", "lon"), zlib=True, complevel=2, fill_value=np.float32(-9999)
        )
        variable.setncatts({
            "units": "mm", "standard_name": "precipitation_amount", "long_name": "逐时降水量",
            "cell_methods": "time: sum", "grid_mapping": "crs", "origin": write.ORIGIN,
        })  # fmt: skip
        variable[:] = field.astype("float32")
    return hours


def _axis(file: netCDF4.Dataset, name: str, values: Floats, attributes: dict[str, str]) -> None:
    variable = file.createVariable(name, "f8", (name,))
    variable.setncatts(attributes)
    variable[:] = values


def times(now: datetime, hours: int) -> list[datetime]:
    """The ends of the last ``hours`` hours, up to now."""
    return [now - timedelta(hours=hours - 1 - index) for index in range(hours)]

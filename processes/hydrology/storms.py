"""A storm that somebody invents, as an input, and the rain that it brings to gauges.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from shikong.hydrology.series import design_storm
from shikong.hydrology.series.design_storm import Floats
from shikong.processes.base import titled
from shikong.processes.hydrology import places
from shikong.processes.hydrology.readings import Station

#: The parameters of rain that gauges report, by the hour and by five minutes. An invented storm is told by the hour.
RAIN = ("drp", "pn05")


class Invented(BaseModel):
    """An invented storm: a triangle in time, falling off around a centre that moves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lon: float = Field(
        ge=-180, le=180, json_schema_extra=titled("雨峰时暴雨中心经度", "Longitude of the centre at the peak")
    )
    lat: float = Field(
        ge=-89, le=89, json_schema_extra=titled("雨峰时暴雨中心纬度", "Latitude of the centre at the peak")
    )
    peak_mm_h: float = Field(gt=0, le=200, json_schema_extra=titled("雨峰强度（mm/h）", "Rain at the peak (mm/h)"))
    duration_h: float = Field(gt=0, le=72, json_schema_extra=titled("历时（h）", "Duration (h)"))
    radius_km: float = Field(
        gt=0, le=500, json_schema_extra=titled("半径（km，雨强降至中心的 1/e）", "Radius (km), where rain is 1/e")
    )
    direction_deg: float = Field(
        0.0, ge=0, le=360, json_schema_extra=titled("移向（度，自北顺时针）", "Moves to (degrees from north by east)")
    )
    speed_km_h: float = Field(0.0, ge=0, le=150, json_schema_extra=titled("移速（km/h）", "Speed (km/h)"))
    peak_share: float = Field(
        0.4, ge=0, le=1, json_schema_extra=titled("雨峰位置（占历时的比例）", "Share of the duration before the peak")
    )

    def hourly(self, gauges: Sequence[Station], number: int) -> Floats:
        """The rain (t, n) at gauges of so many hours from the storm's beginning, to a tenth of a mm."""
        ((x, y),) = places.of([Station("", "", None, None, self.lon, self.lat)])
        storm = design_storm.Storm(
            x, y, self.peak_mm_h, self.duration_h, self.radius_km, self.direction_deg, self.speed_km_h, self.peak_share
        )
        return np.round(design_storm.hourly(storm, places.of(list(gauges)), number), 1)

"""The questions that the service answers, by process id, as pygeoapi's configuration names them.

SPDX-License-Identifier: Apache-2.0
"""

PROCESSORS = {
    "what-is-here": "shikong.processes.what_is_here.WhatIsHere",
    "plan-conflicts": "shikong.processes.plan_conflicts.PlanConflicts",
    "site-check": "shikong.processes.site_check.SiteCheck",
    "site-find": "shikong.processes.site_find.SiteFinding",
    "land-balance": "shikong.processes.land_balance.LandBalance",
    "conflict-assign": "shikong.processes.coordination.tasks.ConflictAssign",
    "coordination-open": "shikong.processes.coordination.opening.CoordinationOpen",
    "coordination-step": "shikong.processes.coordination.stepping.CoordinationStep",
    "coordination-status": "shikong.processes.coordination.status.CoordinationStatus",
    "land-use-change": "shikong.processes.land_use_change.LandUseChange",
    "station-state": "shikong.processes.station_state.StationState",
    "areal-rainfall": "shikong.processes.hydrology.areal_rainfall.ArealRainfall",
    "rain-frequency": "shikong.processes.hydrology.rain_frequency.RainFrequency",
    "drought-index": "shikong.processes.hydrology.drought_index.DroughtIndex",
    "runoff": "shikong.processes.hydrology.runoff.Runoff",
    "reservoir-room": "shikong.processes.hydrology.reservoir_room.ReservoirRoom",
    "water-balance": "shikong.processes.hydrology.water_balance.WaterBalance",
    "water-quality": "shikong.processes.hydrology.water_quality.WaterQuality",
    "water-forecast": "shikong.processes.forecasts.water_forecast.WaterForecast",
    "warning-rehearsal": "shikong.processes.warnings.rehearsal.Rehearsal",
    "watershed": "shikong.processes.hydrology.watershed.Watershed",
    "river-trace": "shikong.processes.hydrology.river_trace.RiverTrace",
    "stream-network": "shikong.processes.hydrology.stream_network.StreamNetwork",
    "inundation": "shikong.processes.hydrology.inundation.Inundation",
    "culture-this-week": "shikong.processes.culture_this_week.CultureThisWeek",
}

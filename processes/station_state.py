"""What is the state of each station now against its warning level, and how were its last days?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import io
import warnings
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import sql
from pydantic import Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Process, titled
from shikong.processes.moments import Then
from shikong.store import moments, observations, observed_tables, tables
from shikong.store.database import default as default_database

_NEWEST = """
    SELECT s.stcd, s.stnm, s.sttp, s.rvnm, s.wrz, s.grz, s.dtmnm, s.origin, z.time, z.value, st_x(s.geom), st_y(s.geom),
        r.parameter
    FROM {stations} AS s
    LEFT JOIN {series} AS r ON r.id = (
        SELECT id FROM {series} WHERE station = s.stcd AND parameter = ANY (%(stages)s)
        ORDER BY array_position(%(stages)s, parameter) LIMIT 1
    )
    LEFT JOIN LATERAL (
        SELECT o.time, o.value FROM {table} AS o WHERE o.series = r.id AND o.time <= %(until)s AND o.quality = 0
        ORDER BY o.time DESC LIMIT 1
    ) AS z ON true
    WHERE %(station)s::text IS NULL OR s.stcd = %(station)s
    ORDER BY s.stcd
"""

_VALUES = """
    SELECT r.station, r.parameter, o.time, o.value
    FROM {series} AS r JOIN {table} AS o ON o.series = r.id
    WHERE (%(station)s::text IS NULL AND r.parameter = ANY (%(stages)s) OR r.station = %(station)s)
      AND o.time > %(start)s AND o.time <= %(until)s AND o.quality = 0
    ORDER BY r.station, o.time
"""

# The browser sets the plot's texts in its own fonts; that this machine has none for Chinese does not matter.
warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)

#: A level this far below the warning level is near it (m). The rules leave "near" to each station; until a
#: station has its own margin this one stands in.
NEAR_M = 0.5

#: The parameters that are a station's level, the one that counts first: of rivers, and above sluices.
STAGES = ("z", "upz")

#: The code list of the states.
STATES = "station_state"


class Stations(Then):
    """All stations, or one with its plot."""

    station: str | None = Field(
        None, json_schema_extra=titled("测站编码（可选，给出后附过程线）", "Station code (optional; adds its plot)")
    )
    days: int = Field(7, ge=0, le=90, json_schema_extra=titled("过程线天数（0：不附）", "Days in the plots (0: none)"))


class StationState(Process):
    """Rates every station's newest level and draws its last days."""

    id = "station-state"
    title = Text(zh="测站实况与警戒", en="Stations against their warning levels")
    description = Text(
        zh="各站最新水位与警戒、保证水位之比较及近日过程线；没有指标的站如实标为无法评定。",
        en="Each station's newest level against its warning and guarantee levels, with its last days; "
        "a station without levels is said to be not rateable.",
    )
    inputs = Stations

    def answer(self, inputs: Stations) -> dict[str, Any]:
        """The states as rows, with small plots, and one large plot for a chosen station. Raises BadInput."""
        layer = catalog.default().layer("hydro_observations")
        stations = catalog.default().layer(layer.stations or "")
        table: sql.Composable = tables.table(layer)
        if inputs.as_of is not None:
            table = observations.known_at(layer, sql.SQL("%(known_at)s"))
        parts = {
            "table": table,
            "series": observed_tables.series(layer),
            "stations": moments.rows(stations, inputs.moment),
        }
        until = inputs.held_at or datetime.max.replace(tzinfo=UTC)
        params = inputs.moment.values | {"station": inputs.station, "until": until, "stages": list(STAGES)}
        database = default_database()
        newest = database.thread_fetch(sql.SQL(_NEWEST).format(**parts), params)
        if not newest:
            raise BadInput(
                "station", f"there is no station {inputs.station!r}" if inputs.station else "there is none yet"
            )
        last = max((row[8] for row in newest if row[8]), default=None)
        values: dict[str, dict[str, list[tuple[datetime, float]]]] = {}
        if last is not None and inputs.days:
            params["start"] = last - timedelta(days=inputs.days)
            for station, parameter, time, value in database.thread_fetch(sql.SQL(_VALUES).format(**parts), params):
                values.setdefault(station, {}).setdefault(parameter, []).append((time, value))
        states = {code: entry.title.zh for code, entry in catalog.default().codes[STATES].codes.items()}
        rows = [_row(row, states, values.get(row[0], {})) for row in newest]
        answer: dict[str, Any] = {
            "as_of": last.isoformat() if last else None,
            "counts": {
                title: number for code, title in states.items() if (number := sum(row["state"] == code for row in rows))
            },
            "stations": rows,
        }
        if inputs.station and values.get(inputs.station):
            answer["plot"] = _plot(newest[0], values[inputs.station])
        return answer


def state_of(level: float | None, warning: float | None, guarantee: float | None) -> str:
    """The state of a level (m) against a station's levels; missing levels are a state, never a default."""
    if level is None:
        return "no_level"
    if guarantee is not None and level >= guarantee:
        return "above_guarantee"
    if warning is None:
        return "not_rateable"
    if level >= warning:
        return "above_warning"
    return "near_warning" if level >= warning - NEAR_M else "normal"


def _row(
    row: tuple[Any, ...], states: dict[str, str], values: dict[str, list[tuple[datetime, float]]]
) -> dict[str, Any]:
    code, name, kind, river, warning, guarantee, datum, origin, time, level, x, y, parameter = row
    state = state_of(level, warning, guarantee)
    series = [value for _, value in values.get(parameter, [])]
    return {
        "station": code, "name": name, "type": kind, "river": river, "state": state, "state_zh": states[state],
        "level_m": level, "time": time.isoformat() if time else None, "warning_m": warning, "guarantee_m": guarantee,
        "datum": datum, "lon": x, "lat": y, "origin": origin, "image": _sparkline(series) if series else None,
    }  # fmt: skip


def _sparkline(values: list[float]) -> str:
    low, span, width, height = min(values), (max(values) - min(values)) or 1.0, 120, 28
    step = width / max(1, len(values) - 1)
    points = " ".join(
        f"{number * step:.1f},{height - 2 - (value - low) / span * (height - 4):.1f}"
        for number, value in enumerate(values)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
        f'<polyline points="{points}" fill="none" stroke="#1e5ab4" stroke-width="1.2"/></svg>'
    )


def _plot(row: tuple[Any, ...], values: dict[str, list[tuple[datetime, float]]]) -> str:
    """Stage with its warning lines, rain from above, as a picture whose texts the browser sets."""
    # Only plots need it, and the server starts without.
    from matplotlib import rc_context
    from matplotlib.dates import ConciseDateFormatter
    from matplotlib.figure import Figure

    name, warning, guarantee, stage = row[1], row[4], row[5], row[-1]
    with rc_context({"svg.fonttype": "none", "font.family": "sans-serif"}):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        axes = figure.subplots()
        if levels := values.get(stage):
            axes.plot(*zip(*levels, strict=True), color="#1e5ab4", label="水位 Stage (m)")
            for level, colour, label in (
                (warning, "#e6a23c", "警戒 Warning"),
                (guarantee, "#c8281e", "保证 Guarantee"),
            ):
                if level is not None:
                    axes.axhline(level, color=colour, linestyle="--", label=f"{label} {level:g} m")
        axes.set_ylabel("m")
        if rain := values.get("drp"):
            upper = axes.twinx()
            times, depths = zip(*rain, strict=True)
            upper.bar(times, depths, width=-1 / 24, align="edge", color="#78b4dc", alpha=0.7)
            upper.set_ylim(max(5.0, max(depths) * 3), 0)
            upper.set_ylabel("mm/h")
        axes.set_title(f"{name} ({row[0]})")
        axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
        if levels:
            axes.legend(loc="lower left", fontsize=8)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()

"""Courses over time as charts: rain as columns, levels and discharge as lines.

With lines, columns hang from above, as hydrologists draw rain over a hydrograph.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.ticker import FuncFormatter

_RAIN, _LINES = "#6BA5D6", ("#1E5AB4", "#C8281E", "#E6A23C", "#3C8C5A")
#: How times are told, alike in both languages: at a tick, beside the axis, and at a tick where a larger part changes.
_DATES = (
    None, ["%Y", "%m", "%d", "%H:%M", "%H:%M", "%H:%M:%S"],
    ["", "%Y", "%Y-%m", "%Y-%m-%d", "%Y-%m-%d", "%Y-%m-%d %H:%M"], ["", "%Y", "%m", "%m-%d", "%H:%M", "%H:%M"],
)  # fmt: skip
#: Of columns above and below 0, where they are an index.
_WET, _DRY = "#4A8FC7", "#C2703D"


@dataclass(frozen=True)
class Line:
    """Values that are drawn over time; None leaves a gap. unit: of the axis they stand on."""

    title: str
    unit: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Course:
    """One chart. times: of the values, each at the end of its step. columns: what hangs or stands; lines: what runs."""

    title: str
    times: Sequence[datetime]
    columns: Sequence[Line]
    lines: Sequence[Line] = ()

    #: As wide as what the axis at the left is told by.
    labels: Sequence[str] = ("000,000",)

    @property
    def margin(self) -> float:
        """The share of the width that is for an axis at the right."""
        return 0.05 if self.lines and self.columns else 0.0

    @property
    def height(self) -> float:
        """Inches of the chart, what stands around it not counted."""
        return 2.4

    def draw(self, axes: Any) -> None:
        """Draw into these axes."""
        times = date2num(self.times)  # type: ignore[no-untyped-call]
        step = float(np.diff(times).min()) if len(times) > 1 else 1.0
        if self.lines:
            for number, line in enumerate(self.lines):
                axes.plot(times, _floats(line), color=_LINES[number % len(_LINES)], linewidth=1.4, label=line.title)
            axes.set_ylabel(self.lines[0].unit)
            self._scale(axes)
        edges = np.concatenate([[times[0] - step], times])
        for line in self.columns:
            self._columns(axes.twinx() if self.lines else axes, edges, line)
        axes.set_title(self.title, loc="left", fontsize=11)
        locator = AutoDateLocator()  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, *_DATES))  # type: ignore[no-untyped-call]
        axes.set_xlim(times[0] - step, times[-1])
        axes.spines["top"].set_visible(False)
        axes.spines["right"].set_visible(bool(self.margin))
        if self.lines:
            axes.legend(fontsize=8, frameon=False, loc="center right")

    def _scale(self, axes: Any) -> None:
        """Room above the lines for what hangs there, and none below 0 where nothing is."""
        values = np.concatenate([_floats(line) for line in self.lines])
        low, high = (float(edge(values)) if not np.isnan(values).all() else 0.0 for edge in (np.nanmin, np.nanmax))
        span = (high - low) or 1.0
        bottom = low - 0.1 * span
        axes.set_ylim(max(bottom, 0.0) if low >= 0 else bottom, high + (0.35 if self.columns else 0.1) * span)

    def _columns(self, axes: Any, edges: Any, line: Line) -> None:
        values = np.nan_to_num(_floats(line))
        signed, alpha = bool((values < 0).any()), 0.55 if self.lines else 1.0
        # One outline for all of them: a year of hours as bars of their own takes seconds and megabytes.
        axes.stairs(np.maximum(values, 0), edges, fill=True, color=_WET if signed else _RAIN, alpha=alpha)
        if signed:
            axes.stairs(np.minimum(values, 0), edges, fill=True, color=_DRY, alpha=alpha)
        axes.set_ylabel(f"{line.title} ({line.unit})" if line.unit != "1" else line.title)
        if self.lines:
            axes.set_ylim(max(float(values.max()), 1.0) * 2.6, 0)
            axes.spines["top"].set_visible(False)
        else:
            axes.axhline(0, color="#8A8A7A", linewidth=0.6)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _floats(line: Line) -> Any:
    return np.array([np.nan if value is None else value for value in line.values], dtype=float)

"""The results as a table for people and as JSON for programs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from client import Timing
from rich.console import Console
from rich.table import Table

#: What each measure must reach against the minimal application and against stock pygeoapi; None: no goal.
GOALS: dict[str, tuple[float, float | None]] = {
    "items 10": (0.8, None), "items 100": (0.9, None), "items 1000": (1.0, 8.0),
    "filter 10": (0.8, None), "filter 1000": (1.0, None),
    "tiles z13": (1.2, None), "tiles z14": (1.2, None), "tiles z15": (1.2, None), "tiles z16": (1.2, None),
}  # fmt: skip


@dataclass
class Measure:
    """One kind of question, and how each server did. note: what is in an answer."""

    name: str
    note: str
    timings: dict[str, Timing] = field(default_factory=dict)

    def ratio(self, peer: str) -> float | None:
        """Our rate over the peer's."""
        if peer not in self.timings:
            return None
        return self.timings["shikong"].rate / self.timings[peer].rate


def show(measures: list[Measure], out: Console) -> None:
    """Print the table."""
    table = Table("measure", "server", title="requests on one 500,000-polygon table, 8 clients", show_lines=False)
    for column in ("requests", "requests/s", "p50 ms", "p95 ms", "MB/s", "ours / it", "goal"):
        table.add_column(column, justify="right")
    for measure in measures:
        labels = [measure.name, f"[dim]{measure.note}[/]"]
        for name, timing in measure.timings.items():
            ratio = None if name == "shikong" else measure.ratio(name)
            goal = _goal(measure.name, name)
            table.add_row(
                labels.pop(0) if labels else "", name, str(len(timing.latencies)), f"{timing.rate:.1f}",
                f"{timing.percentile(0.5):.1f}", f"{timing.percentile(0.95):.1f}",
                f"{timing.received / timing.elapsed / 1e6:.1f}", "" if ratio is None else f"{ratio:.2f}",
                "" if ratio is None or goal is None else f"{'✓' if ratio >= goal else '✗'} {goal}",
            )  # fmt: skip
        table.add_section()
    out.print(table)


def _goal(measure: str, peer: str) -> float | None:
    goals = GOALS.get(measure)
    if goals is None:
        return None
    return {"minimal": goals[0], "stock": goals[1]}.get(peer)


def write(path: Path, measures: list[Measure], rows: int) -> None:
    """Write the results as JSON."""
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "memory_gib": _memory(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pygeoapi", "psycopg", "starlette", "uvicorn", "orjson")},
        "rows": rows,
        "measures": {
            measure.name: {
                "note": measure.note,
                "servers": {name: _figures(timing) for name, timing in measure.timings.items()},
                "ratio": {name: measure.ratio(name) for name in measure.timings if name != "shikong"},
            }
            for measure in measures
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


def _figures(timing: Timing) -> dict[str, float]:
    return {
        "requests": len(timing.latencies), "per_second": round(timing.rate, 3),
        "p50_ms": round(timing.percentile(0.5), 2), "p95_ms": round(timing.percentile(0.95), 2),
        "bytes": timing.received,
    }  # fmt: skip


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)

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
from crowd import CLIENTS, Crowd
from deep import LIMIT, Deep
from rich.console import Console
from rich.table import Table

#: What each measure must reach against a peer.
GOALS: dict[str, dict[str, float]] = {
    "items 10": {"minimal": 0.8}, "items 100": {"minimal": 0.9},
    "items 1000": {"minimal": 1.0, "stock": 8.0, "tipg": 5.0},
    "filter 10": {"minimal": 0.8}, "filter 1000": {"minimal": 1.0},
    **{f"tiles z{zoom}": {"minimal": 1.2, "tipg": 3.0} for zoom in (13, 14, 15, 16)},
}  # fmt: skip
#: A far page may cost so many times a first one; of many clients the slowest hundredth may wait so many times the
#: median; and memory may grow by so much from the middle to the end.
DEEP, SPREAD, GROWTH = 1.2, 10.0, 1.1


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


@dataclass
class Results:
    """All that a run has found. rows: of the table. deep: by server."""

    rows: int
    measures: list[Measure] = field(default_factory=list)
    deep: dict[str, Deep] = field(default_factory=dict)
    crowd: Crowd | None = None


def show(results: Results, out: Console) -> None:
    """Print the tables."""
    if results.measures:
        _show_measures(results.measures, out)
    for name, found in results.deep.items():
        mark = ("✓" if found.cost <= DEEP else "✗") + f" {DEEP}" if name == "shikong" else ""
        out.print(
            f"deep · {name}: page 1 {found.first.percentile(0.5):.1f} ms, page {found.page:,} "
            f"{found.far.percentile(0.5):.1f} ms (p50, {LIMIT} features): {found.cost:.2f} x {mark}"
        )
    if results.crowd is not None:
        _show_crowd(results.crowd, out)


def _show_crowd(crowd: Crowd, out: Console) -> None:
    timing, (start, middle, end) = crowd.timing, crowd.memory
    out.print(
        f"crowd · {CLIENTS} clients, {timing.elapsed:.0f} s: {len(timing.latencies):,} answers, "
        f"{'✗ ' + str(dict(crowd.errors)) if crowd.errors else '✓ no error'}; p50 {timing.percentile(0.5):.0f} ms, "
        f"p99 {timing.percentile(0.99):.0f} ms, p99/p50 {crowd.spread:.1f} {'✓' if crowd.spread < SPREAD else '✗'} "
        f"{SPREAD:g}; memory {start / 1e6:.0f}, {middle / 1e6:.0f}, {end / 1e6:.0f} MB "
        f"{'✓' if end <= middle * GROWTH else '✗'} flat"
    )


def _show_measures(measures: list[Measure], out: Console) -> None:
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
    return GOALS.get(measure, {}).get(peer)


def write(path: Path, results: Results) -> None:
    """Write the results as JSON."""
    document: dict[str, Any] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "memory_gib": _memory(), "python": platform.python_version()},
        "versions": {name: version(name) for name in ("pygeoapi", "psycopg", "starlette", "uvicorn", "orjson")},
        "rows": results.rows,
        "measures": {
            measure.name: {
                "note": measure.note,
                "servers": {name: _figures(timing) for name, timing in measure.timings.items()},
                "ratio": {name: measure.ratio(name) for name in measure.timings if name != "shikong"},
            }
            for measure in results.measures
        },
        "deep": {
            name: {"page": found.page, "cost": found.cost, "first": _figures(found.first), "far": _figures(found.far)}
            for name, found in results.deep.items()
        },
    }
    if (many := results.crowd) is not None:
        document["crowd"] = _figures(many.timing) | {
            "clients": CLIENTS, "errors": dict(many.errors), "spread": many.spread, "memory": many.memory,
            "p99_ms": round(many.timing.percentile(0.99), 2),
        }  # fmt: skip
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

"""How fast is the service beside the least that could do the same, beside stock pygeoapi, and beside tipg?

Run by `make bench`; see bench/README.md for what is compared and how fair it is.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import city_table
import crowd
import deep
import psycopg
import questions
import report
import servers
import tipg_peer
import uvloop
from client import Question, Timing, run_round
from rich.console import Console
from servers import Server

from shikong.store.cluster import Cluster

ROUNDS = 3
#: Share of a round that is asked before it counts.
WARM_UP = 0.3

ERR = Console(stderr=True)
Plan = list[tuple[str, str, Callable[[Server], list[Question]]]]


def main() -> None:
    """Prepare, measure, print, write."""
    options = _options()
    data = Path(os.environ.get("SHIKONG_BENCH_DATA") or servers.ROOT / "var/bench").resolve()
    cluster = city_table.prepare(data, options.size, _say)
    try:
        with tempfile.TemporaryDirectory(prefix="shikong-bench-") as folder:
            results = _compare(cluster, options, data, Path(folder))
    finally:
        cluster.stop()
    report.show(results, Console(width=120))
    report.write(data / ("quick.json" if options.quick else "latest.json"), results)


def _compare(cluster: Cluster, options: argparse.Namespace, data: Path, folder: Path) -> report.Results:
    dsn = cluster.dsn_of(city_table.DATABASE)
    names = [name for name in servers.NAMES if name not in options.without]
    tipg = tipg_peer.python(data, _say) if "tipg" in names else ""
    results = report.Results(city_table.row_count(dsn))
    with psycopg.connect(dsn) as conn:
        _say("choosing windows and tiles, counting what is in them")
        plan = _plan(conn, options.only)
        with servers.running(dsn, folder, names, tipg) as chosen:
            compared = questions.same_answers(conn, chosen, servers.get)
            _say(f"all servers found the same {compared} parcels in {questions.SMALL_WINDOWS} small windows")
            for name, note, make in plan:
                results.measures.append(_measure(name, note, make, _able(name, chosen), options.seconds))
            if options.only in (None, "deep"):
                for server in chosen:
                    if server.page is not None:
                        results.deep[server.name] = _deep(server, results.rows, options.seconds)
            if options.only in (None, "crowd"):
                results.crowd = _crowd(chosen[0], conn, options.crowd_seconds)
    return results


def _plan(conn: psycopg.Connection[tuple[object, ...]], only: str | None) -> Plan:
    """The measures: name, what is in an answer, and the questions to a server."""
    plan: Plan = []
    if only in (None, "items", "filter"):
        found = questions.windows(conn)
        codes = questions.common_codes(conn)
        for limit in questions.FILTER_LIMITS:
            plan.append(
                (
                    f"filter {limit}",
                    "a place, a number, a list",
                    lambda server, n=limit: questions.filter_questions(server, found, codes, n),
                )
            )
    if only in (None, "items"):
        mean = round(sum(window.holds for window in found) / len(found))
        for limit in questions.LIMITS:
            note = f"windows of {mean} parcels (mean)"
            plan.append(
                (f"items {limit}", note, lambda server, n=limit: questions.items_questions(server, found, n))  # type: ignore[misc]
            )
    if only in (None, "tiles"):
        for zoom in questions.ZOOMS:
            tiles = questions.tiles(conn, zoom)
            mean = round(sum(tile.features for tile in tiles) / len(tiles))
            note = f"tiles of {mean} parcels (mean)"
            plan.append((f"tiles z{zoom}", note, lambda server, t=tiles: questions.tile_questions(server, t)))  # type: ignore[misc]
    return plan


def _able(name: str, chosen: list[Server]) -> list[Server]:
    """The servers that can be asked this: stock pygeoapi reads no CQL2."""
    lacking = {"filter": "filtered", "tiles": "tile"}.get(name.partition(" ")[0])
    return [server for server in chosen if lacking is None or getattr(server, lacking) is not None]


def _deep(server: Server, rows: int, seconds: float) -> deep.Deep:
    """First pages and far ones in turns."""
    found = deep.Deep(deep.page_of(rows))
    first, far = deep.questions(server, found.page, servers.get)
    for number in range(ROUNDS):
        found.first.add(uvloop.run(run_round(server.port, first, seconds / ROUNDS, number)))
        found.far.add(uvloop.run(run_round(server.port, far, seconds / ROUNDS, number)))
    _say(f"deep: page {found.page:,} of {server.name} costs {found.cost:.2f} x page 1")
    return found


def _crowd(server: Server, conn: psycopg.Connection[tuple[object, ...]], seconds: float) -> crowd.Crowd:
    """Many clients on the service alone, with the windows of the measures."""
    asked = questions.items_questions(server, questions.windows(conn), 100)
    uvloop.run(run_round(server.port, asked, min(seconds, 3), 0))
    _say(f"{crowd.CLIENTS} clients for {seconds:g} s")
    return uvloop.run(crowd.run(server.port, server.process, asked, seconds))


def _measure(
    name: str, note: str, make: Callable[[Server], list[Question]], chosen: list[Server], seconds: float
) -> report.Measure:
    """Ask all servers in turns, in several rounds, so that a drift of the machine touches all alike.

    A server so slow that its warm-up alone takes longer than all rounds is judged by that.
    """
    asked = {server.name: make(server) for server in chosen}
    length = seconds / ROUNDS
    warm_up = {
        server.name: uvloop.run(run_round(server.port, asked[server.name], length * WARM_UP, 0)) for server in chosen
    }
    slow = {server: timing for server, timing in warm_up.items() if timing.elapsed > seconds}
    measure = report.Measure(name, note, {server.name: slow.get(server.name, Timing()) for server in chosen})
    for number in range(ROUNDS):
        for server in chosen:
            if server.name not in slow:
                timing = uvloop.run(run_round(server.port, asked[server.name], length, number * 17))
                measure.timings[server.name].add(timing)
    ratios = ", ".join(f"{measure.ratio(peer) or 0:.2f} x {peer}" for peer in measure.timings if peer != "shikong")
    _say(f"{name}: {ratios}")
    return measure


def _say(text: str) -> None:
    ERR.print(f"[cyan]▸[/] {text}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15, help="seconds per server and measure (default 15)")
    parser.add_argument("--only", choices=("items", "filter", "tiles", "deep", "crowd"), help="measure only these")
    parser.add_argument("--quick", action="store_true", help="3 seconds per server and measure: a smoke test")
    parser.add_argument("--without", action="append", default=[], choices=servers.NAMES[1:], help="leave a peer out")
    parser.add_argument("--crowd-seconds", type=float, default=60, help="seconds with many clients (default 60)")
    parser.add_argument("--size", default="city", help="size of the sample city when there is no table yet")
    options = parser.parse_args()
    if options.quick:
        options.seconds, options.crowd_seconds = 3, 5
    return options


if __name__ == "__main__":
    main()

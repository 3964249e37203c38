"""How well does the daily model do on real basins?

Two basins of CAMELS (Newman et al. 2015) and the Salmon River, in the files that lie beside the project. The model is
calibrated on the first part of each record and judged on the rest; the mean of what was observed, and that of each
calendar month, are judged beside it. Run by `make bench-hydrology`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support.basins import BASINS, Basin, judged

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "hydrology"


def main() -> None:
    """Calibrate, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder with the basins' files")
    parser.add_argument("--rounds", type=int, default=60, help="rounds of the search (default 60)")
    asked = parser.parse_args()
    if not asked.data.is_dir():
        sys.exit(f"no basins at {asked.data}")
    shown = Table("basin", "km²", "part", "days", "NSE", "KGE", "volume error", "NSE of the mean", "NSE of month means",
                  title="GR4J with a degree-day snow store, daily discharge")  # fmt: skip
    for read in BASINS:
        basin = read(asked.data)
        for row in rows(basin, asked.rounds):
            shown.add_row(*row)
    Console(width=150).print(shown)


def rows(basin: Basin, rounds: int) -> list[tuple[str, ...]]:
    """The lines of a basin."""
    found = judged(basin, rounds)
    return [
        (basin.name, f"{basin.area:,.0f}", part, f"{of.days:,}", f"{of.nse:.2f}", f"{of.kge:.2f}", f"{of.volume:+.1%}",
         f"{of.nse_mean:.2f}", f"{of.nse_months:.2f}")
        for part, of in found.items()
    ]  # fmt: skip


if __name__ == "__main__":
    main()

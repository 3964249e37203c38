"""What an ingest did, for people and for programs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from shikong.ingest.quality.findings import Finding, Kind
from shikong.store.releases import Counts

_WORDS = {"stop": "{number} stop the load", "error": "quarantined {number}", "warning": "warning {number}"}


@dataclass
class Report:
    """The account of one ingest: every row read is stored or quarantined, with the reason."""

    layer: str
    source: str
    format: str
    crs: str
    crs_how: str
    counts: Counts
    release: int
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    results: Counter[Kind] = field(default_factory=Counter)
    unchecked: dict[str, str] = field(default_factory=dict)

    def print(self, console: Console) -> None:
        """Print the account."""
        counts = self.counts
        table = Table(title=f"{self.layer} ← {self.source}", title_justify="left", show_header=False)
        table.add_row("format", self.format)
        table.add_row("CRS", f"{self.crs} ({self.crs_how})")
        table.add_row("rows read", f"{counts.read:,}")
        table.add_row("rows stored", f"{counts.stored:,}")
        table.add_row("rows quarantined", f"{counts.quarantined:,}")
        table.add_row(
            f"release {self.release}",
            f"{counts.added:,} added, {counts.changed:,} changed, {counts.ended:,} ended, "
            f"{counts.unchanged:,} unchanged",
        )
        for note in self.notes:
            table.add_row("note", note)
        console.print(table)
        for (rule, name, severity), number in self.results.most_common():
            first = next(
                item for item in self.findings if (item.rule, item.field or "", item.severity) == (rule, name, severity)
            )
            place = "" if first.source_row is None else f"row {first.source_row}, "
            out = _WORDS[severity].format(number=f"{number:,}")
            console.print(f"  {out}: {rule} {name} (first: {place}value {first.value!r})", soft_wrap=True)

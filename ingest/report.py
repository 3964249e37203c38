"""What an ingest did, for people and for programs.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from shikong.ingest.convert import Rejection
from shikong.store.releases import Counts


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
    rejections: list[Rejection] = field(default_factory=list)

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
        reasons = Counter((rejection.rule, rejection.field or "") for rejection in self.rejections)
        for (rule, name), number in reasons.most_common():
            first = next(item for item in self.rejections if item.rule == rule and (item.field or "") == name)
            console.print(
                f"  quarantined {number:,}: {rule} {name} (first: row {first.source_row}, value {first.value!r})"
            )

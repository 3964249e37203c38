"""What a check found, and the running account of all that was found.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely

from shikong.layers.rules import Severity
from shikong.store.quarantine import FindingRow

#: Findings of one rule that are kept with their values; all of them are counted.
KEPT_OF_A_RULE = 20_000


@dataclass(frozen=True)
class Finding:
    """One place where a rule is broken.

    source_row: counts from 1; None for what is no row, such as a gap between rows.
    field: the attribute, or `geometry`. value: what it was, as text, or what stands against it.
    key: the feature's own identifier, where it is known. shape: where it is (WKB, EPSG:4490).
    """

    source_row: int | None
    rule: str
    field: str | None
    value: str | None
    severity: Severity = "error"
    key: str | None = None
    shape: bytes | None = None

    @property
    def row(self) -> FindingRow:
        """As the release keeps it."""
        return self.source_row, self.rule, self.field, self.severity, self.value, self.key, self.shape


#: What tells kinds of findings apart: rule, field, severity.
Kind = tuple[str, str, Severity]


@dataclass
class Account:
    """Rows read and refused, and the findings by kind."""

    read: int = 0
    refused: int = 0
    repaired: int = 0
    keyless: int = 0
    counts: Counter[Kind] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    unchecked: dict[str, str] = field(default_factory=dict)

    def add(self, found: Iterable[Finding]) -> None:
        """Count findings and keep the first of each kind."""
        for finding in found:
            kind: Kind = (finding.rule, finding.field or "", finding.severity)
            self.counts[kind] += 1
            if self.counts[kind] <= KEPT_OF_A_RULE:
                self.findings.append(finding)

    @property
    def stops(self) -> list[Kind]:
        """The kinds of findings that refuse the whole load."""
        return [kind for kind in self.counts if kind[2] == "stop"]


def storable(shapes: Any) -> list[bytes | None]:
    """Shapes as WKB, None for those that PostGIS would not take: rings of less than four points."""
    shapes = np.asarray(shapes, dtype=object)
    parts, owner = shapely.get_parts(shapes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    broken = np.zeros(len(shapes), dtype=bool)
    broken[owner[part[shapely.get_num_coordinates(rings) < 4]]] = True
    return [None if bad else wkb for wkb, bad in zip(shapely.to_wkb(shapes), broken, strict=True)]

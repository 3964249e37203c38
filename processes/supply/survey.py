"""The land survey's areas at the time that is asked of, and what changed since an earlier one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from shikong.layers.code_lists import CodeList
from shikong.layers.conflict_rules import Side
from shikong.layers.model import Layer
from shikong.processes.supply import areas, flows
from shikong.processes.supply.areas import Amounts, Scope
from shikong.processes.supply.flows import Flows
from shikong.store import ellipsoid
from shikong.store.moments import Moment, Period

LAYER = "parcels"
#: The survey's class of cropland, with all below it.
CROPLAND = "01"
CONSTRUCTION = "construction"

#: A county is surveyed where parcels cover so much of it. Less is a part, of which the county's figures do not follow.
_COVERED = 0.99


@dataclass(frozen=True)
class Survey:
    """A state of the survey. until: the time that it is of. areas: by county and lowest class."""

    scope: Scope
    known_at: datetime | None
    until: datetime
    areas: Amounts

    @property
    def listed(self) -> CodeList:
        """The code list of its classes."""
        return classes_of(self.scope)[2]

    def since(self, earlier: datetime) -> tuple[Survey, Flows]:
        """The state at an earlier time, and what land became what since then."""
        layer, field, _ = classes_of(self.scope)
        changed = flows.between(self.scope, layer, field, self.known_at, (earlier, self.until))
        return read(self.scope, Moment(Period(earlier, earlier), self.known_at), earlier), changed

    def is_cropland(self, code: str | None) -> bool:
        """Whether a class is cropland."""
        return code in self.listed.codes and self.listed.within(code or "", CROPLAND)

    def is_construction(self, code: str | None) -> bool:
        """Whether a class is construction land."""
        return code in self.listed.codes and self.listed.group_of(code or "") == CONSTRUCTION

    def coverage(self) -> dict[str, float]:
        """How much of each wanted county parcels cover, as a share."""
        wanted = self.scope.wanted
        whole = ellipsoid.areas(wanted.shapes)
        mine = areas.of_counties(self.areas)
        return {code: mine.get(code, 0) / float(area) for code, area in zip(wanted.codes, whole, strict=True)}

    def covers(self) -> dict[str, bool]:
        """Which wanted counties are surveyed, so that sums of parcels are the county's."""
        return {code: share >= _COVERED for code, share in self.coverage().items()}


def classes_of(scope: Scope) -> tuple[Layer, str, CodeList]:
    """The layer of parcels, the field with their classes and its code list."""
    field, system = scope.city.class_field(Side.model_validate({"layer": LAYER}))
    assert field is not None
    assert system is not None
    return scope.city.layer(LAYER), field, scope.city.codes[system]


def read(scope: Scope, moment: Moment, until: datetime) -> Survey:
    """The survey at a moment."""
    layer, field, _ = classes_of(scope)
    return Survey(scope, moment.known_at, until, areas.by_county(scope, layer, field, moment))

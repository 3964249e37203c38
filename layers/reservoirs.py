"""What is declared of each reservoir: its curve and the levels that it is held to (layers/reservoirs.yml).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shikong.layers.declared import Declared, Text

#: A day of any year, month before day: 0615.
MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")]


class LimitDecl(Declared):
    """A flood-limit level (汛限水位) and the days of each year that it holds, the first and the last included."""

    title: Text
    begins: MonthDay
    ends: MonthDay = Field(description="before `begins` where the period goes over the end of the year")
    level: float = Field(description="m")

    @model_validator(mode="after")
    def _real_days(self) -> Self:
        for name in ("begins", "ends"):
            try:
                datetime.strptime(f"2024{getattr(self, name)}", "%Y%m%d")  # noqa: DTZ007  (a day has no zone)
            except ValueError:
                raise ValueError(f"{name}: there is no day {getattr(self, name)}") from None
        return self


class Reservoir(Declared):
    """A reservoir, by the facts that no reading tells. Levels in m of `datum`, storages in 10^6 m³."""

    title: Text
    datum: str = Field(description="the vertical datum of all its levels, as the station names its own")
    origin: Literal["delivered", "generated"] = Field(description="generated: facts of the sample city")
    source: str = Field(description="where the facts are from, and of when")
    dead_level: float
    normal_level: float
    crest_level: float = Field(description="of the dam")
    curve: tuple[tuple[float, float], ...] = Field(min_length=2, description="[level, storage], from low to high")
    flood_limits: tuple[LimitDecl, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        for (level, storage), (higher, more) in zip(self.curve, self.curve[1:], strict=False):
            if higher <= level or more <= storage:
                raise ValueError(f"curve: level and storage rise from point to point, but not at {higher} m")
        if not self.curve[0][0] <= self.dead_level < self.normal_level < self.crest_level <= self.curve[-1][0]:
            raise ValueError("the dead, normal and crest levels rise, and lie on the curve")
        for limit in self.flood_limits:
            if not self.dead_level < limit.level <= self.crest_level:
                raise ValueError(f"flood_limits: {limit.level} m is not between the dead level and the crest")
        return self


class Reservoirs(Declared):
    """All reservoirs, each by the code of its station."""

    reservoirs: dict[str, Reservoir] = Field(default_factory=dict)

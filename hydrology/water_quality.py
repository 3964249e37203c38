"""Which class is surface water of, by what was measured in it (GB 3838-2002, table 1)?

The worst item decides. Of rivers, water temperature, total nitrogen and faecal coliform take no part
(地表水环境质量评价办法, 环办〔2011〕22号); of lakes and reservoirs nitrogen does, and phosphorus has limits of its own.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Body = Literal["river", "lake"]

#: From the best; WORSE is beyond V.
CLASSES = ("I", "II", "III", "IV", "V")
WORSE = "V-"

#: Upper limits of the classes in mg/L, but of oxygen, of which they are lower ones.
_UPPER: dict[str, tuple[float, ...]] = {
    "codmn": (2, 4, 6, 10, 15), "codcr": (15, 15, 20, 30, 40), "bod5": (3, 3, 4, 6, 10),
    "nh4n": (0.15, 0.5, 1.0, 1.5, 2.0), "cu": (0.01, 1, 1, 1, 1), "zn": (0.05, 1, 1, 2, 2), "f": (1, 1, 1, 1.5, 1.5),
    "se": (0.01, 0.01, 0.01, 0.02, 0.02), "ars": (0.05, 0.05, 0.05, 0.1, 0.1),
    "hg": (0.00005, 0.00005, 0.0001, 0.001, 0.001), "cd": (0.001, 0.005, 0.005, 0.005, 0.01),
    "cr6": (0.01, 0.05, 0.05, 0.05, 0.1), "pb": (0.01, 0.01, 0.05, 0.05, 0.1), "cn": (0.005, 0.05, 0.2, 0.2, 0.2),
    "vlph": (0.002, 0.002, 0.005, 0.01, 0.1), "oil": (0.05, 0.05, 0.05, 0.5, 1.0), "las": (0.2, 0.2, 0.2, 0.3, 0.3),
    "s2": (0.05, 0.1, 0.2, 0.5, 1.0),
}  # fmt: skip
_PHOSPHORUS: dict[Body, tuple[float, ...]] = {
    "river": (0.02, 0.1, 0.2, 0.3, 0.4), "lake": (0.01, 0.025, 0.05, 0.1, 0.2)
}  # fmt: skip
_NITROGEN = (0.2, 0.5, 1.0, 1.5, 2.0)
_OXYGEN = (7.5, 6, 5, 3, 2)
_ACIDITY = (6.0, 9.0)

#: The class that water is meant to reach at least; above its limit an item is said to be exceeded.
_TARGET = CLASSES.index("III")


@dataclass(frozen=True)
class Item:
    """An item's class. limit: of class III. times: by how many times the limit it is exceeded, None where it is not, or
    where that means nothing (oxygen, pH)."""

    name: str
    value: float
    grade: str
    limit: float
    times: float | None


@dataclass(frozen=True)
class Quality:
    """The class of water, and its items; deciding: those that have that class, if it is beyond III."""

    grade: str
    items: list[Item]

    @property
    def deciding(self) -> list[Item]:
        """The items to which the class is due."""
        return [item for item in self.items if item.grade == self.grade and _rank(self.grade) > _TARGET]


def rate(values: Mapping[str, float], body: Body) -> Quality | None:
    """The class by items in mg/L (pH without unit), named as in the layer `water_quality`; others take no part.

    None where there is none of them.
    """
    found = [item for name, value in values.items() if (item := _item(name, value, body)) is not None]
    if not found:
        return None
    return Quality(max((item.grade for item in found), key=_rank), found)


def _item(name: str, value: float, body: Body) -> Item | None:
    if name == "ph":
        low, high = _ACIDITY
        sound = low <= value <= high
        return Item(name, value, CLASSES[0] if sound else WORSE, high if value > low else low, None)
    if name == "dox":
        grade = next((grade for grade, limit in zip(CLASSES, _OXYGEN, strict=True) if value >= limit), WORSE)
        return Item(name, value, grade, _OXYGEN[_TARGET], None)
    limits = _UPPER.get(name)
    if name == "tp":
        limits = _PHOSPHORUS[body]
    elif name == "tn" and body == "lake":
        limits = _NITROGEN
    if limits is None:
        return None
    grade = next((grade for grade, limit in zip(CLASSES, limits, strict=True) if value <= limit), WORSE)
    over = value / limits[_TARGET] - 1
    return Item(name, value, grade, limits[_TARGET], round(over, 2) if over > 0 else None)


def _rank(grade: str) -> int:
    return len(CLASSES) if grade == WORSE else CLASSES.index(grade)

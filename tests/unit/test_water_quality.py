"""Classes of water against the table of GB 3838-2002.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import pytest

from shikong.hydrology import water_quality
from shikong.hydrology.water_quality import Body
from shikong.layers import catalog

#: Item, body, value, class: on each limit, just beyond it, and beyond V.
TABLE: list[tuple[str, Body, float, str]] = [
    ("codmn", "river", 2, "I"), ("codmn", "river", 2.01, "II"), ("codmn", "river", 6, "III"), ("codmn", "river", 10.1, "V"),
    ("codmn", "river", 15.1, "V-"), ("codcr", "river", 15, "I"), ("codcr", "river", 20, "III"), ("codcr", "lake", 40, "V"),
    ("nh4n", "river", 0.15, "I"), ("nh4n", "river", 0.5, "II"), ("nh4n", "river", 1.0, "III"), ("nh4n", "river", 2.1, "V-"),
    ("tp", "river", 0.1, "II"), ("tp", "lake", 0.1, "IV"), ("tp", "river", 0.2, "III"), ("tp", "lake", 0.21, "V-"),
    ("tn", "lake", 1.0, "III"), ("tn", "lake", 2.1, "V-"), ("dox", "river", 7.5, "I"), ("dox", "river", 7.49, "II"),
    ("dox", "river", 5, "III"), ("dox", "river", 2, "V"), ("dox", "river", 1.9, "V-"), ("bod5", "river", 4, "III"),
    ("ph", "river", 7.8, "I"), ("ph", "river", 9.1, "V-"), ("ph", "lake", 5.9, "V-"),
]  # fmt: skip


#: The rest of the table as it is printed: limits of classes I to V.
PRINTED = """
    cu 0.01 1.0 1.0 1.0 1.0
    zn 0.05 1.0 1.0 2.0 2.0
    f 1.0 1.0 1.0 1.5 1.5
    se 0.01 0.01 0.01 0.02 0.02
    ars 0.05 0.05 0.05 0.1 0.1
    hg 0.00005 0.00005 0.0001 0.001 0.001
    cd 0.001 0.005 0.005 0.005 0.01
    cr6 0.01 0.05 0.05 0.05 0.1
    pb 0.01 0.01 0.05 0.05 0.1
    cn 0.005 0.05 0.2 0.2 0.2
    vlph 0.002 0.002 0.005 0.01 0.1
    oil 0.05 0.05 0.05 0.5 1.0
    las 0.2 0.2 0.2 0.3 0.3
    s2 0.05 0.1 0.2 0.5 1.0
"""


@pytest.mark.parametrize("line", PRINTED.split("\n")[1:-1])
def test_metals_and_the_like_have_the_classes_that_are_printed(line: str) -> None:
    name, *limits = line.split()
    for at, limit in enumerate(map(float, limits)):
        found, beyond = (water_quality.rate({name: value}, "river") for value in (limit, limit * 1.01))
        assert found is not None
        assert beyond is not None
        # Of classes with one limit the best counts.
        assert found.grade == water_quality.CLASSES[limits.index(limits[at])]
        worse = [grade for grade, other in zip(water_quality.CLASSES, limits, strict=True) if float(other) > limit]
        assert beyond.grade == (worse[0] if worse else water_quality.WORSE)
    assert name in catalog.default().layer("water_quality").parameters


@pytest.mark.parametrize(("name", "body", "value", "grade"), TABLE)
def test_an_item_has_the_class_of_the_table(name: str, body: Body, value: float, grade: str) -> None:
    found = water_quality.rate({name: value}, body)
    assert found is not None
    assert found.grade == grade


def test_the_worst_item_decides_and_is_named_with_what_it_exceeds() -> None:
    found = water_quality.rate({"dox": 8.0, "codmn": 9.0, "nh4n": 1.5, "tp": 0.2, "tn": 9.0, "c": 30.0}, "river")
    assert found is not None
    assert found.grade == "IV"
    assert [(item.name, item.times) for item in found.deciding] == [("codmn", 0.5), ("nh4n", 0.5)]
    assert {item.name for item in found.items} == {"dox", "codmn", "nh4n", "tp"}  # neither nitrogen nor warmth


def test_good_water_is_due_to_nothing_and_nothing_is_no_class() -> None:
    found = water_quality.rate({"dox": 8.0, "codmn": 3.0}, "lake")
    assert found is not None
    assert (found.grade, found.deciding) == ("II", [])
    assert water_quality.rate({"c": 20.0, "tn": 1.0}, "river") is None


def test_every_class_has_its_title() -> None:
    known = catalog.default().codes["water_quality_class"].codes
    assert list(known) == [*water_quality.CLASSES, water_quality.WORSE]

"""What land class does each face of a village have?

Classes are codes of the land survey (layers/codes/land_use_survey.yml). Fields of one band tend to
be alike; what a region grows follows its county: pears in Guanxian, greenhouses in Shenxian.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shikong.samples import places
from shikong.samples.blocks import CORE, FIELD, LEVEE, RING, ROAD, WATER, Faces, Village
from shikong.samples.plane import Floats, Noise, generator

Codes = NDArray[np.str_]

MAIN_CANALS = frozenset(river.id for river in places.RIVERS if river.name.endswith("干渠"))
HOMESTEAD = (("0702", 0.85), ("1104", 0.03), ("08H1", 0.012), ("08H2", 0.022), ("05H1", 0.016), ("1201", 0.02),
             ("0810", 0.01), ("0301", 0.025), ("0809", 0.006), ("0601", 0.009))  # fmt: skip
TOWNSHIP = (("0702", 0.34), ("0701", 0.24), ("05H1", 0.12), ("08H1", 0.05), ("08H2", 0.07), ("0601", 0.09),
            ("0810", 0.03), ("0810A", 0.01), ("0809", 0.02), ("1005", 0.01), ("1104", 0.01),
            ("1201", 0.01))  # fmt: skip
LIVING = (("0701", 0.62), ("05H1", 0.12), ("08H2", 0.09), ("0810", 0.06), ("08H1", 0.04), ("0809", 0.02),
          ("0810A", 0.01), ("1201", 0.02), ("1104", 0.01), ("1005", 0.01))  # fmt: skip
CENTRE = (("0701", 0.38), ("05H1", 0.26), ("08H1", 0.12), ("08H2", 0.12), ("0810", 0.05), ("0810A", 0.03),
          ("09", 0.02), ("0809", 0.02))  # fmt: skip
WORKS = (("0601", 0.60), ("0508", 0.14), ("05H1", 0.06), ("0809", 0.04), ("1201", 0.06), ("0810", 0.03),
         ("0701", 0.04), ("1005", 0.03))  # fmt: skip
CAMPUS = (("08H2A", 0.62), ("0810", 0.16), ("0701", 0.12), ("05H1", 0.06), ("08H2", 0.04))
PARK = (("0810", 0.60), ("1102", 0.16), ("0301", 0.10), ("05H1", 0.06), ("08H2", 0.08))
QUARTERS = {"living": LIVING, "centre": CENTRE, "works": WORKS, "campus": CAMPUS, "park": PARK}


@dataclass(frozen=True)
class Climate:
    """The smooth noises that make neighbouring villages alike."""

    orchard: Noise
    greenhouse: Noise
    dry: Noise


def climate(seed: int) -> Climate:
    """The climate of the city that a seed gives."""
    return Climate(Noise(seed, "orchard", 14000), Noise(seed, "greenhouse", 12000), Noise(seed, "dry", 18000))


def quarter_kind(seed: int, index: int, distance: float) -> str:
    """What a quarter of a town is used for; distance is from the centre, as a share of the town's radius."""
    draw = generator(seed, "quarter", index).random()
    if distance < 0.3:
        return "centre" if draw < 0.75 else "living"
    if distance > 0.62 and draw < 0.42:
        return "works"
    return "campus" if draw > 0.95 else "park" if draw > 0.89 else "living"


def _pick(options: tuple[tuple[str, float], ...], draws: Floats) -> Codes:
    edges = np.cumsum([share for _, share in options])
    codes = np.array([code for code, _ in options], dtype="U5")
    picked: Codes = codes[np.searchsorted(edges, draws * edges[-1]).clip(max=len(codes) - 1)]
    return picked


def classes(village: Village, faces: Faces, county: str, kind: str, climate: Climate, seed: int) -> Codes:
    """The class of every face. ``kind`` is that of a quarter, "township" or "village"."""
    rng = generator(seed, "landuse", village.index)
    codes = np.full(len(faces.part), "0102", dtype="U5")
    codes[faces.part == WATER] = "1101"
    codes[faces.part == LEVEE] = _pick((("0301", 0.5), ("1109", 0.3), ("0307", 0.2)), rng.random(1))[0]
    codes[faces.part == ROAD] = "1003"
    ring = faces.part == RING
    codes[ring] = _ring(village, faces.points[ring])
    fields = faces.part == FIELD
    cells = village.field_lattice.cells(faces.points[fields])
    if village.urban:
        lots = _pick(QUARTERS[kind], rng.random(len(cells)))
        codes[fields] = np.where((cells[:, 1] < 0) | (cells[:, 2] < 0), "1004", lots)
    else:
        x, y = village.field_lattice.x, village.field_lattice.y
        codes[fields] = _fields(cells, _crops(x, y, county, climate), rng)
    core = faces.part == CORE
    if village.core_lattice is not None and core.any():
        plots = village.core_lattice.cells(faces.points[core])
        picked = _pick(TOWNSHIP if kind == "township" else HOMESTEAD, rng.random(len(plots)))
        codes[core] = np.where((plots[:, 1] < 0) | (plots[:, 2] < 0), "1004", picked)
    return codes


def _ring(village: Village, points: Floats) -> Codes:
    """Roads, ditches and tree belts along the border: the same on both sides of an edge."""
    if village.urban:
        return np.full(len(points), "1004", dtype="U5")
    start, end = village.corners, np.roll(village.corners, -1, axis=0)
    step = end - start
    share = ((points[:, None] - start) * step).sum(axis=2) / np.maximum((step**2).sum(axis=1), 1e-9)
    foot = start + share.clip(0, 1)[:, :, None] * step
    nearest = np.hypot(*(points[:, None] - foot).transpose(2, 0, 1)).argmin(axis=1)
    key = np.round(start + end).astype(np.int64).sum(axis=1)[nearest]
    draws = (key * 2654435761 % 1000) / 1000.0
    return _pick((("1006", 0.62), ("1107", 0.22), ("0307", 0.08), ("0301", 0.08)), draws)


def _crops(x: float, y: float, county: str, climate: Climate) -> tuple[tuple[str, float], ...]:
    """Shares of classes among the fields around a place."""
    pears = {"371525": 0.22, "371581": 0.07, "371524": 0.06}.get(county, 0.03)
    glass = {"371522": 0.10, "371521": 0.05, "371502": 0.05}.get(county, 0.025)
    orchard = pears * float(np.clip(1 + climate.orchard(x, y) * 1.3, 0.1, 3))
    greenhouse = glass * float(np.clip(1 + climate.greenhouse(x, y) * 1.3, 0.1, 3))
    dry = 0.05 * float(np.clip(climate.dry(x, y) * 3, 0, 4))
    others = (("0201", orchard), ("1202", greenhouse), ("0103", dry), ("0301", 0.035), ("0307", 0.025),
              ("1104", 0.022), ("0404", 0.008), ("0201K", 0.010), ("1104A", 0.006), ("0601", 0.008),
              ("0204", 0.006), ("1201", 0.003), ("0305", 0.003))  # fmt: skip
    return (("0102", 1 - sum(share for _, share in others)), *others)


def _fields(cells: NDArray[np.int64], crops: tuple[tuple[str, float], ...], rng: np.random.Generator) -> Codes:
    """Classes of field cells: runs of three strips are alike more often than not."""
    bands, strips = 64, 128
    key = (cells[:, 0] % bands, cells[:, 1] % strips)
    run = rng.random((bands, strips))[key[0], key[1] // 3]
    own = rng.random((bands, strips))[key]
    codes = _pick(crops, np.where(rng.random((bands, strips))[key] < 0.55, run, own))
    lane = _pick((("1006", 0.66), ("1107", 0.28), ("0307", 0.06)), rng.random(bands))
    path = _pick((("1006", 0.42), ("1107", 0.58)), rng.random((bands, strips)))
    codes = np.where(cells[:, 2] < 0, path[key], codes)
    laned: Codes = np.where(cells[:, 1] < 0, lane[key[0]], codes)
    return laned

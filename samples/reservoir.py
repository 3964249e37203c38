"""How does the sample's reservoir fill and empty?

What flows in is kept up to the normal level and beyond it let out by the gates; a little is drawn for the town
throughout. Level and storage follow each other by the declared curve (layers/reservoirs.yml), so that they can be held
against each other as in real records.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shikong.hydrology.series.reservoir import LevelStorage
from shikong.layers.reservoirs import Reservoir
from shikong.samples.plane import Floats

#: Where it stands at first, between the dead level and the normal one.
FILLED = 0.55
DRAWN = 0.75
#: m³/s that the gates let out for each metre above the normal level.
GATES = 30.0


@dataclass(frozen=True)
class Kept:
    """A reservoir's hours: level (m), storage (10^6 m³), inflow and outflow (m³/s)."""

    level: Floats
    storage: Floats
    inflow: Floats
    outflow: Floats


def simulate(declared: Reservoir, inflow: Floats) -> Kept:
    """The hours of a reservoir into which this flows."""
    curve = LevelStorage(*(tuple(column) for column in zip(*declared.curve, strict=True)))
    levels = np.linspace(declared.dead_level, declared.crest_level, 2_000)
    storages = curve.storages_at(levels)
    storage = float(
        np.interp(declared.dead_level + FILLED * (declared.normal_level - declared.dead_level), levels, storages)
    )
    inflow = np.round(inflow, 2)
    stood, let = np.empty(len(inflow)), np.empty(len(inflow))
    for hour, flow in enumerate(inflow.tolist()):
        above = float(np.interp(storage, storages, levels)) - declared.normal_level
        let[hour] = round(DRAWN + GATES * max(above, 0.0), 2)
        storage = float(np.clip(storage + (flow - let[hour]) * 0.0036, storages[0], storages[-1]))
        stood[hour] = np.interp(storage, storages, levels)
    stood = np.round(stood, 3)
    return Kept(stood, np.round(curve.storages_at(stood), 3), inflow, let)

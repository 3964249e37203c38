"""How much water does a river carry, day by day, given rain and temperature? GR4J over a degree-day snow store.

Depths in mm a day over the basin, temperatures in °C. Many sets of parameters are run at once, one in each column,
which is what makes a search quick without a compiler.

Sources: Perrin, Michel & Andréassian 2003, J. Hydrol. 279 (GR4J); Oudin et al. 2005, J. Hydrol. 303 (potential
evapotranspiration from temperature); Allen et al. 1998, FAO 56, eq. 21 to 25 (radiation above the air); the degree-day
snow store is the common one (snow below a temperature, melt in proportion to degrees above it).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import differential_evolution

from shikong.hydrology.series import scores

Floats = NDArray[np.float64]

#: Parameters with their bounds: production store (mm), exchange (mm/d), routing store (mm), time base (d), temperature
#: that divides snow from rain (°C), melt (mm/°C/d).
BOUNDS = {"x1": (20.0, 1500.0), "x2": (-8.0, 6.0), "x3": (5.0, 500.0), "x4": (0.6, 6.0), "tsnow": (-2.0, 3.0),
          "melt": (0.5, 8.0)}  # fmt: skip

#: MJ/m²/min (FAO 56), and latent heat of vaporization (MJ/kg).
_SOLAR, _LATENT = 0.0820, 2.45


@dataclass(frozen=True)
class Forcing:
    """rain: mm a day, snow included (t,). temperature: daily mean (t,). pet: potential evapotranspiration (t,)."""

    rain: Floats
    temperature: Floats
    pet: Floats


def oudin(days: NDArray[np.int64], temperature: Floats, latitude: float) -> Floats:
    """Potential evapotranspiration in mm a day. days: of the year (t,). latitude: degrees."""
    turn = 2 * np.pi * days / 365
    distance, tilt = 1 + 0.033 * np.cos(turn), 0.409 * np.sin(turn - 1.39)
    place = np.radians(latitude)
    sunset = np.arccos(np.clip(-np.tan(place) * np.tan(tilt), -1, 1))
    light = sunset * np.sin(place) * np.sin(tilt) + np.cos(place) * np.cos(tilt) * np.sin(sunset)
    radiation = 24 * 60 / np.pi * _SOLAR * distance * light
    needed: Floats = np.maximum(radiation / _LATENT * (temperature + 5) / 100, 0.0)
    return needed


def snow(forcing: Forcing, threshold: Floats, melt: Floats) -> Floats:
    """The water (t, s) that reaches the ground for each of s sets of parameters."""
    found = np.empty((len(forcing.rain), len(threshold)))
    pack = np.zeros(len(threshold))
    for day, (rain, degrees) in enumerate(zip(forcing.rain, forcing.temperature, strict=True)):
        frozen = np.where(degrees < threshold, rain, 0.0)
        pack += frozen
        thawed = np.minimum(pack, melt * np.maximum(degrees - threshold, 0.0))
        pack -= thawed
        found[day] = rain - frozen + thawed
    return found


def gr4j(water: Floats, pet: Floats, x: Floats) -> Floats:
    """Discharge in mm a day (t, s). water: what reaches the ground (t, s). pet: (t,). x: x1 to x4 (4, s)."""
    routed = _produced(water, pet, x[0])
    number = x.shape[1]
    found = np.empty_like(water)
    slow, quick = np.empty_like(water), np.empty_like(water)
    for each in range(number):
        one, two = _hydrographs(float(x[3, each]))
        slow[:, each] = np.convolve(0.9 * routed[:, each], one)[: len(water)]
        quick[:, each] = np.convolve(0.1 * routed[:, each], two)[: len(water)]
    store = 0.5 * x[2]
    for day in range(len(water)):
        exchange = x[1] * (store / x[2]) ** 3.5
        store = np.maximum(0.0, store + slow[day] + exchange)
        out = store * (1 - (1 + (store / x[2]) ** 4) ** -0.25)
        store = store - out
        found[day] = out + np.maximum(0.0, quick[day] + exchange)
    return found


def _produced(water: Floats, pet: Floats, size: Floats) -> Floats:
    """What leaves the production store for the hydrographs (t, s)."""
    found = np.empty_like(water)
    store = 0.3 * size
    for day in range(len(water)):
        net = water[day] - pet[day]
        share = store / size
        rain = np.tanh(np.minimum(np.maximum(net, 0.0) / size, 13.0))
        dry = np.tanh(np.minimum(np.maximum(-net, 0.0) / size, 13.0))
        filled = size * (1 - share**2) * rain / (1 + share * rain)
        used = store * (2 - share) * dry / (1 + (1 - share) * dry)
        store = store - used + filled
        leaked = store * (1 - (1 + (store / size * 4 / 9) ** 4) ** -0.25)
        store = store - leaked
        found[day] = leaked + np.maximum(net, 0.0) - filled
    return found


def _hydrographs(base: float) -> tuple[Floats, Floats]:
    """The ordinates of both unit hydrographs of GR4J for a time base in days."""
    one = np.arange(int(np.ceil(base)) + 1) / base
    two = np.arange(int(np.ceil(2 * base)) + 1) / base
    first = np.minimum(one, 1.0) ** 2.5
    second = np.where(two <= 1, 0.5 * np.minimum(two, 1.0) ** 2.5, 1 - 0.5 * np.clip(2 - two, 0.0, None) ** 2.5)
    return np.diff(first), np.diff(second)


def simulated(forcing: Forcing, parameters: Floats) -> Floats:
    """Discharge in mm a day (t, s) for sets of parameters (6, s), in the order of BOUNDS."""
    parameters = np.asarray(parameters, dtype=float).reshape(len(BOUNDS), -1)
    return gr4j(snow(forcing, parameters[4], parameters[5]), forcing.pet, parameters[:4])


@dataclass(frozen=True)
class Fit:
    """Parameters in the order of BOUNDS, and the discharge that they give over the whole record (t,)."""

    parameters: Floats
    discharge: Floats


def calibrated(forcing: Forcing, observed: Floats, days: slice, *, seed: int = 1, rounds: int = 40) -> Fit:
    """The parameters with the best Nash-Sutcliffe efficiency over some days.

    observed: mm a day (t,), nan where missing. days: those that count; what is before them warms the stores up.
    """
    until = days.stop if days.stop is not None else len(observed)
    before = Forcing(forcing.rain[:until], forcing.temperature[:until], forcing.pet[:until])

    def worse(sets: Floats) -> Floats:
        return 1 - scores.nash_sutcliffe(observed[days], simulated(before, sets)[days])

    best = differential_evolution(
        worse, list(BOUNDS.values()), rng=seed, maxiter=rounds, popsize=8, vectorized=True, updating="deferred",
        polish=False, tol=1e-6,
    )  # fmt: skip
    return Fit(best.x, simulated(forcing, best.x)[:, 0])

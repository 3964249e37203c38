"""GCJ-02, the shifted coordinates of Chinese web maps, and the way back to CGCS2000.

The shift is a published polynomial with sine terms on the Krasovsky ellipsoid; it has no closed
inverse, so the way back is found by iteration. CGCS2000 and WGS 84 are taken as one here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NOTE = (
    "GCJ-02 brought to CGCS2000 by iterating the published shift; the inverse closes to less than 1 mm, "
    "the shift model itself is known to about 2 m, and the source's own accuracy is not stated"
)

_A = 6378245.0
_E2 = 0.00669342162296594323

Coordinates = NDArray[np.float64]


def from_cgcs2000(coordinates: Coordinates) -> Coordinates:
    """Shift (n, 2) longitudes and latitudes in degrees to GCJ-02."""
    lon, lat = coordinates[:, 0], coordinates[:, 1]
    x, y = lon - 105.0, lat - 35.0
    wave = (20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)) * 2 / 3
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x)) + wave
    north += (20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
    north += (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x)) + wave
    east += (20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
    east += (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    sine = np.sin(np.radians(lat))
    root = np.sqrt(1 - _E2 * sine * sine)
    shifted_lat = lat + np.degrees(north * root**3 / (_A * (1 - _E2)))
    shifted_lon = lon + np.degrees(east * root / (_A * np.cos(np.radians(lat))))
    return np.column_stack([shifted_lon, shifted_lat])


def to_cgcs2000(coordinates: Coordinates) -> Coordinates:
    """Bring (n, 2) GCJ-02 longitudes and latitudes in degrees back to CGCS2000."""
    found = coordinates.copy()
    for _ in range(30):
        step = from_cgcs2000(found) - coordinates
        found -= step
        if not step.size or np.abs(step).max() < 1e-11:
            break
    return found

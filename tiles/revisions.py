"""Which release has last touched a place, so that a tile is made anew when, and only when, something in it has changed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

#: Releases of a layer that are told apart; what came before them counts as one that touched everything.
MOST_RELEASES = 500

#: Boxes of a layer that are kept, those of the newest releases; looking through them takes a fraction of a millisecond.
_MOST_BOXES = 60_000

#: A release's number and its boxes in one list (store/touched.py), None for everything.
Release = tuple[int, list[float] | None]


@dataclass
class LayerRevisions:
    """What is known of one layer's releases.

    newest: the last one. everywhere: the last one that counts as having touched everything.
    """

    newest: int = 0
    everywhere: int = 0
    _boxes: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    _releases: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def learn(self, releases: Sequence[Release]) -> None:
        """Take up releases after `newest`, the newest first; MOST_RELEASES of them may be the last of more."""
        news = [each for each in releases if each[0] > self.newest]
        if not news:
            return
        if len(news) >= MOST_RELEASES:
            self.everywhere = news[-1][0]
        known: list[tuple[int, NDArray[np.float64]]] = []
        for release, boxes in news:
            if boxes is None:
                self.everywhere = max(self.everywhere, release)
                break
            known.append((release, np.asarray(boxes, np.float64).reshape(-1, 4)))
        self.newest = news[0][0]
        self._boxes = np.concatenate([*(boxes for _, boxes in known), self._boxes])
        self._releases = np.concatenate(
            [*(np.full(len(boxes), release) for release, boxes in known), self._releases]
        ).astype(np.int64)
        self._forget()

    def _forget(self) -> None:
        if len(self._boxes) > _MOST_BOXES:
            self.everywhere = max(self.everywhere, int(self._releases[_MOST_BOXES]))
        stays = self._releases > self.everywhere
        self._boxes, self._releases = self._boxes[stays], self._releases[stays]

    def revision(self, west: float, south: float, east: float, north: float) -> int:
        """The last release that touched a box (EPSG:4490, degrees)."""
        boxes = self._boxes
        if not len(boxes):
            return self.everywhere
        meets = (boxes[:, 0] <= east) & (boxes[:, 2] >= west) & (boxes[:, 1] <= north) & (boxes[:, 3] >= south)
        return int(self._releases[meets].max(initial=self.everywhere))


class Revisions:
    """The revisions of all layers."""

    def __init__(self) -> None:
        self._layers: dict[str, LayerRevisions] = {}

    def of(self, layer: str) -> LayerRevisions:
        """What is known of a layer."""
        return self._layers.setdefault(layer, LayerRevisions())

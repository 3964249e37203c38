"""A table that is in memory already, as a source of features.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from shikong.ingest.readers import positions
from shikong.ingest.readers.base import BATCH_ROWS, Batch, FeatureSource


def source_of(frame: pd.DataFrame, kind: str, name: str) -> FeatureSource:
    """The rows of a table as features. kind: of the source. Raises UnknownCrs when no column holds places."""
    places = positions.find(name, frame)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(frame), BATCH_ROWS):
            part = frame.iloc[start : start + BATCH_ROWS].reset_index(drop=True)
            yield Batch(start + 1, part, places.shapes(part))

    return FeatureSource(kind, None, list(frame.columns), len(frame), batches, places.geographic)

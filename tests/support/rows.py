"""What a reader gives, put together.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from shikong.ingest.readers.base import BATCH_ROWS, FeatureSource


def rows_of(source: FeatureSource) -> tuple[pd.DataFrame, list[Any]]:
    """All rows of a source and their shapes; its batches are numbered without gaps and small enough."""
    batches = list(source.batches())
    assert [batch.first_row for batch in batches] == list(np.cumsum([1, *(len(b.geometry) for b in batches)])[:-1])
    assert all(len(batch.columns) == len(batch.geometry) <= BATCH_ROWS for batch in batches)
    return pd.concat([batch.columns for batch in batches]), [shape for batch in batches for shape in batch.geometry]

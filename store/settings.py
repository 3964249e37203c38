"""Where data lies and how the database is reached, read from the environment when asked.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StoreSettings:
    """Places of the store.

    data: folder with the private cluster, rasters and cubes (SHIKONG_DATA, default ./var).
    database_url: libpq address of an existing database (DATABASE_URL); None means the private cluster.
    statement_timeout: seconds after which the database stops a reader's query.
    pool_size: connections that one server process may hold.
    jobs_kept: days for which jobs that ended are listed (SHIKONG_JOBS_KEPT); then workers forget them.
    """

    data: Path
    database_url: str | None
    statement_timeout: float
    pool_size: int
    jobs_kept: int = 90


def from_env() -> StoreSettings:
    """The settings as the environment has them now."""
    return StoreSettings(
        data=Path(os.environ.get("SHIKONG_DATA") or "var").resolve(),
        database_url=os.environ.get("DATABASE_URL") or None,
        statement_timeout=float(os.environ.get("SHIKONG_STATEMENT_TIMEOUT", "30")),
        pool_size=int(os.environ.get("SHIKONG_POOL_SIZE", "16")),
        jobs_kept=int(os.environ.get("SHIKONG_JOBS_KEPT", "90")),
    )

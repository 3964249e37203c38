"""What can go wrong with a filter only once the database computes it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from shikong.providers.cql2.compile import Filter
from shikong.providers.errors import BadParameter


@contextmanager
def evaluating(cql: Filter | None) -> Iterator[None]:
    """Turn what the database cannot compute of a filter into BadParameter: numbers beyond bounds, faulty shapes."""
    try:
        yield
    except psycopg.DataError as error:
        if cql is None:
            raise
        problem = f"cannot be computed for every feature: {error.diag.message_primary}"
        raise BadParameter("filter", problem, ["numbers within bounds"]) from error
    except psycopg.errors.InternalError_ as error:  # what GEOS gives up on
        if cql is None:
            raise
        raise BadParameter("filter", "relates shapes that are not valid", ["valid geometries"]) from error

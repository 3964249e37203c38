"""What a warning's stage would flood, told with the warning, on the sample city's ground.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from psycopg import sql

from shikong.layers import catalog
from shikong.processes.warnings import affected
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as

CITY = catalog.default()


@pytest.fixture
def warned(sample_store: Database) -> Any:
    """The sample city with the warnings of its last values, and the worker's role."""
    with acting_as(Principal("worker:test", ("worker",))):
        yield sample_store


def test_warnings_of_a_stage_say_what_is_under_water_or_why_nobody_knows(warned: Any) -> None:
    store = warned
    query = sql.SQL("SELECT code, subject, affected FROM data.warnings WHERE rule = 'flood_stage' ORDER BY subject")
    codes = [code for code, _, _ in store.thread_fetch(query)]
    assert affected.assess(store, CITY, codes) == len(codes) - 1
    rows = {subject: told for _, subject, told in store.thread_fetch(query)}
    assert rows.pop("31156100") is None  # a reservoir: its level says nothing of the land along a river
    found = {subject: json.loads(told) for subject, told in rows.items()}
    assert found["31150300"].get("area_ha", 0) > 0
    assert all(row["features"] >= 0 and "title" in row for row in found["31150300"]["met"])
    for told in found.values():
        assert (told["people"] is None) == (told["people_reason"] is not None)
        assert (told["area_ha"] is None) == ("reason" in told)

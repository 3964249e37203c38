"""What pygeoapi reads of a filter (ECQL) means what the same filter means in CQL2.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import pytest
from pygeoapi.util import modify_pygeofilter
from pygeofilter.parsers.ecql import parse as parse_ecql

from shikong.layers import catalog
from shikong.providers.cql2 import ecql
from shikong.providers.cql2.compile import compile_filter, compile_tree
from shikong.providers.crs import CRS84, DEFAULT, STORAGE_CRS, epsg
from shikong.providers.errors import BadParameter

ZONE = "Asia/Shanghai"
SAME = [
    ("dlbm = '0101' AND tbmj > 1000", None),
    ("dlbm <> '0101' OR NOT tbmj <= 1.5", None),
    ("tbmj BETWEEN 1 AND 5", None),
    ("tbmj NOT BETWEEN 1 AND 5", None),
    ("dlbm LIKE '01%'", None),
    ("dlbm NOT LIKE '01%'", None),
    ("dlbm ILIKE 'a%'", "CASEI(dlbm) LIKE CASEI('a%')"),
    ("dlbm IN ('0101', '0102')", None),
    ("dlbm NOT IN ('0101', '0102')", None),
    ("dlmc IS NULL", None),
    ("dlmc IS NOT NULL", None),
    ("tbmj * 2 > 1 + tbmj", None),
    ("lower(dlbm) = 'a'", None),
    ("INTERSECTS(geometry, POINT(115.98 36.45))", "S_INTERSECTS(geometry, POINT(115.98 36.45))"),
    ("WITHIN(geometry, POLYGON((115 36, 116 36, 116 37, 115 36)))",
     "S_WITHIN(geometry, POLYGON((115 36, 116 36, 116 37, 115 36)))"),
    ("BBOX(geometry, 115, 36, 116, 37)", "S_INTERSECTS(geometry, BBOX(115, 36, 116, 37))"),
    ("valid_from AFTER 2024-01-01T00:00:00Z", "T_AFTER(valid_from, TIMESTAMP('2024-01-01T00:00:00Z'))"),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:The 'shapely.ops.transform:DeprecationWarning")  # pygeoapi's
@pytest.mark.parametrize(("text", "cql2"), SAME)
def test_ecql_means_what_cql2_means(text: str, cql2: str | None) -> None:
    layer = catalog.default().layer("parcels")
    read = modify_pygeofilter(parse_ecql(text), filter_crs_uri=CRS84, storage_crs_uri=STORAGE_CRS)
    found = compile_tree(layer, ecql.tree(read), epsg(4490), ZONE)
    assert found == compile_filter(layer, cql2 or text, "cql2-text", DEFAULT, ZONE)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("pg_sleep(10) = 1", "no function 'pg_sleep'"),
        ("nosuch = 1", "no such property"),
        ("INCLUDE", "Include is not among"),
        ("RELATE(geometry, POINT(1 1), 'T*****FF*')", "Relate is not among"),
        ("valid_from BEFORE OR DURING 2024-01-01T00:00:00Z / 2025-01-01T00:00:00Z", "is not in CQL2"),
    ],
)
def test_what_cql2_has_not_is_refused(text: str, problem: str) -> None:
    with pytest.raises(BadParameter, match=problem):
        compile_tree(catalog.default().layer("parcels"), ecql.tree(parse_ecql(text)), epsg(4490), ZONE)

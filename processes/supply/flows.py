"""What land became what between two times.

Land whose parcel kept its number and its outline is followed by number. Where parcels were divided, joined or drawn
anew, the old ones are laid on the new ones. What never changed is not read.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

import numpy as np
import shapely
from psycopg import sql

from shikong.layers.code_lists import CodeList
from shikong.layers.model import Layer
from shikong.processes.overlay import kernel
from shikong.processes.supply import classes
from shikong.processes.supply.areas import Amounts, Scope, area_field
from shikong.processes.supply.classes import Level
from shikong.store import moments
from shikong.store.moments import Moment, Period

#: m² by county, class before and class after; no class is land that was not, or is no longer, surveyed.
Flows = dict[tuple[str | None, str | None, str | None], int]

_HELD = "(valid_from <= %({at})s AND (valid_to IS NULL OR valid_to > %({at})s))"

_CHANGED = """
    WITH changed AS MATERIALIZED (
        SELECT s.{key} AS key, left(s.xzqdm, 6) AS county, s.{by}::text AS class, s.{area} AS area, s.geom,
            {before} AS before
        FROM {versions} AS s WHERE {before} <> {after}
    ), followed AS MATERIALIZED (
        SELECT o.key, o.county, o.class AS was, n.class AS became, o.area
        FROM changed AS o JOIN changed AS n
            ON n.key = o.key AND n.county IS NOT DISTINCT FROM o.county AND n.geom = o.geom
        WHERE o.before AND NOT n.before
    )
    SELECT county, was, became, sum(area), NULL::bytea, NULL::boolean FROM followed GROUP BY 1, 2, 3
    UNION ALL
    SELECT county, class, NULL, area, st_asbinary(geom), before
    FROM changed AS c WHERE NOT EXISTS (SELECT FROM followed AS f WHERE f.key = c.key)
"""


def between(
    scope: Scope, layer: Layer, field: str, known_at: datetime | None, times: tuple[datetime, datetime]
) -> Flows:
    """What changed its class between two times, in the wanted counties."""
    always = Moment(Period(None, None), known_at)
    query = sql.SQL(_CHANGED).format(
        key=sql.Identifier(layer.key_field), by=sql.Identifier(field), area=sql.Identifier(area_field(layer)),
        versions=moments.source(layer, always), before=sql.SQL(_HELD.format(at="since")),
        after=sql.SQL(_HELD.format(at="until")),
    )  # fmt: skip
    params = always.values | {"since": times[0], "until": times[1]}
    found: defaultdict[tuple[str | None, str | None, str | None], float] = defaultdict(float)
    loose: dict[bool, list[tuple[Any, ...]]] = {True: [], False: []}
    for county, was, became, area, wkb, before in scope.conn.execute(query, params, binary=True):
        if wkb is None:
            found[county, was, became] += area
        else:
            loose[before].append((county, was, area, wkb))
    for flow, area in _laid_on_each_other(loose[True], loose[False]).items():
        found[flow] += area
    wanted = scope.names.keys()
    return {
        (county, was, became): round(area)
        for (county, was, became), area in found.items()
        if was != became and round(area) and (scope.district is None or county in wanted)
    }


def _laid_on_each_other(
    old: list[tuple[Any, ...]], new: list[tuple[Any, ...]]
) -> dict[tuple[str | None, str | None, str | None], float]:
    """The flows between surfaces that do not pair; what the other side does not cover has no class there."""
    found: defaultdict[tuple[str | None, str | None, str | None], float] = defaultdict(float)
    before, after = _shapes(old), _shapes(new)
    pieces = kernel.shared(before, after, kernel.meeting(before, after))
    for one, other, area in zip(pieces.first.tolist(), pieces.second.tolist(), pieces.area.tolist(), strict=True):
        found[old[one][0], old[one][1], new[other][1]] += area
    for rows, positions, is_old in ((old, pieces.first, True), (new, pieces.second, False)):
        covered = np.bincount(positions, pieces.area, minlength=len(rows))
        for (county, code, area, _), part in zip(rows, covered.tolist(), strict=True):
            if area - part > max(1, area * 1e-5):
                found[(county, code, None) if is_old else (county, None, code)] += area - part
    return found


def _shapes(rows: list[tuple[Any, ...]]) -> Any:
    wkb = np.empty(len(rows), dtype=object)
    wkb[:] = [row[3] for row in rows]
    return np.asarray(shapely.from_wkb(wkb), dtype=object)


def raised(flows: Flows, listed: CodeList, level: Level) -> Flows:
    """The same by the classes of a level, without what stays within one."""
    found: Counter[tuple[str | None, str | None, str | None]] = Counter()
    for (county, was, became), area in flows.items():
        pair = classes.at(listed, was, level), classes.at(listed, became, level)
        if pair[0] != pair[1]:
            found[county, *pair] += area
    return dict(found)


def lost(flows: Flows) -> Amounts:
    """What each class of each county lost."""
    found: Counter[tuple[str | None, str | None]] = Counter()
    for (county, was, _), area in flows.items():
        if was is not None:
            found[county, was] += area
    return dict(found)


def gained(flows: Flows) -> Amounts:
    """What each class of each county gained."""
    return lost({(county, became, was): area for (county, was, became), area in flows.items()})

"""pygeoapi's record provider of releases: each load as a metadata record with lineage and quality (ISO 19115 terms).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

from psycopg import sql
from pygeoapi.provider.base import ProviderItemNotFoundError

from shikong.layers import catalog
from shikong.providers import release_document
from shikong.providers.options import box_of
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.records import RecordProvider
from shikong.providers.times import parse_period
from shikong.store.database import default as default_database

_COLUMNS = {"layer": "layer", "kind": "kind", "origin": "origin", "principal": "principal"}

_OWN = (
    "id", "layer", "kind", "restores", "source", "source_sha256", "source_crs", "datum_note", "origin", "principal",
    "published_at", "valid_from", "rows_read", "rows_stored", "rows_quarantined", "added", "changed", "ended",
    "unchanged", "current_rows", "extent", "time_from", "time_to",
)  # fmt: skip
_NAMES = (*_OWN, "results", "matched")

_RECORDS = f"""
    SELECT {", ".join(_OWN)},
        (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'rule', q.rule, 'field', nullif(q.field, ''), 'severity', q.severity, 'failed', q.failed,
                'notChecked', q.unchecked
            ) ORDER BY q.severity, q.rule, q.field), '[]') FROM shikong.quality_result AS q WHERE q.release_id = r.id
        ),
        count(*) OVER ()
    FROM shikong.release AS r
    WHERE {{where}}
    ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
"""


class ReleasesProvider(RecordProvider):
    """Records of all releases, newest first."""

    texts: ClassVar[dict[str, str]] = {
        "title": "标题", "layer": "图层", "kind": "类型", "origin": "来源性质", "principal": "发布者",
    }  # fmt: skip

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self._url = provider_def["url"]

    def query(
        self, offset: int = 0, limit: int = 10, resulttype: str = "results", bbox: Any = (),
        datetime_: str | None = None, properties: Any = (), q: str | None = None, **_: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A page of records. `q` looks for its words in layer and source; `datetime` in the time of publication."""
        where, params = _conditions(bbox, datetime_, properties, q)
        with as_provider_errors():
            rows = _fetch(where, params | {"limit": limit, "offset": offset})
        found = [release_document.record(row, self._url) for row in rows] if resulttype != "hits" else []
        matched = rows[0]["matched"] if rows else 0
        return {"type": "FeatureCollection", "features": found, "numberMatched": matched, "numberReturned": len(found)}

    def get(self, identifier: str, **_: Any) -> dict[str, Any]:
        """One record. Raises pygeoapi's not-found error."""
        with as_provider_errors():
            row = release(identifier)
        if row is None:
            raise ProviderItemNotFoundError(user_msg=f"there is no release {identifier!r}")
        return release_document.record(row, self._url)


def release(identifier: str) -> dict[str, Any] | None:
    """What the registry knows of a release, as `release_document.record` takes it. Raises DatabaseAway."""
    if not (identifier.isascii() and identifier.isdigit() and len(identifier) < 10):
        return None
    rows = _fetch([sql.SQL("id = %(id)s")], {"id": int(identifier), "limit": 1, "offset": 0})
    return rows[0] if rows else None


def _fetch(where: list[sql.SQL], params: dict[str, Any]) -> list[dict[str, Any]]:
    """Records of the layers that everyone reads: who has changed what in others is told to those who see the rows."""
    condition = sql.SQL(" AND ").join([sql.SQL("layer <> ALL(%(closed)s)"), *where])
    params = params | {"closed": [layer.id for layer in catalog.default() if not layer.access.public]}
    rows = default_database().thread_fetch(sql.SQL(_RECORDS).format(where=condition), params)
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def _conditions(bbox: Any, when: str | None, properties: Any, q: str | None) -> tuple[list[sql.SQL], dict[str, Any]]:
    where: list[sql.SQL] = []
    params: dict[str, Any] = {}
    for name, value in properties or ():
        if name in _COLUMNS:
            where.append(sql.SQL(f"{_COLUMNS[name]} = %({name})s"))
            params[name] = value
    if when:
        period = parse_period(when, catalog.default().city.timezone)
        where.append(sql.SQL("published_at >= coalesce(%(start)s, '-infinity'::timestamptz)"))
        where.append(sql.SQL("published_at <= coalesce(%(end)s, 'infinity'::timestamptz)"))
        params |= {"start": period.start, "end": period.end}
    for number, word in enumerate((q or "").split()):
        where.append(sql.SQL(f"strpos(lower(layer || ' ' || source), lower(%(word{number})s)) > 0"))
        params[f"word{number}"] = word
    if bbox:
        # A box over the antimeridian has its west east of its east.
        beside = (
            "CASE WHEN %(w)s > %(e)s THEN extent[1] <= %(e)s OR extent[3] >= %(w)s "
            "ELSE extent[1] <= %(e)s AND extent[3] >= %(w)s END"
        )
        where.append(sql.SQL(f"{beside} AND extent[2] <= %(n)s AND extent[4] >= %(s)s"))
        params |= dict(zip("wsen", box_of(bbox), strict=True))
    return where, params

"""pygeoapi's record provider of releases: each load as a metadata record with lineage and quality (ISO 19115 terms).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

from psycopg import sql
from pygeoapi.provider.base import ProviderItemNotFoundError

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.crs import STORAGE_CRS
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.records import RecordProvider
from shikong.providers.times import parse_period
from shikong.store.database import default as default_database

_COLUMNS = {"layer": "layer", "kind": "kind", "origin": "origin", "principal": "principal"}

_RECORDS = """
    SELECT id, layer, kind, restores, source, source_sha256, source_crs, datum_note, origin, principal, published_at,
        valid_from, rows_read, rows_stored, rows_quarantined, added, changed, ended, unchanged, current_rows, extent,
        time_from, time_to,
        (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'rule', q.rule, 'field', nullif(q.field, ''), 'severity', q.severity, 'failed', q.failed,
                'notChecked', q.unchecked
            ) ORDER BY q.severity, q.rule), '[]') FROM shikong.quality_result AS q WHERE q.release_id = r.id
        ),
        count(*) OVER ()
    FROM shikong.release AS r
    WHERE {where}
    ORDER BY id DESC LIMIT %(limit)s OFFSET %(offset)s
"""


class ReleasesProvider(RecordProvider):
    """Records of all releases, newest first."""

    texts: ClassVar[dict[str, str]] = {
        "title": "标题", "layer": "图层", "kind": "类型", "origin": "来源性质", "principal": "发布者",
    }  # fmt: skip

    def query(
        self, offset: int = 0, limit: int = 10, resulttype: str = "results", bbox: Any = (),
        datetime_: str | None = None, properties: Any = (), q: str | None = None, **_: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A page of records. `q` looks for its words in layer and source; `datetime` in the time of publication."""
        where, params = _conditions(bbox, datetime_, properties, q)
        with as_provider_errors():
            rows = _fetch(where, params | {"limit": limit, "offset": offset})
        found = [_record(row) for row in rows] if resulttype != "hits" else []
        matched = int(rows[0][-1]) if rows else 0
        return {"type": "FeatureCollection", "features": found, "numberMatched": matched, "numberReturned": len(found)}

    def get(self, identifier: str, **_: Any) -> dict[str, Any]:
        """One record. Raises pygeoapi's not-found error."""
        if identifier.isascii() and identifier.isdigit() and len(identifier) < 10:
            with as_provider_errors():
                rows = _fetch([sql.SQL("id = %(id)s")], {"id": int(identifier), "limit": 1, "offset": 0})
            if rows:
                return _record(rows[0])
        raise ProviderItemNotFoundError(user_msg=f"there is no release {identifier!r}")


def _fetch(where: list[sql.SQL], params: dict[str, Any]) -> list[tuple[Any, ...]]:
    condition = sql.SQL(" AND ").join(where) if where else sql.SQL("true")
    return default_database().thread_fetch(sql.SQL(_RECORDS).format(where=condition), params)


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
        where.append(sql.SQL("extent[1] <= %(e)s AND extent[3] >= %(w)s AND extent[2] <= %(n)s AND extent[4] >= %(s)s"))
        params |= dict(zip("wsen", map(float, bbox), strict=True))
    return where, params


def _record(row: tuple[Any, ...]) -> dict[str, Any]:
    identifier, layer_id, kind, restores, source, digest, crs, note, origin, principal, published, *rest = row
    valid_from, read, stored, quarantined, added, changed, ended, unchanged, current, extent, start, end, *checks = rest
    layer: Layer | None = catalog.default().layers.get(layer_id)
    title = layer.title.zh if layer else layer_id
    return {
        "type": "Feature", "id": str(identifier), "geometry": _polygon(extent),
        "time": None if start is None else {"interval": [start.isoformat(), end.isoformat() if end else ".."]},
        "properties": {
            "type": "dataset", "title": f"{title} · {published:%Y-%m-%d %H:%M} · {identifier}", "layer": layer_id,
            "layer_en": layer.title.en if layer else layer_id, "steward": layer.steward if layer else None,
            "kind": kind, "restores": restores, "origin": origin, "principal": principal,
            "created": published.isoformat(), "updated": published.isoformat(), "storageCrs": STORAGE_CRS,
            "validFrom": valid_from.isoformat() if valid_from else None,
            "lineage": {"source": source, "sha256": digest, "sourceCrs": crs, "positionalAccuracy": note},
            "counts": {"read": read, "stored": stored, "quarantined": quarantined, "added": added, "changed": changed,
                       "ended": ended, "unchanged": unchanged, "current": current},
            "quality": checks[0],
        },
    }  # fmt: skip


def _polygon(extent: list[float] | None) -> dict[str, Any] | None:
    if not extent:
        return None
    west, south, east, north = extent
    return {
        "type": "Polygon",
        "coordinates": [[[west, south], [east, south], [east, north], [west, north], [west, south]]],
    }

"""Rows that a load refused, and everything that its checks found: kept with the release, listed, resolved.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers import rules
from shikong.layers.model import Layer
from shikong.layers.rules import Severity
from shikong.store.errors import NotInQuarantine
from shikong.store.publish import staging_table

State = Literal["open", "resubmitted", "dismissed"]

#: source_row, rule, field, severity, value, key, WKB in EPSG:4490.
FindingRow = tuple[int | None, str, str | None, str, str | None, str | None, bytes | None]

#: Number in the source, record, WKB in EPSG:4490.
RefusedRow = tuple[int, dict[str, Any], bytes | None]


@dataclass(frozen=True)
class Quarantined:
    """A refused row. record: values by declared field, as the source had them. geom: WKB in EPSG:4490."""

    id: int
    release: int
    layer: str
    source_row: int
    record: dict[str, Any]
    geom: bytes | None
    state: State
    reasons: tuple[str, ...]


def add_rows(conn: Connection[Any], layer: Layer, release: int, rows: Iterable[RefusedRow]) -> None:
    """Keep refused rows."""
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY shikong.quarantine (release_id, layer, source_row, record, geom) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int4", "text", "int8", "jsonb", "bytea"])
        for number, record, geom in rows:
            copy.write_row((release, layer.id, number, record, geom))


def move_staged(conn: Connection[Any], layer: Layer, release: int, rows: list[int]) -> int:
    """Take rows out of staging and keep them as refused; returns how many there were."""
    moved = conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {} AS s WHERE _source_row = ANY(%(rows)s) RETURNING s.*)"
            " INSERT INTO shikong.quarantine (release_id, layer, source_row, record, geom)"
            " SELECT %(release)s, %(layer)s, g._source_row, to_jsonb(g) - '{{geom,_hash,_source_row}}'::text[], g.geom"
            " FROM gone AS g"
        ).format(staging_table(layer)),
        {"rows": rows, "release": release, "layer": layer.id},
    )
    return moved.rowcount


def add_findings(conn: Connection[Any], release: int, findings: Iterable[FindingRow]) -> None:
    """Keep what a release's checks found."""
    with (
        conn.cursor() as cursor,
        cursor.copy(
            "COPY shikong.finding (release_id, source_row, rule, field, severity, value, key, geom)"
            " FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.set_types(["int4", "int8", "text", "text", "text", "text", "text", "bytea"])
        for finding in findings:
            copy.write_row((release, *finding))


def add_results(
    conn: Connection[Any],
    layer: Layer,
    release: int,
    counts: Mapping[tuple[str, str, Severity], int],
    unchecked: Mapping[str, str],
) -> None:
    """Keep how often each rule was broken, which could not be checked, and which declared ones were not broken."""
    rows = [(release, rule, field, severity, number, None) for (rule, field, severity), number in counts.items()]
    rows += [(release, rule, "", "warning", 0, reason) for rule, reason in unchecked.items()]  # type: ignore[misc]
    broken = {(rule, field if field != "geometry" else "") for rule, field, _ in counts}
    kept = {(rule.rule, _field(rule), rule.severity) for rule in layer.quality}
    rows += [
        (release, rule, field, severity, 0, None)
        for rule, field, severity in sorted(kept)
        if (rule, field) not in broken and rule not in unchecked
    ]
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO shikong.quality_result (release_id, rule, field, severity, failed, unchecked)"
            " VALUES (%s, %s, %s, %s, %s, %s)",
            rows,
        )


def _field(rule: Any) -> str:
    """The field under which a rule's findings are counted."""
    return ", ".join(rule.fields) if isinstance(rule, rules.Unique) else "".join(rule.fields_used()[:1])


_LIST = """
    SELECT q.id, q.release_id, q.layer, q.source_row, q.record, st_asbinary(q.geom), q.state,
        ARRAY(
            SELECT concat_ws(' ', f.rule, f.field, '= ' || quote_nullable(f.value)) FROM shikong.finding AS f
            WHERE f.release_id = q.release_id AND f.source_row = q.source_row AND f.severity = 'error' ORDER BY f.id
        )
    FROM shikong.quarantine AS q
    WHERE (%(release)s::int IS NULL OR q.release_id = %(release)s) AND (%(id)s::bigint IS NULL OR q.id = %(id)s)
      AND (%(layer)s::text IS NULL OR q.layer = %(layer)s) AND (%(state)s::text IS NULL OR q.state = %(state)s)
    ORDER BY q.id
"""


def rows(
    conn: Connection[Any],
    *,
    release: int | None = None,
    layer: str | None = None,
    state: State | None = None,
    identifier: int | None = None,
) -> Iterator[Quarantined]:
    """Refused rows, read as they are asked for. Needs a transaction, for the cursor on the server."""
    wanted = {"release": release, "layer": layer, "state": state, "id": identifier}
    with conn.cursor(name="quarantined") as cursor:
        for number, of_release, of_layer, row, record, geom, now, reasons in cursor.execute(_LIST, wanted):
            yield Quarantined(number, of_release, of_layer, row, record, geom, now, tuple(reasons))


def fix(conn: Connection[Any], identifier: int, values: Mapping[str, str | None]) -> None:
    """Change values of an open row's record. Raises NotInQuarantine."""
    done = conn.execute(
        "UPDATE shikong.quarantine SET record = record || %s::jsonb WHERE id = %s AND state = 'open'",
        (json.dumps(dict(values), ensure_ascii=False), identifier),
    )
    if not done.rowcount:
        raise NotInQuarantine(f"row {identifier} is not open in quarantine; see `shikong quarantine list`")


def resolve(
    conn: Connection[Any], identifiers: list[int], state: State, *, release: int | None = None, note: str | None = None
) -> int:
    """Mark open rows as resubmitted (with the release that took them in) or dismissed; returns how many."""
    return conn.execute(
        "UPDATE shikong.quarantine SET state = %s, resolved_by = %s, note = %s WHERE id = ANY(%s) AND state = 'open'",
        (state, release, note, identifiers),
    ).rowcount

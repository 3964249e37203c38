"""What the service knew at a release: states, what changed between two of them, and the way back.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from psycopg import Connection, sql

from shikong.layers.model import Layer
from shikong.store import locks, publish, releases, tables, touched
from shikong.store.errors import NoSuchRelease
from shikong.store.releases import Counts

Change = Literal["added", "ended", "changed"]


@dataclass(frozen=True)
class Difference:
    """How many rows (features, observations) differ between two releases, and how."""

    added: int
    ended: int
    changed: int
    unchanged: int


@dataclass(frozen=True)
class Changed:
    """One feature that differs between two releases.

    old, new: the layer's columns, geometry as WKB in EPSG:4490; None where it is not known then.
    """

    change: Change
    key: Any
    old: dict[str, Any] | None
    new: dict[str, Any] | None


def release_at(layer: Layer, moment: sql.Composable) -> sql.Composable:
    """SQL for the number of the layer's last release at a time; null before the first."""
    return sql.SQL("(SELECT max(id) FROM shikong.release WHERE layer = {} AND published_at <= {})").format(
        sql.Literal(layer.id), moment
    )


def newest(layer: Layer) -> sql.Composable:
    """SQL for the number of the layer's newest release; null before the first."""
    return sql.SQL("(SELECT max(id) FROM shikong.release WHERE layer = {})").format(sql.Literal(layer.id))


def known(layer: Layer, release: sql.Composable, names: list[str] | None = None) -> sql.Composable:
    """SQL for the rows that were known at a release: those that held and those that had ended by then."""
    wanted = {name: sql.Identifier(name) for name in names or ["_row", *tables.row_columns(layer)]}
    columns = sql.SQL(", ").join(wanted.values())
    if layer.versioned and "valid_to" in wanted:  # what became known of the end later was not known then
        held_to = sql.SQL("CASE WHEN _ended > {} THEN _held_to ELSE valid_to END AS valid_to").format(release)
        former = sql.SQL(", ").join((wanted | {"valid_to": held_to}).values())
    else:
        former = columns
    return sql.SQL(
        "(SELECT {columns} FROM {table} WHERE _release <= {release}"
        " UNION ALL SELECT {former} FROM {history}"
        " WHERE _release <= {release} AND (_superseded IS NULL OR _superseded > {release}))"
    ).format(
        columns=columns, former=former, table=tables.table(layer), history=tables.history(layer), release=release
    )  # fmt: skip


def require_release(conn: Connection[Any], layer: Layer, release: int) -> None:
    """Raise NoSuchRelease unless this is a release of the layer."""
    found = conn.execute("SELECT layer FROM shikong.release WHERE id = %s", (release,)).fetchone()
    if found is None:
        raise NoSuchRelease(f"there is no release {release}; see `shikong releases {layer.id}`")
    if found[0] != layer.id:
        raise NoSuchRelease(f"release {release} is one of {found[0]}, not of {layer.id}; see `shikong releases`")


def rollback(conn: Connection[Any], layer: Layer, release: int) -> tuple[int, Counts]:
    """Make what was known at a release the layer's state again, as a new release; nothing is forgotten.

    A load that is under way is waited for. Returns the new release and its counts. Raises NoSuchRelease.
    """
    with locks.loading(conn, layer.id), conn.transaction():
        conn.execute("SET LOCAL statement_timeout = 0")
        require_release(conn, layer, release)
        return _restore(conn, layer, release)


def _restore(conn: Connection[Any], layer: Layer, release: int) -> tuple[int, Counts]:
    names = publish.staging_columns(layer)
    with publish.staging(conn, layer) as table:
        staged = conn.execute(
            sql.SQL("INSERT INTO {} ({names}) SELECT {names} FROM {} AS known").format(
                table, known(layer, sql.Literal(release), names), names=sql.SQL(", ").join(map(sql.Identifier, names))
            )
        ).rowcount
    fresh = releases.next_release(conn, layer, releases.restoring(conn, release), Counts(staged, staged, 0))
    first = tables.next_row(conn, layer)
    counts = publish.publish_features(conn, layer, fresh, "replace")
    counts = replace(counts, read=staged)
    moved = touched.boxes(conn, layer, fresh, first)
    releases.finish(conn, fresh, counts, releases.extent_of(conn, layer), moved)
    return fresh, counts


def difference(conn: Connection[Any], layer: Layer, before: int, after: int) -> Difference:
    """Count what differs between what was known at two releases. Raises NoSuchRelease."""
    query = sql.SQL("SELECT change, count(*) FROM {} AS pair GROUP BY change").format(_pairs(layer, before, after))
    for release in (before, after):
        require_release(conn, layer, release)
    found = dict(conn.execute(query).fetchall())
    return Difference(found.get("added", 0), found.get("ended", 0), found.get("changed", 0), found.get("unchanged", 0))


def changes(conn: Connection[Any], layer: Layer, before: int, after: int) -> Iterator[Changed]:
    """What differs between what was known at two releases, feature by feature, read as it is asked for.

    Raises NoSuchRelease. Needs a transaction, for the cursor on the server.
    """
    for release in (before, after):
        require_release(conn, layer, release)
    names = tables.row_columns(layer)
    query = sql.SQL(
        "SELECT change, key, {old}, {new} FROM {pairs} AS pair WHERE change <> 'unchanged' ORDER BY key"
    ).format(old=_side("old", names), new=_side("new", names), pairs=_pairs(layer, before, after))
    with conn.cursor(name="changes") as cursor:
        cursor.itersize = 2000
        for change, key, *values in cursor.execute(query):
            old = dict(zip(names, values[: len(names)], strict=True)) if change != "added" else None
            new = dict(zip(names, values[len(names) :], strict=True)) if change != "ended" else None
            yield Changed(change, key, old, new)


def _side(side: str, names: list[str]) -> sql.Composable:
    """One side's columns; the geometry as WKB."""
    row = sql.SQL("(pair.{})").format(sql.Identifier(side))
    columns = []
    for name in names:
        column = sql.SQL("{}.{}").format(row, sql.Identifier(name))
        columns.append(sql.SQL("st_asbinary({})").format(column) if name == "geom" else column)
    return sql.SQL(", ").join(columns)


def _pairs(layer: Layer, before: int, after: int) -> sql.Composable:
    """SQL for the rows known at two releases, side by side, with what became of each."""
    names = ["_row", "_hash", *tables.row_columns(layer)]
    key = sql.Identifier(layer.key_field)
    same: sql.Composable = sql.SQL("old.{key} = new.{key}").format(key=key)
    alike: sql.Composable = sql.SQL("old._hash = new._hash")
    if layer.versioned:
        same = sql.SQL("{} AND old.valid_from = new.valid_from").format(same)
        alike = sql.SQL("{} AND old.valid_to IS NOT DISTINCT FROM new.valid_to").format(alike)
    return sql.SQL(
        "(SELECT old, new, coalesce(old.{key}, new.{key}) AS key,"
        " CASE WHEN old._row IS NULL THEN 'added' WHEN new._row IS NULL THEN 'ended'"
        " WHEN {alike} THEN 'unchanged' ELSE 'changed' END AS change"
        " FROM {before} AS old FULL JOIN {after} AS new ON {same})"
    ).format(
        key=key, alike=alike, same=same,
        before=known(layer, sql.Literal(before), names), after=known(layer, sql.Literal(after), names),
    )  # fmt: skip

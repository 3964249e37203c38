"""A question about a layer's features, and the SQL that answers it.

Columns go out plain and are put together in Python (measured: json_build_object in SQL takes
three times as long), geometry goes out as GeoJSON text, and pages follow a key, never an offset,
so that page 10,000 costs what page 1 costs. The text of a statement depends on which parts a question
has and not on their values, and is kept: putting it together takes longer than a small page.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, LiteralString

import orjson
from psycopg import sql

from shikong.layers.model import Layer
from shikong.providers.cql2.compile import Filter
from shikong.providers.crs import DEFAULT, Box, ServedCrs
from shikong.providers.labels import Language
from shikong.store import as_of, moments, tables
from shikong.store.moments import Moment, Period

Value = str | int | float | bool | datetime | None


@dataclass(frozen=True)
class Sort:
    """One field to sort by."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class Word:
    """A text that some property must contain, or whose code means it.

    codes: for each property with a code list, the codes whose titles contain the text.
    """

    text: str
    codes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def shape(self) -> Word:
        """The same with its values blanked."""
        return Word("", tuple((name, ()) for name, _ in self.codes))


@dataclass(frozen=True)
class Items:
    """A question for features: a page of them, or with no limit all.

    bbox: west, south, east, north in EPSG:4490; over the antimeridian west is greater than east. filters: field and
    value that it must equal. cql: a condition.
    ids: only features with these. words: what `q` looks for. tolerance: how far shapes may be simplified (degrees).
    period: when the features hold. known_at, known_in: what the service knew at that time, or in that release, and not
    what it knows now. after: the sort values and row number of the last feature of the page before.
    encoding: how geometry comes, as GeoJSON text in the CRS's axis order, or as WKB or WKT, x first. labels: the
    language in which answers say what codes mean, in their place.
    """

    limit: int | None
    bbox: Box | None = None
    period: Period | None = None
    known_at: datetime | None = None
    known_in: int | None = None
    ids: tuple[str, ...] | None = None
    words: tuple[Word, ...] = ()
    filters: tuple[tuple[str, Value], ...] = ()
    cql: Filter | None = None
    sort: tuple[Sort, ...] = ()
    after: tuple[Value, ...] | None = None
    offset: int = 0
    crs: ServedCrs = DEFAULT
    geometry: bool = True
    tolerance: float | None = None
    properties: tuple[str, ...] | None = None
    encoding: Literal["geojson", "wkb", "wkt"] = "geojson"
    labels: Language | None = None

    @property
    def moment(self) -> Moment:
        """The two times that it names."""
        return Moment(self.period, self.known_at, self.known_in)

    @property
    def plain(self) -> bool:
        """Whether it asks for all that holds now, so that the count is known beforehand."""
        chosen = (self.bbox, self.period, self.known_at, self.known_in, self.cql, self.ids)
        return all(part is None for part in chosen) and not self.filters and not self.words

    @property
    def shape(self) -> Items:
        """The same question with its values blanked: all that its SQL depends on."""
        moment = self.moment.shape
        return replace(
            self,
            limit=None if self.limit is None else 0,
            offset=0,
            bbox=None if not self.bbox else _OVER_ANTIMERIDIAN if self.bbox[0] > self.bbox[2] else _ANY_BOX,
            period=moment.period,
            known_at=moment.known_at,
            known_in=moment.known_in,
            ids=() if self.ids is not None else None,
            words=tuple(word.shape for word in self.words),
            tolerance=0.0 if self.tolerance is not None else None,
            filters=tuple((name, None) for name, _ in self.filters),
            cql=self.cql.shape if self.cql else None,
            labels=None,
            after=None if self.after is None else tuple(None if value is None else 0 for value in self.after),
        )


_ANY_BOX: Box = (0.0, 0.0, 0.0, 0.0)
_OVER_ANTIMERIDIAN: Box = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Statement:
    """SQL with its parameters, and what its columns are. tail: where a page's cursor begins, after the release."""

    query: bytes
    params: dict[str, Any]
    properties: tuple[str, ...]
    tail: int = 0


@lru_cache(maxsize=256)
def property_names(layer: Layer) -> tuple[str, ...]:
    """A feature's properties, in the order in which they are given out."""
    return tuple(name for name in tables.row_columns(layer) if name != "geom")


def page(layer: Layer, question: Items) -> Statement:
    """SQL for a page: id, geometry, the properties, the layer's newest release, the cursor's values.

    It asks for one row more than the limit, which tells whether there is a next page.
    """
    query, names = _page_text(layer, question.shape)
    params = _values(question) | {"offset": question.offset}
    params["limit"] = None if question.limit is None else question.limit + 1  # LIMIT NULL is no limit
    params["after"] = question.after[-1] if question.after else 0
    return Statement(query, params, names, tail=len(names) + 3)


@lru_cache(maxsize=1024)
def _page_text(layer: Layer, shape: Items) -> tuple[bytes, tuple[str, ...]]:
    """The text of a page's query, and the properties in it."""
    names = shape.properties if shape.properties is not None else property_names(layer)
    where = _conditions(layer, shape)
    order = [*shape.sort, Sort("_row")]
    somewhere = shape.bbox is not None or (shape.cql is not None and shape.cql.bounds is not None)
    plain_box = somewhere and shape.bbox != _OVER_ANTIMERIDIAN
    by_blocks = plain_box and not shape.sort and not moments.is_past(layer, shape.moment)
    if shape.after is not None and not by_blocks:
        where.append(_after(layer, order, shape.after))
    cursor_columns = [sort.field for sort in order]
    inner = list(dict.fromkeys([layer.key_field, *names, *cursor_columns]))
    geometry: sql.Composable = sql.SQL("NULL")
    if shape.geometry:
        inner.append("geom")
        geometry = _encoded(shape)
    # Blocks give rows in order already; sorting all of them again would hold back the first.
    text = _PAGE if not by_blocks else _ALL_BY_BLOCKS if shape.limit is None else _PAGE_BY_BLOCKS
    query = sql.SQL(text).format(
        blocks=tables.blocks(layer),
        box=_BOX,
        all=_list(["_row", *tables.row_columns(layer)]),
        key=sql.Identifier(layer.key_field),
        geometry=geometry,
        names=sql.SQL(", ").join(
            [*map(sql.Identifier, names), as_of.newest(layer), *map(sql.Identifier, cursor_columns)]
        ),
        inner=_list(inner),
        source=moments.source(layer, shape.moment),
        where=sql.SQL(" AND ").join(where) if where else sql.SQL("true"),
        order=sql.SQL(", ").join(_order(sort) for sort in order),
    )
    return query.as_bytes(None), tuple(names)


_PAGE = """
    SELECT {key}, {geometry}, {names} FROM (
        SELECT {inner} FROM {source} AS s WHERE {where} ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
    ) AS page
    ORDER BY {order}
"""

# Blocks come in row order and so do the rows inside each (the inner OFFSET keeps the planner from
# searching by place again), so that reading stops at the limit and nothing is sorted but the page.
_ALL_BY_BLOCKS = """
    SELECT {key}, {geometry}, {names} FROM (
        SELECT {inner}
        FROM (SELECT first, last FROM {blocks} WHERE area && {box} AND last > %(after)s ORDER BY first) AS block
        CROSS JOIN LATERAL (
            SELECT {all} FROM {source}
            WHERE _row BETWEEN block.first AND block.last AND _row > %(after)s ORDER BY _row OFFSET 0
        ) AS s
        WHERE {where}
        LIMIT %(limit)s OFFSET %(offset)s
    ) AS page
"""
_PAGE_BY_BLOCKS = f"{_ALL_BY_BLOCKS} ORDER BY {{order}}"


def one(layer: Layer, key: str, question: Items) -> Statement:
    """SQL for the feature with this id: id, geometry, properties, and (only of what holds now) its content's digest.

    Of the question count its period, what was known when, and its CRS.
    """
    return Statement(_one_text(layer, question.shape), _values(question) | {"key": key}, property_names(layer))


@lru_cache(maxsize=256)
def _one_text(layer: Layer, shape: Items) -> bytes:
    key = sql.Identifier(layer.key_field)
    query = sql.SQL("SELECT {key}, {geometry}, {names}, {digest} FROM {source} AS s WHERE {where} LIMIT 1").format(
        key=key,
        digest=sql.SQL("NULL" if moments.is_past(layer, shape.moment) else "_hash"),
        geometry=_encoded(shape),
        names=_list(property_names(layer)),
        source=moments.source(layer, shape.moment),
        where=sql.SQL(" AND ").join([*_conditions(layer, shape), sql.SQL("{} = %(key)s").format(key)]),
    )
    return query.as_bytes(None)


def count(layer: Layer, question: Items) -> Statement:
    """SQL for the number of features that match."""
    return Statement(_matching("SELECT count(*)", layer, question), _values(question), ())


def estimate(layer: Layer, question: Items) -> Statement:
    """SQL for the planner's estimate of that number, in its first row's plan."""
    return Statement(_matching("EXPLAIN (FORMAT JSON) SELECT", layer, question), _values(question), ())


def estimated(rows: list[tuple[Any, ...]]) -> int:
    """The number in the answer to `estimate`."""
    return int(rows[0][0][0]["Plan"]["Plan Rows"])


def _matching(what: LiteralString, layer: Layer, question: Items) -> bytes:
    where = _conditions(layer, question)
    query = sql.SQL(what) + sql.SQL(" FROM {source} AS s WHERE {where}").format(
        source=moments.source(layer, question.moment),
        where=sql.SQL(" AND ").join(where) if where else sql.SQL("true"),
    )
    return query.as_bytes(None)


def feature(statement: Statement, row: tuple[Any, ...]) -> dict[str, Any]:
    """A result row as a GeoJSON feature; its geometry is ready text."""
    return {
        "type": "Feature",
        "id": row[0],
        "geometry": None if row[1] is None else orjson.Fragment(row[1]),
        "properties": dict(zip(statement.properties, row[2:], strict=False)),
    }


def _encoded(shape: Items) -> sql.Composable:
    """SQL for geometry as the question wants it."""
    geometry: sql.Composable = sql.Identifier("geom")
    if shape.tolerance is not None:
        geometry = sql.SQL("st_simplifypreservetopology({}, %(tolerance)s)").format(geometry)
    crs = shape.crs
    match shape.encoding:
        case "wkb":
            return sql.SQL("st_asbinary({})").format(crs.geometry_x_first(geometry))
        case "wkt":
            return sql.SQL("st_astext({}, {})").format(crs.geometry_x_first(geometry), sql.Literal(crs.decimals))
    return sql.SQL("st_asgeojson({}, {}, 0)").format(crs.geometry(geometry), sql.Literal(crs.decimals))


def _list(names: list[str] | tuple[str, ...]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _order(sort: Sort) -> sql.Composable:
    direction = sql.SQL(" DESC NULLS LAST" if sort.descending else " ASC NULLS LAST")
    return sql.Identifier(sort.field) + (sql.SQL("") if sort.field == "_row" else direction)


def _values(question: Items) -> dict[str, Any]:
    """The values that a statement's placeholders stand for."""
    params = question.moment.values
    box = question.bbox or (question.cql.bounds if question.cql else None)
    if box is not None:
        params["west"], params["south"], params["east"], params["north"] = box
    params["tolerance"] = question.tolerance
    if question.ids is not None:
        params["ids"] = list(question.ids)
    for number, word in enumerate(question.words):
        params[f"word{number}"] = "%" + _LIKE.sub(r"\\\g<0>", word.text) + "%"
        params |= {f"word{number}_{name}": list(codes) for name, codes in word.codes}
    for number, (_, value) in enumerate(question.filters):
        params[f"filter{number}"] = value
    if question.cql is not None:
        params |= question.cql.params
    for number, value in enumerate(question.after or ()):
        params[f"after{number}"] = value
    return params


def _conditions(layer: Layer, shape: Items) -> list[sql.Composable]:
    where: list[sql.Composable] = []
    if shape.bbox == _OVER_ANTIMERIDIAN:
        where.append(sql.SQL("(st_intersects(geom, {}) OR st_intersects(geom, {}))").format(*_BOTH_SIDES))
    elif shape.bbox is not None:
        # The middle term spares the exact test for shapes whose box lies wholly inside.
        where.append(sql.SQL("geom && {box} AND (geom @ {box} OR st_intersects(geom, {box}))").format(box=_BOX))
    where += moments.conditions(layer, shape.period)
    for number, (name, _) in enumerate(shape.filters):
        where.append(sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(f"filter{number}")))
    if shape.cql is not None:
        where.append(shape.cql.condition)
    if shape.ids is not None:
        kind = tables.COLUMN_TYPES[layer.fields[layer.key_field].type]
        where.append(sql.SQL("{} = ANY(%(ids)s::{}[])").format(sql.Identifier(layer.key_field), sql.SQL(kind)))
    return where + [_says(layer, number, word) for number, word in enumerate(shape.words)]


#: What LIKE would not take literally.
_LIKE = re.compile(r"[\\%_]")


def _says(layer: Layer, number: int, word: Word) -> sql.Composable:
    """Rows of which some property contains a word."""
    contains = sql.SQL("{} ILIKE {}")
    texts = [name for name, decl in layer.fields.items() if decl.type == "string"]
    ways = [contains.format(sql.Identifier(name), sql.Placeholder(f"word{number}")) for name in texts]
    means = sql.SQL("{} = ANY({})")
    ways += [means.format(sql.Identifier(name), sql.Placeholder(f"word{number}_{name}")) for name, _ in word.codes]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(ways)) if ways else sql.SQL("false")


# The envelope of a box without width or height is a line or a point, which meets what the flat area would miss.
_BOX = sql.SQL("st_envelope(st_makeenvelope(%(west)s, %(south)s, %(east)s, %(north)s, {}))").format(
    sql.Literal(tables.SRID)
)
#: What a box over the antimeridian has west and east of it.
_BOTH_SIDES = [
    sql.SQL(f"st_makeenvelope({west}, %(south)s, {east}, %(north)s, {tables.SRID})")
    for west, east in (("%(west)s", "180"), ("-180", "%(east)s"))
]


def _after(layer: Layer, order: list[Sort], values: tuple[Value, ...]) -> sql.Composable:
    """Rows that sort after the cursor. Missing values sort last in both directions."""
    alternatives: list[sql.Composable] = []
    equal: list[sql.Composable] = []
    for number, (sort, value) in enumerate(zip(order, values, strict=True)):
        column = sql.Identifier(sort.field)
        if value is None:
            equal.append(sql.SQL("{} IS NULL").format(column))
            continue
        kind = "bigint" if sort.field == "_row" else _sql_type(layer, sort.field)
        bound = sql.SQL("{}::{}").format(sql.Placeholder(f"after{number}"), sql.SQL(kind))
        beyond = sql.SQL("{} {} {}").format(column, sql.SQL("<" if sort.descending else ">"), bound)
        if sort.field != "_row":
            beyond = sql.SQL("({} OR {} IS NULL)").format(beyond, column)
        alternatives.append(sql.SQL(" AND ").join([*equal, beyond]))
        equal.append(sql.SQL("{} = {}").format(column, bound))
    return sql.SQL("({})").format(sql.SQL(" OR ").join(alternatives))


def _sql_type(layer: Layer, name: str) -> str:
    if name in layer.fields:
        return tables.COLUMN_TYPES[layer.fields[name].type]
    return "timestamptz" if name.startswith("valid_") else "text"

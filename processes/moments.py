"""The two times that a process may be asked of, read in one place: `datetime` and `asOf`, as items have them.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any

from psycopg import Connection, sql
from pydantic import BeforeValidator, Field

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.processes.base import Inputs, titled
from shikong.store import as_of, moments
from shikong.store.moments import Moment, Period


def _read(*, end: bool) -> Callable[[Any], datetime | None]:
    """The validator of a time; a day means its last moment with `end`, and else its first."""

    def read(value: Any) -> datetime | None:
        if value is None:
            return None
        try:
            moment = moments.parse(str(value).strip(), catalog.default().city.timezone, end=end)
        except ValueError:
            moment = None
        if moment is None:
            raise ValueError(f"{value!r} is not an instant, such as 2024-12-31 or 2024-12-31T08:00:00+08:00")
        return moment

    return read


#: A time of an input; a day means its first moment.
Start = Annotated[datetime | None, BeforeValidator(_read(end=False), json_schema_input_type=str)]
#: The same; a day means its last moment.
End = Annotated[datetime | None, BeforeValidator(_read(end=True), json_schema_input_type=str)]


class Known(Inputs):
    """Inputs of a process that can be answered as the service knew things at a time."""

    as_of: Annotated[datetime | None, BeforeValidator(_read(end=True), json_schema_input_type=str)] = Field(
        None,
        alias="asOf",
        json_schema_extra=titled("按何时所知（可选；日期指当日末）", "As known at (optional; a day means its end)"),
    )

    @property
    def moment(self) -> Moment:
        """Which rows the process reads."""
        return Moment(known_at=self.as_of)


class Then(Known):
    """Inputs of a process that can also be asked of what held in the world at a time."""

    held_at: Start = Field(
        None,
        alias="datetime",
        json_schema_extra=titled(
            "何时的情形（可选；日期指当日始）", "As it was at (optional; a day means its first moment)"
        ),
    )

    @property
    def moment(self) -> Moment:
        """Which rows the process reads."""
        return Moment(Period(self.held_at, self.held_at) if self.held_at else None, self.as_of)


def releases_of(conn: Connection[Any], layers: Iterable[Layer], moment: Moment) -> dict[str, int | None]:
    """The release of each layer, by its id, that an answer as of a moment is from; None before the first."""
    known, asked = moment.known_at is not None, list(layers)
    of = [as_of.release_at(layer, sql.Placeholder("known_at")) if known else as_of.newest(layer) for layer in asked]
    row = conn.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(of)), {"known_at": moment.known_at}).fetchone()
    assert row is not None
    return {layer.id: None if number is None else int(number) for layer, number in zip(asked, row, strict=True)}

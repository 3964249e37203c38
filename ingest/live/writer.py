"""From the journal into the database, some frames at a time, each batch in one transaction.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
import structlog
from psycopg import Connection, sql

from shikong.ingest.live import decoding
from shikong.ingest.live.decoding import Decoded, Known, Value
from shikong.ingest.live.journal import Journal, Received
from shikong.ingest.quality import readings
from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.store import observations, refused_telegrams, tables
from shikong.store.database import Database
from shikong.store.errors import StoreError

LOG = structlog.get_logger()

#: Frames that one transaction takes up at most.
BATCH = 2_000

#: Seconds between looks at an empty journal, between attempts on a database that is away, and between looks at which
#: stations there are.
_IDLE, _AWAY, _STATIONS = 0.1, 1.0, 30.0

#: Seconds between two looks for refused frames that have been kept for long enough.
_FORGET = 3_600.0

#: What the release of a live stream is said to come from.
SOURCE = "telemetry"


@dataclass
class Figures:
    """What a writer has done since it began. lag: seconds from the last batch's first reception to its commit."""

    frames: int = 0
    values: int = 0
    refused: int = 0
    lag: float = 0.0


class Writer:
    """Takes frames from a journal into the database until it is stopped."""

    def __init__(self, database: Database, catalog: Catalog, journal: Journal) -> None:
        self._database, self._catalog, self._journal = database, catalog, journal
        self._layers = {layer.id: layer for layer in decoding.observed(catalog)}
        self._elements = decoding.elements_of(catalog)
        self._known: Known | None = None
        self._looked = self._forgot = -_FORGET
        self._stop = threading.Event()
        self.figures = Figures()

    def run(self) -> None:
        """Work until `stop` is called; what is left then stays in the journal."""
        while not self._stop.is_set():
            try:
                if not self.once():
                    self._stop.wait(_IDLE)
            except StoreError as error:
                LOG.warning("the database cannot take frames now; they wait in the journal", error=str(error))
                self._stop.wait(_AWAY)

    def stop(self) -> None:
        """End `run` after the batch that it is at."""
        self._stop.set()

    def once(self) -> int:
        """Take up a batch; returns how many frames it had. Raises StoreError: then it is still in the journal."""
        batch = self._journal.first(BATCH)
        if not batch:
            return 0
        try:
            self._store(batch)
        except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
            # One frame must not keep the others out for ever.
            LOG.error("a batch cannot be stored; its frames are tried one by one", error=str(error))
            self._store_singly(batch)
        self._journal.forget(batch[-1][0])
        self.figures.frames += len(batch)
        self.figures.lag = (datetime.now(UTC) - batch[0][1].received_at).total_seconds()
        return len(batch)

    def _store_singly(self, batch: list[tuple[int, Received]]) -> None:
        for number, frame in batch:
            try:
                self._store([(number, frame)])
            except (psycopg.DataError, psycopg.IntegrityError, psycopg.ProgrammingError) as error:
                broken = Received(frame.received_at, frame.protocol, frame.peer, frame.data, "not_stored", str(error))
                self._store([(number, broken)])

    def _store(self, batch: list[tuple[int, Received]]) -> None:
        with self._database.thread_session() as conn, conn.transaction():
            conn.execute("SET LOCAL statement_timeout = 0")  # a delivery that is being merged is waited for
            known = self._stations(conn)
            decoded = [(number, frame, decoding.decode(frame, known)) for number, frame in batch]
            values = [value for _, _, done in decoded for value in done.values]
            for layer in sorted({value.layer for value in values}):
                self._append(conn, self._layers[layer], (value for value in values if value.layer == layer))
            self._keep_pictures(done for _, _, done in decoded)
            if time.monotonic() - self._forgot > _FORGET:
                refused_telegrams.forget_old(conn)
                self._forgot = time.monotonic()
            refused = list(_refused(decoded))
            refused_telegrams.keep(conn, self._journal.id, refused)
        self.figures.values += len(values)
        self.figures.refused += len(refused)

    def _append(self, conn: Connection[Any], layer: Layer, values: Iterable[Value]) -> None:
        """Merge values into a layer. Of several for one time the one that came last counts."""
        last = {(value.station, value.parameter, value.time): value for value in values}
        rows = sorted(last.items(), key=lambda item: item[0])
        firsts: dict[readings.Series, datetime] = {}
        for (station, parameter, at), _ in rows:
            firsts.setdefault((station, parameter), at)
        before = readings.before(conn, layer, firsts)
        quality, _ = readings.judge(
            (((station, name), at, value.value) for (station, name, at), value in rows), layer.parameters, before
        )
        observations.empty_stage(conn)
        number = observations.stage(conn, (
            (*key, value.value, readings.FAULTY if value.faulty else code, "delivered")
            for (key, value), code in zip(rows, quality, strict=True)
        ))  # fmt: skip
        observations.append(conn, layer, SOURCE, number)

    def _keep_pictures(self, decoded: Iterable[Decoded]) -> None:
        """Write what stations' cameras sent to pictures/<station>/<time>.jpg below the data folder."""
        for station, taken, picture in (done.picture for done in decoded if done.picture is not None):
            folder = self._database.settings.data / "pictures" / quote(station, safe="")
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{taken:%Y%m%d%H%M%S}.jpg").write_bytes(picture)

    def _stations(self, conn: Connection[Any]) -> Known:
        """The stations; looked up anew now and then, so that a new one need not wait for a restart."""
        if self._known is None or time.monotonic() - self._looked > _STATIONS:
            found: dict[str, str] = {}
            for name in sorted({layer.stations for layer in self._layers.values() if layer.stations}):
                found |= dict(_addresses(conn, self._catalog.layer(name)))
            self._known, self._looked = Known(self._elements, found), time.monotonic()
        return self._known


def _addresses(conn: Connection[Any], stations: Layer) -> Iterator[tuple[str, str]]:
    """Addresses and the stations that they are: their codes, and those that they send with."""
    key = sql.Identifier(stations.key_field)
    rtu = sql.Identifier("rtu") if "rtu" in stations.fields else sql.NULL
    query = sql.SQL("SELECT {key}, {rtu} FROM {}").format(tables.table(stations), key=key, rtu=rtu)
    for code, address in conn.execute(query):
        yield code, code
        if address is not None:
            yield address, code


def _refused(decoded: Iterable[tuple[int, Received, Decoded]]) -> Iterator[refused_telegrams.Refused]:
    for number, frame, done in decoded:
        if done.refused is not None:
            yield refused_telegrams.Refused(
                number, frame.received_at, frame.protocol, frame.peer, done.station, done.refused.reason,
                str(done.refused), frame.data,
            )  # fmt: skip

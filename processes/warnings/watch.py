"""Watching what arrives: verdicts are brought up to it, and warnings published as they change.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import structlog
from psycopg import Connection, sql

from shikong.ingest.edit_errors import EditError
from shikong.layers.catalog import Catalog
from shikong.processes.warnings import facts, publishing
from shikong.processes.warnings.engine import Engine, Event, Stations, Subject, Verdict, judge, judge_groups
from shikong.store import as_of, locks, observations
from shikong.store.database import Database, dsn
from shikong.store.errors import StoreError

LOG = structlog.get_logger()

#: Seconds without news after which warnings in force are looked at again: a level that was left is lowered by time.
_QUIET = 30.0

#: Seconds until the next attempt when the database is away.
_AWAY = 2.0

#: Hears of warnings that have changed, by their codes.
Tell = Callable[[list[str]], None]


class Watch:
    """Keeps the warnings of a city. One at a time keeps them; another waits until it ends."""

    def __init__(self, database: Database, city: Catalog, tell: Tell = lambda codes: None) -> None:
        """tell: hears of each warning that has been published."""
        self._database, self._city, self._tell = database, city, tell
        self._rules = facts.rules_of(city)
        self._engine: Engine | None = None
        self._verdicts: dict[Subject, Verdict] = {}
        self._mark: int | None = None
        self._stations: Stations | None = None
        self._release: int | None = None

    def run(self, stop: threading.Event) -> None:
        """Watch until `stop` is set."""
        while not stop.is_set():
            try:
                with psycopg.connect(dsn(self._database.settings), autocommit=True) as conn:
                    self._listen(conn, stop)
            except (StoreError, EditError, psycopg.OperationalError) as error:
                LOG.warning("warnings could not be brought up; they are looked at anew", error=str(error))
                self._engine = None
                stop.wait(_AWAY)

    def _listen(self, conn: Connection[Any], stop: threading.Event) -> None:
        if not locks.hold_watch(conn):
            stop.wait(_AWAY)
            return
        conn.execute(f"LISTEN {observations.CHANNEL}")
        self.once(datetime.now(UTC))
        looked = datetime.now(UTC)
        while not stop.is_set():
            news = list(conn.notifies(timeout=1.0, stop_after=1))
            now = datetime.now(UTC)
            if news or now - looked > timedelta(seconds=_QUIET):
                self.once(now)
                looked = now

    def once(self, now: datetime) -> list[Event]:
        """Bring verdicts and warnings up to what is known now; returns what has changed."""
        with self._database.thread_session() as conn:
            known = publishing.in_force(conn, self._city)
            if self._engine is None:
                active = {subject: warning.level for subject, warning in known.items()}
                self._engine, self._mark, self._verdicts = Engine(self._rules, active), None, {}
                self._stations = None
            self._engine.forget(known.keys())
            fresh, self._mark = facts.changed(conn, self._city, self._mark)
            stations = self._known_stations(conn)
            wanted = (fresh | {subject for _, subject in known}) & stations.keys()
            found = facts.read(conn, self._city, wanted, now, now)
        self._verdicts |= judge(self._rules, stations, found.observed, now)
        groups = judge_groups(self._rules, stations, self._verdicts, now)
        own = {subject: verdict for subject, verdict in self._verdicts.items() if subject[1] in wanted}
        events = list(self._engine.step({**own, **groups}, now))
        if events:
            codes = publishing.publish(self._database, self._city, events, known, stations, found.generated)
            LOG.info("warnings have changed", codes=codes)
            self._tell(codes)
        return events

    def _known_stations(self, conn: Connection[Any]) -> Stations:
        """The stations, read anew when their layer has another release; edits are releases, too."""
        # The number comes first: what is published after it was asked for is seen by its own number the next time.
        newest = sql.SQL("SELECT {}").format(as_of.newest(facts.stations_layer(self._city)))
        row = conn.execute(newest).fetchone()
        assert row is not None
        if self._stations is None or row[0] != self._release:
            self._stations, self._release = facts.stations(conn, self._city), row[0]
        return self._stations

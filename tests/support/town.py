"""A town with one river station: its stage rises when a test says so, and the watch looks at once.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from conftest import Service

from shikong.layers import catalog
from shikong.processes.warnings.watch import Watch
from shikong.store import observations
from shikong.store.database import Database
from shikong.store.principal import Principal, acting_as
from support.loads import dsn_of, load

CITY = catalog.default()
LAYER = CITY.layer("hydro_observations")
NOW = datetime.now(UTC).replace(microsecond=0)

_STATIONS = "stcd,stnm,sttp,rvnm,wrz,grz,obhtz,lon,lat\nS1,聊城闸,ZQ,徒骇河,32,33.5,34.2,115.9,36.4\n"


class Town:
    """A service over a store of its own, with the station S1, and the watch that runs when it is told to."""

    def __init__(self, url: str, store: Database) -> None:
        self.url, self._store = url, store
        self._watch = Watch(store, CITY)

    def rises_to(self, stage: float, minutes: int, origin: str = "delivered") -> None:
        """The stage of the station so many minutes from now, and what follows from it."""
        at = NOW + timedelta(minutes=minutes)
        with acting_as(Principal("worker:test", ("worker",))):
            with self._store.thread_session() as conn, conn.transaction():
                observations.empty_stage(conn)
                number = observations.stage(conn, [("S1", "z", at, stage, 0, origin)])
                observations.append(conn, LAYER, "telemetry", number)
            self._watch.once(at)


@contextmanager
def opened(
    store: Database, folder: Path, run_service: Callable[..., AbstractContextManager[Service]]
) -> Iterator[Town]:
    """A town without warnings, in a store without data."""
    stations = folder / "stations.csv"
    stations.write_text(_STATIONS, encoding="utf-8")
    load(store, stations, "hydro_stations")
    store.settings.data.mkdir(exist_ok=True)
    with run_service(dsn_of(store), store.settings.data, SHIKONG_EDITING="roles") as service:
        yield Town(service.url, store)

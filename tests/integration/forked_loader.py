"""Loads in forked processes that are killed: each line on standard input is `SECONDS FILE` for districts.

After so many seconds (a minus sign: never) the loading process is killed with kill -9; then its wait status is
printed. The modules are imported once, so that a kill hits the load and not the start of Python.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from shikong.ingest.features import Options
from shikong.ingest.job import ingest
from shikong.layers import catalog
from shikong.store import bulk
from shikong.store.database import Database
from shikong.store.settings import StoreSettings


def _load(dsn: str, data: str, source: str) -> None:
    store = Database(StoreSettings(Path(data), dsn, statement_timeout=30, pool_size=2))
    ingest(store, catalog.default(), Path(source), "districts", Options(), lambda *_: None)


def main(dsn: str, data: str) -> None:
    """Serve until the input ends."""
    catalog.default()
    bulk.LEAST_ROWS = 1  # a first load fills its table aside, however few rows it has
    print("ready", flush=True)
    for line in sys.stdin:
        seconds, source = line.rstrip("\n").split(" ", 1)
        child = os.fork()
        if child == 0:
            _load(dsn, data, source)
            os._exit(0)
        if seconds != "-":
            time.sleep(float(seconds))
            os.kill(child, signal.SIGKILL)  # one that has ended already is still ours: it has not been waited for
        print(os.waitpid(child, 0)[1], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

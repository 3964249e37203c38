"""Runs a worker with other waits and sources than the shipped ones: job_worker.py DSN DATA TIMING SOURCES (JSON).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

from shikong.ingest.jobs.worker import Timing, run
from shikong.layers import catalog
from shikong.layers.source import SourceDecl
from shikong.store.database import Database
from shikong.store.settings import StoreSettings


def main(dsn: str, data: str, timing: str, sources: str) -> None:
    """Work until stopped."""
    found = catalog.default()
    layers = dict(found.layers)
    for layer, source in json.loads(sources).items():
        layers[layer] = layers[layer].model_copy(update={"source": SourceDecl.model_validate(source)})
    store = Database(StoreSettings(Path(data), dsn, statement_timeout=30, pool_size=4))
    print("ready", flush=True)
    run(store, replace(found, layers=layers), Timing(**json.loads(timing)), once=False)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""`asOf` for what pygeoapi's handlers answer: the time whose knowledge the present request asks for.

pygeoapi gives its providers no parameters but its own, so this one travels in the request's context. Without it,
and under `pygeoapi serve`, answers tell what is known now.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path

from shikong.layers.model import Layer
from shikong.providers.plugin_errors import as_provider_errors
from shikong.store import places
from shikong.store.database import default as default_database

_known_at: ContextVar[datetime | None] = ContextVar("known_at", default=None)


@contextmanager
def as_known_at(moment: datetime | None) -> Iterator[None]:
    """Answer what is asked within with what the service knew at a time; None is now."""
    token = _known_at.set(moment)
    try:
        yield
    finally:
        _known_at.reset(token)


def known_at() -> datetime | None:
    """The time whose knowledge is asked for; None is now."""
    return _known_at.get()


def place_of(layer: Layer) -> Path:
    """The files of a coverage's or cube's release that is asked for. Raises pygeoapi's errors."""
    with as_provider_errors():
        return places.at(default_database(), layer, known_at())

"""Sources that have an address and no file: another feature service, or a table of another PostGIS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from shikong.ingest.errors import UnreadableSource
from shikong.ingest.readers import arcgis, ogc_features, postgis, wfs
from shikong.ingest.readers.base import FeatureSource
from shikong.ingest.readers.spool import Protocol, Spool

_DATABASES = ("postgresql", "postgres")
_SERVICES = ("http", "https")


def is_address(text: str) -> bool:
    """Whether a source is an address and not a file."""
    return urlsplit(text).scheme in (*_DATABASES, *_SERVICES) and "://" in text


def is_service(address: str) -> bool:
    """Whether an address is one that `opened` reads; another over http is the address of a file."""
    speaks = arcgis.speaks(address) or wfs.speaks(address) or ogc_features.speaks(address)
    return speaks or urlsplit(address).scheme in _DATABASES


@contextmanager
def opened(address: str, folder: Path) -> Iterator[tuple[str, FeatureSource]]:
    """Open a remote source: the name that its release gets (without password), and its features.

    folder: where the pages of a service are kept until the source has been loaded, so that the same command goes on
    where a broken one stopped.
    Raises UnreadableSource and EmptySource.
    """
    if urlsplit(address).scheme in _DATABASES:
        yield postgis.open_source(address)
        return
    spool = Spool.at(folder, address)
    protocol = _protocol(address)
    pages = spool.fill(protocol)
    yield spool.name, spool.open_source(protocol, pages)
    spool.remove()


def _protocol(address: str) -> Protocol:
    if arcgis.speaks(address):
        return arcgis.protocol(address)
    if wfs.speaks(address):
        return wfs.protocol(address)
    if ogc_features.speaks(address):
        return ogc_features.protocol(address)
    raise UnreadableSource(
        "an address must be …/collections/{id} (OGC API), …?service=WFS&typeNames={name} or …/FeatureServer/{number}"
    )

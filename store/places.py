"""Where rasters and cubes lie below the data folder, and which release of each is the present one.

A release is written beside the present one and then named by a link that is replaced in one step,
so that a reader sees the old or the new and never half.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from shikong.layers.model import Layer
from shikong.store.errors import NotPublished

_SUFFIX = {"coverage": ".tif", "cube": ".zarr"}


def folder(data: Path, layer: Layer) -> Path:
    """The folder of a layer's releases."""
    return data / ("rasters" if layer.kind == "coverage" else "cubes") / layer.id


def new(data: Path, layer: Layer) -> Path:
    """A place for a release that is being written."""
    place = folder(data, layer) / f"{uuid.uuid4().hex}{_SUFFIX[layer.kind]}"
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def publish(data: Path, layer: Layer, place: Path) -> None:
    """Make a written release the present one."""
    link = folder(data, layer) / f"current{_SUFFIX[layer.kind]}"
    fresh = link.with_name(f".{place.name}.link")
    fresh.symlink_to(place.name)
    os.replace(fresh, link)


def current(data: Path, layer: Layer) -> Path:
    """The present release. Raises NotPublished."""
    link = folder(data, layer) / f"current{_SUFFIX[layer.kind]}"
    if not link.exists():
        raise NotPublished(f"nothing has been published for {layer.id} yet; load it with `shikong ingest`")
    return link.resolve()

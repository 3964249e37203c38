"""STAC as pystac reads it, and a COG that rasterio reads over HTTP by ranges.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import httpx
import numpy as np
import pystac
import rasterio


def test_a_raster_release_is_found_and_read_by_ranges(client: Any, service: Any) -> None:
    catalog = pystac.Catalog.from_dict(client.get("/stac").json)
    children = {link.href.rsplit("/", 1)[-1]: link.href for link in catalog.get_links("child")}
    assert children.keys() == {"elevation", "imagery", "land_cover", "precipitation"}
    collection = pystac.Collection.from_dict(client.link(children["elevation"]).json)
    (link,) = collection.get_links("item")
    item = pystac.Item.from_dict(client.link(link.href).json)
    assert item.collection_id == "elevation"
    assert item.properties["proj:code"] == "EPSG:4490"
    assert item.properties["shikong:origin"] == "generated"
    asset = item.assets["data"]
    path = (service.data / "rasters/elevation/current.tif").resolve()
    with rasterio.open(f"/vsicurl/{asset.href}") as remote, rasterio.open(path) as local:
        assert item.bbox == list(local.bounds)
        window = rasterio.windows.Window(10, 10, 50, 40)
        assert np.array_equal(remote.read(1, window=window), local.read(1, window=window))
    part = httpx.get(asset.href, headers={"Range": "bytes=0-99"}, trust_env=False)
    assert (part.status_code, part.content) == (206, path.read_bytes()[:100])
    assert "immutable" in part.headers["cache-control"]


def test_what_is_no_raster_or_no_release_is_not_found(client: Any) -> None:
    for path in (
        "/stac/collections/parcels", "/stac/collections/elevation/items/999999",
        "/stac/collections/elevation/items/999999/data",
    ):  # fmt: skip
        assert client.get(path).status == 404
    assert client.get("/stac/collections/elevation/items/x").status == 400
    assert client.get("/stac", limit="3").status == 400

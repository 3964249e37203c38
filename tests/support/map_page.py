"""The map page as tests drive it: opened with a state, looked at, and asked what it has loaded.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
import math
import urllib.parse
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest
from numpy.typing import NDArray

from shikong.layers import catalog
from shikong.layers.symbols import symbols

READY = "document.getElementById('map').dataset.ready === 'true'"
WIDE, PHONE = (1280, 900), (390, 844)

#: A place with parcels of many classes in the tiny city, on the map's middle.
PLACE, ZOOM = (116.03532, 36.42324), 14.5
AT = f"at={PLACE[0]},{PLACE[1]},{ZOOM}"

#: Classes of land that are seen there, and the colours that are declared for them.
CODES = ("0102", "0702", "0301")
COLORS = {entry.value: entry.color for entry in symbols(catalog.default(), catalog.default().layer("parcels"))}

Pixels = NDArray[np.int64]


def open_map(page: Any, service: Any, state: str, size: tuple[int, int] = WIDE, language: str = "zh-CN") -> None:
    """Open the page anew: an address that differs behind its `#` alone would not load it again."""
    page.open("about:blank", *size)
    page.open(f"{service.url}/map?lang={language}#{state}", *size, ready=READY)
    page.value("performance.setResourceTimingBufferSize(10000)")


def pixels(path: Path) -> Pixels:
    pixels: Pixels = np.rint(matplotlib.image.imread(path)[:, :, :3] * 255).astype(np.int64)
    return pixels


def seen(page: Any, path: Path, element: str = "map") -> Pixels:
    """What a page's map shows, once it is drawn, without the page's other parts."""
    page.wait(f"document.getElementById('{element}').dataset.ready === 'true'")
    page.picture(path)
    box = page.value("(({x, y, width, height}) => [x, y, width, height])"
                     f"(document.getElementById('{element}').getBoundingClientRect())")  # fmt: skip
    x, y, width, height = (round(value) for value in box)
    return pixels(path)[y : y + height, x : x + width]


def count(pixels: Pixels, color: str) -> int:
    wanted = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return int((pixels == wanted).all(axis=-1).sum())


def addresses(page: Any) -> list[str]:
    found: list[str] = page.value("performance.getEntriesByType('resource').map(entry => entry.name)")
    return [urllib.parse.unquote(address) for address in found]


def state_of(page: Any) -> dict[str, str]:
    return dict(urllib.parse.parse_qsl(page.value("location.hash.slice(1)")))


def middle(page: Any) -> tuple[float, float]:
    x, y = page.value("(({x, y, width, height}) => [x + width / 2, y + height / 2])"
                      "(document.getElementById('map').getBoundingClientRect())")  # fmt: skip
    return x, y


def lonlat(state: dict[str, str], dx: float, dy: float) -> tuple[float, float]:
    """Where a pixel lies, told from the middle of a Web Mercator map."""
    lon, lat, zoom = map(float, state["at"].split(","))
    step = 2 * math.pi / 256 / 2**zoom
    north = math.asinh(math.tan(math.radians(lat))) - dy * step
    return lon + math.degrees(dx * step), math.degrees(math.atan(math.sinh(north)))


def items(service: Any, layer: str, **asked: str) -> list[dict[str, Any]]:
    """What the API gives."""
    answer = httpx.get(f"{service.url}/collections/{layer}/items", params={"f": "json", **asked}, trust_env=False)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["features"]
    return found


def choose(page: Any, name: str, value: str) -> None:
    """Give an input or list a value as a reader does."""
    page.value(f"(field => {{ field.value = {json.dumps(value)}; for (const kind of ['input', 'change']) "
               f"field.dispatchEvent(new Event(kind)); }})(document.querySelector({json.dumps(name)}))")  # fmt: skip


def focus_by_tab(page: Any, name: str) -> None:
    """Press Tab until an element has the focus."""
    for _ in range(120):
        if page.value("document.activeElement.id") == name:
            return
        page.press("Tab")
    pytest.fail(f"Tab never reaches {name}")

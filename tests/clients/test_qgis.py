"""QGIS loads layers through its own OGC API - Features provider and draws a map.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np


def test_qgis_draws_the_city(service: Any, artefacts: Path, run_client: Callable[..., str], tmp_path: Path) -> None:
    picture = artefacts / "qgis.png"
    picture.unlink(missing_ok=True)
    script = Path(__file__).with_name("qgis_render.py")
    output = run_client(
        "/usr/bin/python3", str(script), service.url, str(picture), QT_QPA_PLATFORM="offscreen",
        XDG_RUNTIME_DIR=str(tmp_path), QGIS_CUSTOM_CONFIG_PATH=str(tmp_path), HOME=str(tmp_path),
    )  # fmt: skip
    found = json.loads(output.strip().splitlines()[-1])
    for name, layer in found.items():
        items = httpx.get(f"{service.url}/collections/{name}/items?f=json&limit=1&skipGeometry=true", trust_env=False)
        assert layer["count"] == items.json()["numberMatched"], name
        west, south, east, north = layer["bbox"]
        assert 115 < west < east < 117, name
        assert 35 < south < north < 38, name
    assert "xzqmc" in found["districts"]["fields"]
    image = matplotlib.image.imread(picture)
    assert image.shape[:2] == (900, 1200)
    colours = np.unique((image[:, :, :3] * 255).astype(int).reshape(-1, 3), axis=0)
    assert len(colours) > 50, "the picture is blank"

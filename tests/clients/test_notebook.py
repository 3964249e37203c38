"""The notebook runs from the first cell to the last against a running service, and its pictures show something.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import matplotlib.image
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
#: Each with the pictures that it draws.
DRAWS = {"first_look.ipynb": 3, "one_blueprint.ipynb": 1, "storm_rehearsal.ipynb": 1}


def _pictures(notebook: Any) -> list[bytes]:
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return [base64.b64decode(output.data["image/png"]) for output in outputs if "image/png" in output.get("data", {})]


def test_every_notebook_is_run() -> None:
    assert {path.name for path in NOTEBOOKS.glob("*.ipynb")} == set(DRAWS)


@pytest.mark.parametrize("name", DRAWS)
def test_committed_notebook_has_no_outputs(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    assert [cell.outputs for cell in notebook.cells if cell.cell_type == "code" and cell.outputs] == []


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.filterwarnings("ignore:Proactor event loop", "ignore::DeprecationWarning:zmq")
def test_notebook_goes_from_the_api_to_pictures(
    name: str, service: Any, artefacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIKONG_URL", service.url)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "matplotlib"))  # knows fonts that came after its own cache
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}})
    client.execute()
    warnings = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    ]
    assert not warnings
    pictures = _pictures(notebook)
    assert len(pictures) == DRAWS[name]
    for number, picture in enumerate(pictures, start=1):
        (artefacts / f"{Path(name).stem}-{number}.png").write_bytes(picture)
        image = matplotlib.image.imread(io.BytesIO(picture), format="png")
        colours = np.unique((image[:, :, :3] * 255).astype(int).reshape(-1, 3), axis=0)
        assert len(colours) > 20, f"picture {number} is blank"

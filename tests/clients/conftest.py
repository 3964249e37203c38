"""What the client tests share: the folder for pictures, and the outside programs, which must be there.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ARTEFACTS = Path(__file__).parents[1] / "artefacts"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder drives an outside client."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.clients)


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Where pictures go, to be looked at."""
    ARTEFACTS.mkdir(exist_ok=True)
    return ARTEFACTS


@pytest.fixture(scope="session")
def run_client() -> Callable[..., str]:
    """Runs an outside program without any proxy and gives its standard output; fails with its own words."""

    def run(*command: str, timeout: int = 180, **environment: str) -> str:
        if shutil.which(command[0]) is None:
            pytest.fail(f"{command[0]} is not installed: run `make setup-clients`")
        clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        done = subprocess.run(
            command, env=clean | environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{command[0]} failed: {done.stderr[-2000:]}"
        return done.stdout

    return run

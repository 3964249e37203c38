"""The sample city as files, made twice, for the tests of what is in it; and declarations to break.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shikong.layers import catalog
from shikong.samples import city
from support.sample_files import NOW


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny sample city."""
    out = tmp_path_factory.mktemp("sample")
    city.generate("tiny", out, now=NOW)
    return out


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same city once more."""
    out = tmp_path_factory.mktemp("again")
    city.generate("tiny", out, now=NOW)
    return out


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of the declarations to break."""
    copy = tmp_path / "layers"
    shutil.copytree(catalog.HOME, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    return copy

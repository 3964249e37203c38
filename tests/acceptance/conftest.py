"""Fixtures of the acceptance ring: over HTTP, against a running server.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def _client_module() -> Any:
    """client.py beside this file; test folders are not packages."""
    name = "shikong_test_client"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("client.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def client(service: Any) -> Iterator[Any]:
    """A client of the running server."""
    asking = client_for(service.url)
    yield asking
    asking.close()


def client_for(url: str) -> Any:
    """A client of the server at this address."""
    return _client_module().Client(url)


@pytest.fixture(scope="session")
def make_client() -> Any:
    """Makes clients for servers that a test starts itself."""
    return client_for

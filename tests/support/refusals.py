"""What tests of bad input share: tables of cases, and how an answer that refuses must look.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import httpx

#: The first folder on the way to the code, wherever it was checked out.
_ROOT = re.escape(f"/{Path(__file__).resolve().parts[1]}/")

#: What only the server's inside has: code, its files, the database's words and tables.
_INSIDE = re.compile(
    r"Traceback|json\.exception|psycopg|sqlalchemy|pydantic|shapely|GEOS|pyproj\b|starlette|pygeoapi\.|site-packages|\.py\b|/home/"
    rf"|{_ROOT}"
    r"|/usr/|/tmp/|<class|object at 0x|syntax error|SQLSTATE|LINE \d|\bdata\.\w+__|shikong\.[a-z_]+\b.{0,20}relation"
    r"|[A-Z]\w+(?:Error|Exception)\b|NoneType|ufunc|tell the operator"
)


def load_table(beside: str, name: str) -> Any:
    """The module of this name beside a test's file; test folders are not packages."""
    full = f"shikong_{name}"
    if full not in sys.modules:
        spec = importlib.util.spec_from_file_location(full, Path(beside).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[full])
    return sys.modules[full]


def check_refusal(answer: httpx.Response, status: int, words: str) -> dict[str, Any]:
    """The problem document of an answer, which helps and tells nothing of the inside."""
    assert answer.status_code == status, answer.text[:500]
    check_silence(answer)
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    assert len(problem["detail"]) > 10
    assert words in problem["detail"]
    return problem


def check_silence(answer: httpx.Response) -> None:
    """Nothing of the server's inside is told."""
    assert not (found := _INSIDE.search(answer.text)), found

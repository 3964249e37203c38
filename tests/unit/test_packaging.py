"""The package lists, the pins, and what is committed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_PACKAGES = {"tests", "bench", "docs", "notebooks", "web", "scripts", "requirements", "typings", "var", "build"}


def test_every_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = set(project["tool"]["setuptools"]["packages"])
    found = {
        "shikong." + ".".join(path.parent.relative_to(ROOT).parts)
        for path in ROOT.glob("*/**/__init__.py")
        if path.relative_to(ROOT).parts[0] not in NOT_PACKAGES and not path.relative_to(ROOT).parts[0].startswith(".")
    }
    assert found == listed
    tops = {name.split(".")[1] for name in listed}
    assert {path.name for path in (ROOT / "typings/shikong").iterdir()} == tops
    assert all((ROOT / top / "py.typed").exists() for top in tops)
    assert set(project["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]) == tops


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "bench-tipg.txt"])
def test_pins_have_hashes_and_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(pins) > 30
    assert all("==" in pin and "--hash=sha256:" in pin for pin in pins)


def test_nothing_large_and_no_registry_is_committed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in filter(None, files.split("\0")):
        path = ROOT / file
        if path.is_file() and not path.is_symlink():
            assert path.stat().st_size < 1_000_000, file
    assert '"resolved"' not in (ROOT / "web/package-lock.json").read_text(encoding="utf-8")

"""What commands and the server load before they do anything.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import subprocess
import sys
from typing import get_type_hints

import pytest

from shikong.cli import data
from shikong.samples import city

#: Compilers, drawing, brokers and other databases: only some commands and processes work with them.
SOME = {"matplotlib", "numba", "paho", "pyflwdir", "sqlalchemy"}

#: What reads, cuts and computes: no command needs it to say what it can do.
WORK = {"dask", "geopandas", "pandas", "pygeoapi", "pyogrio", "rasterio", "scipy", "xarray"}


@pytest.mark.parametrize(("module", "absent"), [("shikong.cli.main", SOME | WORK), ("shikong.server.app", SOME)])
def test_nothing_heavy_is_loaded_at_the_start(module: str, absent: set[str]) -> None:
    program = f"import sys, {module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert {"shikong", "psycopg"} <= loaded
    assert sorted(loaded & absent) == []


def test_the_help_names_the_sizes_of_the_sample_city() -> None:
    (option,) = get_type_hints(data.sample, include_extras=True)["size"].__metadata__
    assert option.help == f"one of {', '.join(city.SIZES)}"

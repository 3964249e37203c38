"""tipg as a peer: in a virtual environment of its own, since it wants other versions of what the service uses.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parents[1]
_PINS = ROOT / "requirements" / "bench-tipg.txt"

#: The table in EPSG:4326 that stock pygeoapi reads, too.
COLLECTION = "stock.parcels"


def python(data: Path, say: Callable[[str], None]) -> str:
    """The interpreter of tipg's environment below the data folder; made at first use, and when the pins change."""
    home = data / "tipg"
    stamp, digest = home / ".installed", hashlib.sha256(_PINS.read_bytes()).hexdigest()
    interpreter = str(home / "bin" / "python")
    if not stamp.exists() or stamp.read_text(encoding="ascii") != digest:
        say("installing tipg in an environment of its own (once)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [interpreter, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "--require-hashes", "--only-binary=:all:", "-r", str(_PINS)], check=True)
        stamp.write_text(digest, encoding="ascii")
    return interpreter


def environment(dsn: str) -> dict[str, str]:
    """tipg's settings: its defaults, but for the table that it gives out and as many connections as the others have."""
    address = conninfo_to_dict(dsn)
    return {
        "DATABASE_URL": f"postgresql://{address['user']}@{quote(address['host'], safe='')}/{address['dbname']}",
        "TIPG_DB_SCHEMAS": '["stock"]', "DB_MIN_CONN_SIZE": "8", "DB_MAX_CONN_SIZE": "8",
    }  # fmt: skip

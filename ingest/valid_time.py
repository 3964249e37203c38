"""Since when the rows of a delivery hold, where the rows do not say it themselves.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from shikong.ingest.errors import IngestError


def parse(text: str, source: Path, zone: ZoneInfo) -> datetime:
    """The time that --valid-from means, in the city's time zone where it gives none.

    text: a date or time of ISO 8601; `file-date`, the day of the file's last change; `file-name`, the date in its
    name. Raises IngestError.
    """
    if text == "file-date":
        return datetime.combine(datetime.fromtimestamp(source.stat().st_mtime, zone), time(), zone)
    if text == "file-name":
        text = _date_in(source.name)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise IngestError(f"--valid-from {text}: write a date such as 2024-12-31") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def _date_in(name: str) -> str:
    """The one date in a file's name: parcels_20241231.shp, parcels-2024-12-31.gpkg."""
    found = re.findall(r"(?<!\d)(\d{4})[-_]?(\d{2})[-_]?(\d{2})(?!\d)", name)
    if len(found) != 1:
        raise IngestError(f"--valid-from file-name: {name} has {len(found) or 'no'} dates such as 20241231 in it")
    return "-".join(found[0])

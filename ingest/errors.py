"""Why a source was not loaded. The message says what to do; what was published before stays.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shikong.ingest.report import Report


class IngestError(Exception):
    """The source cannot be loaded."""


class UnreadableSource(IngestError):
    """The file is missing, broken, or of a format that no reader knows."""


class EmptySource(IngestError):
    """The source has no rows."""


class WrongGeometry(IngestError):
    """The source's geometry does not fit the layer."""


class UnknownCrs(IngestError):
    """The source does not say its coordinate reference system, or says one that cannot be used."""


class SourceAway(UnreadableSource):
    """The server that has the source does not answer; the same command may succeed later."""


class UnsafeSource(IngestError):
    """The source is made in a way that could harm the service or its users; nothing of it is read."""


class WrongAxes(UnknownCrs):
    """Eastings and northings (or longitudes and latitudes) of the source are swapped."""


class QualityStop(IngestError):
    """The checks refuse the whole load. `report` says what they found."""

    def __init__(self, message: str, report: Report) -> None:
        super().__init__(message)
        self.report = report

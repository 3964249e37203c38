"""What telegrams and messages have in common, whatever they are written in.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Literal

#: Times of telegrams are Beijing time, which has no summer time.
BEIJING = timezone(timedelta(hours=8))

Protocol = Literal["sl651", "hj212", "mqtt"]


class Broken(Exception):
    """A frame that cannot be read. `reason` is a word for statistics, the text says what is wrong with it."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True)
class Reading:
    """A value as it was sent.

    element: what was observed, in the protocol's own codes. time: with an offset. value: None where the sender says
    that it has none. faulty: the sender says that the instrument is not to be trusted.
    """

    element: str
    time: datetime
    value: float | None
    faulty: bool = False


@dataclass(frozen=True)
class Telegram:
    """A frame that has been read. station: the sender's address in the protocol. picture: a JPEG, and its time.
    station_class: what kind of station says to have sent it (SL 651)."""

    protocol: Protocol
    station: str
    kind: str
    readings: list[Reading] = field(default_factory=list)
    picture: tuple[datetime, bytes] | None = None
    station_class: str | None = None


@dataclass(frozen=True)
class Frame:
    """A frame as it was cut out of a stream; fault: why it is none."""

    data: bytes
    fault: Broken | None = None

"""The `datetime` parameter: an instant, or an interval with open ends.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import datetime

from shikong.providers.errors import BadParameter
from shikong.store import moments
from shikong.store.moments import Period

_ALLOWED = (
    "2024-12-31",
    "2024-12-31T08:00:00Z",
    "2024-12-31T08:00:00+08:00",
    "2024-01-01/2024-12-31",
    "../2024-12-31",
    "2024-01-01/..",
)


def parse_period(text: str, timezone: str) -> Period:
    """Read a `datetime` value.

    A date without time is the whole day in an interval, and its first moment as an instant; both,
    and times without an offset, in the city's time zone. Raises BadParameter.
    """
    first, slash, second = text.strip().partition("/")
    if not slash:
        moment = _moment(first, timezone, end=False)
        if moment is None:
            raise BadParameter("datetime", f"{text!r} is neither an instant nor an interval", _ALLOWED)
        return Period(moment, moment)
    start, end = _moment(first, timezone, end=False), _moment(second, timezone, end=True)
    if start is not None and end is not None and start > end:
        raise BadParameter("datetime", f"{text!r} ends before it starts", _ALLOWED)
    return Period(start, end)


def parse_instant(name: str, text: str, timezone: str) -> datetime:
    """Read a parameter that is one instant; a date without time means the end of that day. Raises BadParameter."""
    moment = _moment(text.strip(), timezone, end=True, name=name)
    if moment is None:
        raise BadParameter(name, f"{text!r} is not an instant", _ALLOWED[:3])
    return moment


def _moment(text: str, timezone: str, *, end: bool, name: str = "datetime") -> datetime | None:
    try:
        return moments.parse(text, timezone, end=end)
    except ValueError as error:
        raise BadParameter(name, f"{text!r} is not a time", _ALLOWED) from error

"""What processes raise besides BadInput (processes/base.py).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations


class ProcessError(Exception):
    """A question cannot be answered now; the message says what to do."""


class SchedulerAway(ProcessError):
    """The scheduler that SHIKONG_DASK names does not answer."""

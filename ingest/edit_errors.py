"""Why an edit was refused. The message says what to do; nothing has changed.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shikong.ingest.errors import IngestError
from shikong.ingest.quality.findings import Finding

if TYPE_CHECKING:
    from shikong.ingest.edits import Outcome


class EditError(IngestError):
    """One operation cannot be done."""


class NoSuchFeature(EditError):
    """The feature does not hold now."""


class FeatureExists(EditError):
    """The feature, or a later version of it, is there already."""


class StateChanged(EditError):
    """The feature is not in the state that the client has read. `state` is the present one."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


class StillReferred(EditError):
    """Other features refer to it."""


class RulesBroken(EditError):
    """The feature breaks rules of its layer, told in `findings`."""

    def __init__(self, findings: Sequence[Finding], remark: str | None = None) -> None:
        self.findings = tuple(findings)
        told = "; ".join(
            " ".join(part for part in (each.rule, each.field, each.value and f"({each.value})") if part)
            for each in self.findings
        )
        super().__init__(f"the feature breaks rules of its layer: {told}" + (f"; {remark}" if remark else ""))


class NotLawful(EditError):
    """The layer's workflow has no such step from the feature's state, or what the step asks for is not so."""


class NotYours(EditError):
    """The step is for others to take."""


class NotTaken(IngestError):
    """None of the operations was done. `outcomes` has one for each; those without an error fell with the others."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = list(outcomes)
        refused = sum(outcome.error is not None for outcome in self.outcomes)
        super().__init__(f"{refused} of {len(self.outcomes)} operations cannot be done, so nothing was changed")

"""Where cases stand: their states, the opinions that the asker may see, what is overdue, and what can be done next.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from shikong.layers import catalog
from shikong.layers.declared import Text
from shikong.processes.base import BadInput, Inputs, Process, titled
from shikong.processes.coordination import cases
from shikong.store.database import default as default_database
from shikong.store.database import one_state

_STATES = catalog.default().codes["case_state"].codes

#: Cases that are told of at once, the newest first.
_MOST = 200

_CHOSEN = "(%(case)s::text IS NULL OR code = %(case)s) AND (%(state)s::text IS NULL OR state = %(state)s)"


def _known(state: str | None) -> str | None:
    if state is not None and state not in _STATES:
        raise ValueError(f"{state[:40]!r} is no state of a case; states: {', '.join(_STATES)}")
    return state


class Question(Inputs):
    """Which cases."""

    case: str | None = Field(
        None, max_length=100, json_schema_extra=titled("事项编号（可选）", "Code of a case (optional)")
    )
    state: Annotated[str | None, AfterValidator(_known)] = Field(
        None,
        json_schema_extra=titled(
            "状态（可选）", "State (optional)", enum=list(_STATES),
            **{"x-enum-titles": [code.title.model_dump() for code in _STATES.values()]},
        ),
    )  # fmt: skip


class CoordinationStatus(Process):
    """Tells of cases."""

    id = "coordination-status"
    title = Text(zh="预协调进展", en="Where coordination stands")
    description = Text(
        zh="协调事项的状态、各部门意见（部门只见本部门）、期限与逾期、办理记录、附件，以及当前可行的步骤。须登录。",
        en="The state of cases, the opinions on them (a department sees its own), deadlines, what is overdue, every "
        "step taken, files, and what the asker can do next. Sign in.",
    )
    inputs = Question

    def answer(self, inputs: Question) -> dict[str, Any]:
        """The cases that the asker may see. Raises BadInput, NotSignedIn."""
        cases.require_signed_in()
        city = catalog.default()
        case_layer = city.layer(cases.declared(city).cases)
        opinion_layer = city.layer(cases.declared(city).opinions)
        today = cases.today(city)
        with default_database().thread_session() as conn, one_state(conn):
            chosen = {"case": inputs.case, "state": inputs.state}
            found = cases.read(conn, case_layer, _CHOSEN, chosen, _MOST, "opened_on DESC, code DESC")
            if inputs.case is not None and not found:
                raise BadInput("case", f"there is no case {inputs.case[:40]!r} that you may see")
            codes = {"cases": [each["code"] for each in found]}
            opinions = cases.read(conn, opinion_layer, 's."case" = ANY(%(cases)s)', codes, _MOST * 50, "code")
            overdue = {each["code"] for each in opinions if each["state"] == "asked" and each["due_on"] < today}
            by_case: dict[str, list[dict[str, Any]]] = {}
            for each in cases.told(conn, city, opinion_layer, opinions):
                by_case.setdefault(each["case"], []).append(each | {"overdue": each["code"] in overdue})
            listed = [
                each | {"opinions": by_case.get(each["code"], [])}
                for each in cases.told(conn, city, case_layer, found)
            ]  # fmt: skip
        waiting = sum(each["state"] == "asked" for each in opinions)
        return {"cases": listed, "number": len(listed), "opinions_waited_for": waiting, "overdue": len(overdue)}

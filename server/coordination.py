"""`/coordination`: the cases that the reader may see, and the steps that he may take, as a page.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.processes.coordination.status import CoordinationStatus, Question
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.store.principal import ANONYMOUS, current_principal

_FIELDS = ("opinion", "conditions", "basis", "due_on")


async def get_page(context: Context, request: Request) -> Response:
    """The page; who has not signed in is led to where he can. Raises BadParameter."""
    asked.COORDINATION.check(request.query_params)
    process: CoordinationStatus = context.api.manager.get_processor(CoordinationStatus.id)
    given = {name: value for name, value in request.query_params.items() if name in asked.COORDINATION.names and value}
    question: Question = process.checked(given)
    signed_in = current_principal.get() != ANONYMOUS
    told: dict[str, Any] = {"cases": []}
    if signed_in:
        told = orjson.loads(orjson.dumps(await run_in_threadpool(process.answer, question)))
    language = profiles.language(context.api, request)
    data = told | {"signedIn": signed_in, "language": language, "titles": _titles(context, language),
                   "state": request.query_params.get("state", "")}  # fmt: skip
    page = context.pages.render("coordination.html", data, request)
    return Response(page, media_type="text/html", headers={"Cache-Control": "no-store"})


def _titles(context: Context, language: str) -> dict[str, dict[str, str]]:
    """What codes and fields are called in the reader's language."""
    codes = context.catalog.codes
    named = {"department": "department", "state": "case_state", "type": "project_type", "verdict": "site_verdict"}
    found = {
        name: {code: getattr(entry.title, language) for code, entry in codes[listed].codes.items()}
        for name, listed in named.items()
    }
    coordination = context.catalog.coordination
    assert coordination is not None
    fields = context.catalog.layer(coordination.opinions).fields
    return found | {"field": {name: getattr(fields[name].title, language) for name in _FIELDS}}

"""OGC API - Processes, Part 1: the jobs, here the loads that workers run, and dismissing one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from pygeoapi.api import processes
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.server import errors, parameters
from shikong.server.context import Context
from shikong.store import jobs, queue
from shikong.store.jobs import JobEnded, JobView
from shikong.store.principal import Forbidden, current_principal

CONFORMANCE_CLASSES = processes.CONFORMANCE_CLASSES

#: The role that may dismiss jobs.
OPERATOR = "operator"

#: Jobs on a page: when nothing is said, and at most.
_LIMIT, _MAX_LIMIT = 50, 1000


def get_oas_30(cfg: dict[str, Any], locale: str) -> tuple[list[dict[str, str]], dict[str, dict[str, Any]]]:
    """pygeoapi's OpenAPI fragments without the results of jobs: what a load results in is its layer."""
    tags, paths = processes.get_oas_30(cfg, locale)
    del paths["paths"]["/jobs/{jobId}/results"]
    return tags, paths


async def listing(context: Context, request: Request) -> Response:
    """The jobs, newest first. Raises BadParameter."""
    given = request.query_params
    parameters.require_known(given, ("limit", "offset"))
    limit = parameters.whole_number("limit", given.get("limit"), _LIMIT, 1, _MAX_LIMIT)
    offset = parameters.whole_number("offset", given.get("offset"), 0, 0, parameters.MAX_OFFSET)
    rows = await context.database.fetch(*jobs.listing(limit + 1, offset))
    base = f"{context.base_url}/jobs"
    links = _formats(base, request)
    if len(rows) > limit:
        links.append(_page(base, "next", limit, offset + limit))
    if offset:
        links.append(_page(base, "prev", limit, max(0, offset - limit)))
    document = {"jobs": [_status(context, job) for job in jobs.seen(rows[:limit])], "links": links}
    return _answer(context, request, "jobs/index.html", document, document)


async def one(context: Context, request: Request) -> Response:
    """One job. Raises NoSuchJob, BadParameter."""
    parameters.require_known(request.query_params, ())
    job = await _job(context, request)
    document = _status(context, job)
    document["links"] = [*_formats(f"{context.base_url}/jobs/{job.number}", request), *document["links"][1:]]
    return _answer(context, request, "jobs/job.html", document, document)


async def dismiss(context: Context, request: Request) -> Response:
    """Take a job out of the queue or stop it; what is published stays. Raises Forbidden, NoSuchJob, JobEnded."""
    if OPERATOR not in current_principal.get().roles:
        raise Forbidden("only an operator may dismiss a job; sign in as one, or use `shikong jobs cancel`")
    job = await _job(context, request)

    def cancel() -> bool:
        with queue.session(context.database) as conn:
            return queue.cancel(conn, job.number)

    if not await run_in_threadpool(cancel):
        raise JobEnded(f"job {job.number} is {job.state} already; only a job that waits or runs can be dismissed")
    document = _status(context, await _job(context, request))
    return Response(orjson.dumps(document), media_type="application/json")


async def _job(context: Context, request: Request) -> JobView:
    number = parameters.whole_number("jobId", request.path_params["job_id"], 0, 0, 2**62)
    return jobs.the_only(number, await context.database.fetch(*jobs.one(number)))


def _status(context: Context, job: JobView) -> dict[str, Any]:
    """A job as the standard's statusInfo; `layer`, `source`, `phase`, `rows` and `attempts` are ours."""
    base = context.base_url
    times = {"created": job.created, "started": job.started, "finished": job.finished, "updated": job.updated}
    document: dict[str, Any] = {
        "jobID": str(job.number), "type": "process", "status": job.state, "progress": job.progress,
        "message": job.message or "", "layer": job.layer, "source": job.source, "phase": job.phase,
        "rows": {"done": job.rows_done, "total": job.rows_total}, "attempts": job.attempts,
    }  # fmt: skip
    document |= {name: moment.astimezone(UTC).isoformat() for name, moment in times.items() if moment is not None}
    document["links"] = [_link("self", "application/json", f"{base}/jobs/{job.number}")]
    if job.layer in context.catalog.layers:
        document["links"].append(_link("related", "application/json", f"{base}/collections/{job.layer}"))
    return document


def _answer(
    context: Context, request: Request, template: str, document: dict[str, Any], shown: dict[str, Any]
) -> Response:
    if errors.wants_html(request):
        page = context.pages.render(template, {"jobs": shown, "now": datetime.now(UTC).isoformat()}, request)
        return Response(page, media_type="text/html")
    return Response(orjson.dumps(document), media_type="application/json")


def _formats(address: str, request: Request) -> list[dict[str, str]]:
    page = errors.wants_html(request)
    return [
        _link("alternate" if page else "self", "application/json", f"{address}?f=json"),
        _link("self" if page else "alternate", "text/html", f"{address}?f=html"),
    ]


def _page(address: str, rel: str, limit: int, offset: int) -> dict[str, str]:
    return _link(rel, "application/json", f"{address}?{urlencode({'limit': limit, 'offset': offset})}")


def _link(rel: str, mimetype: str, href: str) -> dict[str, str]:
    return {"rel": rel, "type": mimetype, "href": href}

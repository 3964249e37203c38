"""OGC API - Processes, Part 1: the jobs, here the loads that workers run, and dismissing one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args
from urllib.parse import urlencode

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from shikong.providers.errors import BadParameter
from shikong.providers.times import parse_period
from shikong.server import asked, errors, parameters
from shikong.server.context import Context
from shikong.store import jobs, queue
from shikong.store.access import OPERATOR
from shikong.store.jobs import JobEnded, JobView, State, Wanted
from shikong.store.moments import Period
from shikong.store.principal import Forbidden, current_principal

#: Jobs on a page: when nothing is said, and at most.
DEFAULT_LIMIT, MAX_LIMIT = 50, 1000

#: The longest duration that can be asked for, in seconds.
LONGEST = 2**31

#: What a job can be.
STATES = list(get_args(State))


async def listing(context: Context, request: Request) -> Response:
    """The jobs, newest first. Raises BadParameter."""
    given = request.query_params
    asked.JOBS.check(given)
    limit = parameters.whole_number("limit", given.get("limit"), DEFAULT_LIMIT, 1, MAX_LIMIT)
    offset = parameters.whole_number("offset", given.get("offset"), 0, 0, parameters.MAX_OFFSET)
    rows = await context.database.fetch(*jobs.listing(limit + 1, offset, _wanted(context, given)))
    base = f"{context.base_url}/jobs"
    links = _formats(base, request)
    if len(rows) > limit:
        links.append(_page(base, "next", given, limit, offset + limit))
    if offset:
        links.append(_page(base, "prev", given, limit, max(0, offset - limit)))
    document = {"jobs": [_status(context, job) for job in jobs.seen(rows[:limit])], "links": links}
    return _answer(context, request, "jobs/index.html", document, document)


def _wanted(context: Context, given: QueryParams) -> Wanted:
    """The filters of the standard's job list. Raises BadParameter."""
    states = _several(given.get("status"))
    for name, allowed in (("type", ["process"]), ("status", STATES)):
        for value in given[name].split(",") if name in given else ():
            if value.strip() not in allowed:
                raise BadParameter(name, f"{value[:40]!r} is none", allowed)
    when = given.get("datetime")
    period = parse_period(when, context.catalog.city.timezone) if when else Period(None, None)
    shortest, longest = (
        parameters.whole_number(name, given[name], 0, 0, LONGEST) if name in given else None
        for name in ("minDuration", "maxDuration")
    )
    return Wanted(states, _several(given.get("processID")), period.start, period.end, shortest, longest)


def _several(text: str | None) -> tuple[Any, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


async def one(context: Context, request: Request) -> Response:
    """One job. Raises NoSuchJob, BadParameter."""
    asked.PAGE.check(request.query_params)
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
        "jobID": str(job.number), "processID": job.process, "type": "process", "status": job.state,
        "progress": job.progress,
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


def _page(address: str, rel: str, given: QueryParams, limit: int, offset: int) -> dict[str, str]:
    """A link to another page of what is asked for."""
    kept = {name: value for name, value in given.items() if name not in parameters.COMMON}
    return _link(rel, "application/json", f"{address}?{urlencode(kept | {'limit': limit, 'offset': offset})}")


def _link(rel: str, mimetype: str, href: str) -> dict[str, str]:
    return {"rel": rel, "type": mimetype, "href": href}

"""One table: which error is which HTTP status, and how it is told (RFC 9457 problem details).

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shikong.hydrology.terrain.errors import TerrainError
from shikong.ingest.edit_errors import (
    FeatureExists,
    NoSuchFeature,
    NotLawful,
    NotYours,
    RulesBroken,
    StateChanged,
    StillReferred,
)
from shikong.ingest.errors import IngestError
from shikong.layers.errors import UnknownLayer
from shikong.processes.base import BadInput
from shikong.processes.reports.page import CannotPrint
from shikong.providers.errors import BadParameter, Gone, NotFound, TooMuch
from shikong.server import etags
from shikong.server.edit_errors import BadBody, BodyTooLarge, MissingPrecondition, NotEditable, WrongMediaType
from shikong.server.links import link_header
from shikong.server.pygeoapi_api import Refusal
from shikong.store.attachments import NotAttached
from shikong.store.errors import Busy, DatabaseAway, LayerBusy, NotKept, NotPublished, QueryTooSlow, StoreError
from shikong.store.jobs import JobEnded, NoSuchJob
from shikong.store.principal import Forbidden, NotSignedIn
from shikong.tiles.errors import PictureError
from shikong.tiles.styles.legend import NoFont

LOG = structlog.get_logger()

#: Error class -> status and OGC exception code. The first class in an error's ancestry that is here counts.
STATUS: dict[type[Exception], tuple[HTTPStatus, str]] = {
    BadInput: (HTTPStatus.BAD_REQUEST, "InvalidParameterValue"),
    BadParameter: (HTTPStatus.BAD_REQUEST, "InvalidParameterValue"),
    NotFound: (HTTPStatus.NOT_FOUND, "NotFound"),
    PictureError: (HTTPStatus.NOT_FOUND, "NotFound"),
    TooMuch: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "RequestEntityTooLarge"),
    Gone: (HTTPStatus.GONE, "Gone"),
    NoFont: (HTTPStatus.NOT_IMPLEMENTED, "NoFont"),
    CannotPrint: (HTTPStatus.NOT_IMPLEMENTED, "CannotPrint"),
    UnknownLayer: (HTTPStatus.NOT_FOUND, "NotFound"),
    TerrainError: (HTTPStatus.UNPROCESSABLE_ENTITY, "NoAnswer"),
    NotKept: (HTTPStatus.GONE, "Gone"),
    NotPublished: (HTTPStatus.NOT_FOUND, "NotFound"),
    NoSuchJob: (HTTPStatus.NOT_FOUND, "NoSuchJob"),
    NotAttached: (HTTPStatus.BAD_REQUEST, "NotAttached"),
    NotSignedIn: (HTTPStatus.UNAUTHORIZED, "NotSignedIn"),
    Forbidden: (HTTPStatus.FORBIDDEN, "Forbidden"),
    NotEditable: (HTTPStatus.METHOD_NOT_ALLOWED, "NotEditable"),
    BodyTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "BodyTooLarge"),
    WrongMediaType: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType"),
    BadBody: (HTTPStatus.BAD_REQUEST, "BadBody"),
    MissingPrecondition: (HTTPStatus.PRECONDITION_REQUIRED, "MissingPrecondition"),
    NoSuchFeature: (HTTPStatus.NOT_FOUND, "NotFound"),
    FeatureExists: (HTTPStatus.CONFLICT, "FeatureExists"),
    StillReferred: (HTTPStatus.CONFLICT, "StillReferred"),
    NotLawful: (HTTPStatus.CONFLICT, "NotLawful"),
    NotYours: (HTTPStatus.FORBIDDEN, "Forbidden"),
    StateChanged: (HTTPStatus.PRECONDITION_FAILED, "StateChanged"),
    RulesBroken: (HTTPStatus.UNPROCESSABLE_ENTITY, "RulesBroken"),
    IngestError: (HTTPStatus.UNPROCESSABLE_ENTITY, "NotTaken"),
    LayerBusy: (HTTPStatus.SERVICE_UNAVAILABLE, "LayerBusy"),
    JobEnded: (HTTPStatus.CONFLICT, "JobEnded"),
    Busy: (HTTPStatus.SERVICE_UNAVAILABLE, "Busy"),
    DatabaseAway: (HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailable"),
    QueryTooSlow: (HTTPStatus.SERVICE_UNAVAILABLE, "QueryTooSlow"),
    StoreError: (HTTPStatus.INTERNAL_SERVER_ERROR, "NoApplicableCode"),
}

#: Seconds after which a client may try again.
RETRY_AFTER = {"ServiceUnavailable": "3", "Busy": "10", "QueryTooSlow": "30"}


def problem(
    status: HTTPStatus, code: str, detail: str, *, parameter: str | None = None, allowed: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A problem document. `code` and `description` repeat what OGC clients look for."""
    document: dict[str, Any] = {
        "type": "about:blank", "title": status.phrase, "status": int(status), "detail": detail, "code": code,
        "description": detail,
    }  # fmt: skip
    if parameter is not None:
        document["parameter"] = parameter
    if allowed:
        document["allowed"] = list(allowed)
    return document


def status_of(error: Exception) -> tuple[HTTPStatus, str]:
    """Status and OGC exception code of one of our own errors."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem_of(error: Exception) -> dict[str, Any]:
    """The problem document of one of our own errors."""
    status, code = status_of(error)
    parameter, allowed = getattr(error, "parameter", None), getattr(error, "allowed", ())
    document = problem(status, code, str(error), parameter=parameter, allowed=allowed)
    if isinstance(error, RulesBroken):
        document["findings"] = [
            {"rule": each.rule, "field": each.field, "value": each.value} for each in error.findings
        ]
    if isinstance(error, StateChanged):
        document["etag"] = etags.of_state(error.state)
    return document


def respond(request: Request, document: dict[str, Any]) -> Response:
    """A problem as JSON, or as a page for a browser."""
    headers = {}
    if document["status"] == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_AFTER.get(document["code"], "3")
    if wants_html(request):
        page = request.app.state.pages.render("exception.html", document, request)
        return HTMLResponse(page, status_code=document["status"], headers=headers)
    body = orjson.dumps(document)
    return Response(body, status_code=document["status"], headers=headers, media_type="application/problem+json")


def log(request: Request, error: Exception) -> None:
    """Log one of our own errors, if it is the service's."""
    if status_of(error)[0] >= HTTPStatus.INTERNAL_SERVER_ERROR:
        LOG.error("request_failed", path=request.url.path, error=type(error).__name__, reason=str(error))


async def handle(request: Request, error: Exception) -> Response:
    """Answer one of our own errors."""
    document = problem_of(error)
    log(request, error)
    response = respond(request, document)
    if isinstance(error, NotEditable):
        response.headers["Allow"] = "GET, HEAD, OPTIONS"
    if isinstance(error, NotSignedIn) and not wants_html(request):  # a browser's page leads to /account instead
        response.headers["WWW-Authenticate"] = 'Basic realm="Shikong", charset="UTF-8"'
    if isinstance(error, Gone):
        response.headers["Link"] = link_header(error.links)
    return response


async def handle_refusal(request: Request, error: Exception) -> Response:
    """Answer what one of pygeoapi's handlers refuses."""
    assert isinstance(error, Refusal)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        LOG.error("request_failed", path=request.url.path, error=error.code, reason=str(error))
    if error.status == HTTPStatus.NO_CONTENT:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return respond(request, problem(error.status, error.code, str(error)))


async def handle_http(request: Request, error: Exception) -> Response:
    """Answer what routing itself refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = {
        HTTPStatus.NOT_FOUND: f"there is nothing at {request.url.path}",
        HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here",
    }.get(status, str(error.detail))
    response = respond(request, problem(status, "NotFound" if status == 404 else "NoApplicableCode", detail))
    response.headers.update(error.headers or {})
    return response


async def handle_defect(request: Request, error: Exception) -> Response:
    """Answer a defect: the trace goes to the log, the client gets a number to quote."""
    LOG.exception("defect", path=request.url.path, exc_info=error)
    reference = structlog.contextvars.get_contextvars().get("request_id", "-")
    detail = f"the service has failed to answer; tell the operator this number: {reference}"
    return respond(request, problem(HTTPStatus.INTERNAL_SERVER_ERROR, "NoApplicableCode", detail))


def wants_html(request: Request) -> bool:
    """Whether an answer that can be either is wanted as a page."""
    wanted = request.query_params.get("f")
    return wanted == "html" or (wanted is None and "text/html" in request.headers.get("accept", ""))

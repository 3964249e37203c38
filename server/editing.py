"""OGC API - Features, Part 4: create, replace, update and delete features; one at a time or several as one.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import orjson
from anyio import CapacityLimiter
from starlette.requests import Request
from starlette.responses import Response

from shikong.ingest import edits
from shikong.ingest.edit_errors import EditError, NotTaken
from shikong.ingest.edits import Operation, Outcome
from shikong.layers.model import Layer
from shikong.providers.crs import ServedCrs
from shikong.server import access, edit_bodies, edit_reports, errors, etags, features, parameters
from shikong.server.context import Context
from shikong.server.edit_errors import BadBody, MissingPrecondition
from shikong.server.edit_preferences import Preferences

#: Features in one request; more come as a file, with `shikong ingest`.
MAX_OPERATIONS = 1000

#: Letters of the id of a feature.
LONGEST_KEY = 200

#: Requests that edit at a time, in one process: others of its database sessions stay for readers.
_AT_ONCE = CapacityLimiter(4)

_ITEMS, _ITEM = ("POST",), ("PUT", "PATCH", "DELETE")
_READING = ("GET", "HEAD", "OPTIONS")

Parsed = list[Operation | EditError]


async def edit_items(context: Context, request: Request, layer: Layer) -> Response:
    """POST to a collection's items, and OPTIONS."""
    if request.method == "OPTIONS":
        return _options(context, layer, _ITEMS, {"Accept-Post": ", ".join(edit_bodies.GEOJSON)})
    if (refusal := _refusal(context, request, layer, _ITEMS)) is not None:
        return refusal
    parameters.require_known(request.query_params, ())
    crs = edit_bodies.crs_of(context, request)
    document = await edit_bodies.read(request, edit_bodies.GEOJSON)
    if document.get("type") == "FeatureCollection":
        return await _create_many(context, request, layer, document, crs)
    return await _one(context, request, _created(layer, edit_bodies.require_feature(document), crs))


async def edit_item(context: Context, request: Request, layer: Layer) -> Response:
    """PUT, PATCH and DELETE of one feature, and OPTIONS."""
    if request.method == "OPTIONS":
        return _options(context, layer, _ITEM, {"Accept-Patch": ", ".join(edit_bodies.MERGE_PATCH)})
    if (refusal := _refusal(context, request, layer, _ITEM)) is not None:
        return refusal
    parameters.require_known(request.query_params, ())
    crs = edit_bodies.crs_of(context, request)
    body: dict[str, Any] = {}
    if request.method != "DELETE":
        body = await edit_bodies.read(
            request, edit_bodies.GEOJSON if request.method == "PUT" else edit_bodies.MERGE_PATCH
        )
    condition = request.headers.get("if-match")
    return await _one(
        context, request, _changed(context, layer, request.method, request.path_params["item_id"], condition, body, crs)
    )


async def transact(context: Context, request: Request) -> Response:
    """POST to /transactions: operations on several layers as one."""
    if request.method == "OPTIONS":
        allowed = "OPTIONS, POST" if access.may_edit(context) else "OPTIONS"
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
    parameters.require_known(request.query_params, ())
    crs = edit_bodies.crs_of(context, request)
    document = await edit_bodies.read(request, edit_bodies.JSON)
    listed = _listed(document, "operations")
    return await _several(context, request, [_parsed(partial(_operation, context, each, crs)) for each in listed])


def _options(context: Context, layer: Layer, methods: tuple[str, ...], accepts: dict[str, str]) -> Response:
    """What can be done here. QGIS asks this to know whether it may let its user edit."""
    if not access.editable(context, layer):
        methods, accepts = (), {}
    headers = {"Allow": ", ".join([*_READING, *methods]), **accepts}
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


def _refusal(context: Context, request: Request, layer: Layer, methods: tuple[str, ...]) -> Response | None:
    """The answer to a method that is not possible here; None for the others. Raises NotEditable."""
    if request.method in methods:
        access.require_editable(context, layer)
        return None
    offered = methods if access.editable(context, layer) else ()
    detail = f"{request.method} is not possible here"
    response = errors.respond(request, errors.problem(HTTPStatus.METHOD_NOT_ALLOWED, "NoApplicableCode", detail))
    response.headers["Allow"] = ", ".join([*_READING, *offered])
    return response


def _created(layer: Layer, feature: dict[str, Any], crs: ServedCrs) -> Operation:
    """A new feature; its key is among its properties, or its id, or will be given to it. Raises BadBody."""
    values = edit_bodies.properties(feature)
    key = values.get(layer.key_field)
    key = feature.get("id") if key is None else key
    return Operation(layer, "create", _key(key), None, values, edit_bodies.shape(feature.get("geometry"), crs))


def _key(given: Any) -> str | None:
    if given is None:
        return None
    text = str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""
    if not text or "\0" in text or len(text) > LONGEST_KEY:
        raise BadBody(
            f"{str(given)[:40]!r} cannot be the id of a feature; an id is a text of 1 to {LONGEST_KEY} letters"
        )
    return text


def _changed(
    context: Context, layer: Layer, method: str, key: str, condition: str | None, body: dict[str, Any], crs: ServedCrs
) -> Operation:
    """A change of the feature with this id. Raises MissingPrecondition, BadBody."""
    if condition is None and context.editing == "open":
        raise MissingPrecondition
    states = None if condition is None else etags.states(condition)
    if "\0" in key:
        raise BadBody("an id has no NUL character")
    if method == "DELETE":
        return Operation(layer, "delete", key, states)
    if method == "PUT":
        edit_bodies.require_feature(body)
        if body.get("id") is not None and str(body["id"]) != key:
            raise BadBody(f"the body is feature {body['id']!r}, the address names {key!r}")
    values = edit_bodies.properties(body)
    given = method == "PUT" or "geometry" in body
    shape = edit_bodies.shape(body.get("geometry"), crs) if given else None
    return Operation(layer, "replace" if method == "PUT" else "update", key, states, values, shape, given)


_MEMBERS = ("collection", "method", "id", "if-match", "body")


def _operation(context: Context, document: Any, crs: ServedCrs) -> Operation:
    """One operation of a transaction. Raises EditError, NotEditable."""
    given = edit_bodies.expect_object(document, "an operation")
    if unknown := sorted(set(given) - set(_MEMBERS)):
        raise BadBody(f"an operation has no {unknown[0]!r}; it has {', '.join(_MEMBERS)}")
    layer = context.catalog.layers.get(str(given.get("collection")))
    if layer is None:
        raise BadBody(f"there is no collection {given.get('collection')!r}")
    access.require_editable(context, layer)
    method, key, condition = given.get("method"), given.get("id"), given.get("if-match")
    if method == "POST":
        return _created(layer, edit_bodies.require_feature(given.get("body")), crs)
    if method not in _ITEM:
        raise BadBody(f"`method` is {method!r}; it must be POST, {', '.join(_ITEM)}")
    if not isinstance(key, str) or not isinstance(condition, str | None):
        raise BadBody("`id` and `if-match` must be texts")
    body = {} if method == "DELETE" else edit_bodies.expect_object(given.get("body"), "`body`")
    return _changed(context, layer, method, key, condition, body, crs)


def _listed(document: dict[str, Any], name: str) -> list[Any]:
    """The features or operations of a body. Raises BadBody."""
    listed = document.get(name)
    if not isinstance(listed, list) or not listed:
        raise BadBody(f"`{name}` must be a list with at least one entry")
    if len(listed) > MAX_OPERATIONS:
        raise BadBody(f"`{name}` has {len(listed):,} entries; at most {MAX_OPERATIONS:,} are taken in one request")
    return listed


def _parsed(parse: Callable[[], Operation]) -> Operation | EditError:
    try:
        return parse()
    except EditError as error:
        return error


async def _create_many(
    context: Context, request: Request, layer: Layer, document: dict[str, Any], crs: ServedCrs
) -> Response:
    def parse(feature: Any) -> Operation:
        return _created(layer, edit_bodies.require_feature(feature), crs)

    listed = _listed(document, "features")
    return await _several(context, request, [_parsed(partial(parse, each)) for each in listed])


async def _apply(context: Context, operations: Sequence[Operation], *, lenient: bool) -> list[Outcome]:
    work = partial(edits.apply, context.database, context.catalog, operations, lenient=lenient)
    outcomes = await anyio.to_thread.run_sync(work, limiter=_AT_ONCE)
    await context.metadata.refresh()  # the next page's count and extent already know it
    return outcomes


async def _one(context: Context, request: Request, operation: Operation) -> Response:
    """Do one operation and tell of it."""
    preferences = Preferences.of(request)
    try:
        [outcome] = await _apply(context, [operation], lenient=False)
    except NotTaken as refused:
        [outcome] = refused.outcomes
        assert outcome.error is not None
        raise outcome.error from refused
    layer, created = operation.layer, operation.action == "create"
    status = HTTPStatus.CREATED if created else HTTPStatus.OK
    headers = dict(preferences.applied("return"))
    if created:
        headers["Location"] = edit_reports.address(context, layer, outcome.key)
    if preferences.returns == "minimal":
        return Response(status_code=status if created else HTTPStatus.NO_CONTENT, headers=headers)
    if preferences.returns == "representation" and operation.action != "delete":
        told, _, body = await features.get_item(context, request, layer, outcome.key)
        place = {"Content-Location": edit_reports.address(context, layer, outcome.key)}
        return Response(edit_reports.with_warnings(body, outcome), status, {**told, **headers, **place})
    report = edit_reports.done(context, operation, outcome)
    return Response(orjson.dumps(report), status, headers, media_type="application/json")


async def _several(context: Context, request: Request, parsed: Parsed) -> Response:
    """Do several operations, all or none, or with `handling=lenient` those that can be done; and tell of each."""
    preferences = Preferences.of(request)
    outcomes = {number: Outcome(error=each) for number, each in enumerate(parsed) if isinstance(each, EditError)}
    good = {number: each for number, each in enumerate(parsed) if isinstance(each, Operation)}
    try:
        if good and (preferences.lenient or not outcomes):
            found = await _apply(context, list(good.values()), lenient=preferences.lenient)
            outcomes |= dict(zip(good, found, strict=True))
    except NotTaken as refused:
        outcomes |= dict(zip(good, refused.outcomes, strict=True))
    listed = [
        edit_reports.entry(context, parsed[number], outcomes.get(number) or Outcome()) for number in range(len(parsed))
    ]
    refusals = [outcome.error for outcome in outcomes.values() if outcome.error is not None]
    if refusals and (not preferences.lenient or len(refusals) == len(parsed)):
        return errors.respond(request, edit_reports.nothing_done(refusals, listed))
    if preferences.returns == "representation":
        for entry, number in zip(listed, range(len(parsed)), strict=True):
            if outcomes[number].state is not None:
                entry["feature"] = await edit_reports.feature(context, parsed[number], outcomes[number])
    if preferences.returns == "minimal":
        listed = [entry for entry in listed if entry["status"] >= HTTPStatus.BAD_REQUEST]
    created = all(isinstance(each, Operation) and each.action == "create" for each in parsed)
    report = {"done": len(parsed) - len(refusals), "refused": len(refusals), "operations": listed}
    return Response(
        orjson.dumps(report),
        HTTPStatus.CREATED if created and not refusals else HTTPStatus.OK,
        dict(preferences.applied("handling", "return")),
        media_type="application/json",
    )

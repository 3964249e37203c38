"""What is answered at `/sensorthings/v1.1`.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shikong.providers.errors import BadParameter, NotFound
from shikong.providers.sensorthings import options as option_rules
from shikong.providers.sensorthings.entities import ENTITIES
from shikong.providers.sensorthings.options import Options
from shikong.providers.sensorthings.sources import Sources
from shikong.server import asked, conformance, parameters
from shikong.server.context import Context
from shikong.server.sensorthings import answers, paths
from shikong.server.sensorthings.answers import Found, Related, Teller
from shikong.server.sensorthings.fetching import Fetcher
from shikong.server.sensorthings.paths import Address
from shikong.store import access
from shikong.store.principal import current_principal

ROOT = "/sensorthings/v1.1"

_PLAIN = "/'()$@,"

_NOTHING = Options(select=())


async def get_root(context: Context, request: Request) -> Response:
    """The sets of entities, and what the service knows of the standard."""
    asked.ONLY_JSON.check(request.query_params)
    base = context.base_url + ROOT
    return _json({
        "value": [{"name": name, "url": f"{base}/{name}"} for name in ENTITIES],
        "serverSettings": {"conformance": conformance.sensing()},
    })  # fmt: skip


async def get_resource(context: Context, request: Request) -> Response:
    """Entities, one of them, or a property of it."""
    address = paths.read(request.path_params["resource"])
    asked.SENSING.check(request.query_params)
    given = dict(request.query_params)
    more = {"asOf": given["asOf"]} if "asOf" in given else {}
    known, base = sources(context, given.get("asOf")), context.base_url + ROOT
    teller = Teller(context.catalog, base, known.declared, more)
    fetcher = Fetcher(context.database, known)
    options = option_rules.read(address.entity, {k: v for k, v in given.items() if k in option_rules.NAMES})
    _require_fitting(address, given)
    anchor = await _anchor(fetcher, address)
    if not address.one:
        page = await fetcher.page(address.entity, options, anchor, given.get("$skiptoken"))
        url = f"{base}/{quote(request.path_params['resource'], safe=_PLAIN)}"
        form = "refs" if address.ends else given.get("$resultFormat", "default")
        return _json(await run_in_threadpool(_told, teller, address, page, options, form, url))
    found = await fetcher.one(address.entity, options, anchor)
    if found is None:
        raise NotFound(_missing(address))
    return await run_in_threadpool(_of_one, teller, address, found, options)


def _of_one(teller: Teller, address: Address, found: Found, options: Options) -> Response:
    if not address.ends:
        return _json(teller.tell(address.entity, found, options))
    if address.ends == ("$ref",):
        return _json(teller.reference(address.entity, found.row))
    name = address.ends[0]
    value = teller.properties(address.entity, found.row, None)[name]
    if address.ends[1:] != ("$value",):
        return _json({name: value})
    if isinstance(value, dict):
        return _json(value)
    return Response("" if value is None else str(value), media_type="text/plain; charset=utf-8")


def _told(teller: Teller, address: Address, page: Related, options: Options, form: str, url: str) -> dict[str, Any]:
    told: dict[str, Any] = {} if page.count is None else {"@iot.count": page.count}
    if page.token is not None and options.size:
        given = {**options.given, **({"$resultFormat": form} if form == "dataArray" else {})}
        told["@iot.nextLink"] = teller.next_link(url, given, page.token)
    if form == "dataArray":
        return told | {"value": teller.arrays(page.found, options.select)}
    if form == "refs":
        return told | {"value": [teller.reference(address.entity, each.row) for each in page.found]}
    return told | {"value": [teller.tell(address.entity, each, options) for each in page.found]}


async def _anchor(fetcher: Fetcher, address: Address) -> dict[str, Any]:
    """The columns that an address gives: each entity on the way must be there."""
    anchor: dict[str, Any] = {}
    for at, (entity, relation, key) in enumerate(address.steps):
        if relation is not None:
            parent = address.steps[at - 1][0]
            found = await fetcher.one(parent, _NOTHING, anchor)
            if found is None:
                raise NotFound(_missing(Address(address.steps[:at], ())))
            anchor = {name: found.row[name] for name in relation.by}
        if key is not None:
            columns = entity.key_of(key)
            if columns is None or any(anchor.get(name, value) != value for name, value in columns.items()):
                raise NotFound(_missing(Address(address.steps[: at + 1], ())))
            anchor |= columns
    return anchor


def _missing(address: Address) -> str:
    entity, _, key = address.steps[-1]
    return f"there is no {entity.one} {key[:60]!r} here" if key is not None else f"there is no {entity.one} there"


def _require_fitting(address: Address, given: Mapping[str, str]) -> None:
    """Raise BadParameter for options that an address of this kind does not know."""
    form = given.get("$resultFormat")
    if form is not None and (form != "dataArray" or address.entity.name != "Observations" or address.one):
        raise BadParameter("$resultFormat", f"{form[:40]!r} is not possible here", ["dataArray, of Observations"])
    if form is not None and "$expand" in given:
        raise BadParameter("$expand", "does not go with $resultFormat=dataArray", ["without $resultFormat"])
    known = {"$select", "$expand"} if address.one else {*given}
    if address.ends:
        known = set() if address.one else known - {"$select", "$expand", "$resultFormat"}
    for name in given:
        if name.startswith("$") and name not in known:
            raise BadParameter(name, "means nothing here", sorted(known) or ["no option"])


def sources(context: Context, known_at: str | None) -> Sources:
    """The layers of observations that the request's principal may read, with stations that it may read, too."""
    principal, catalog = current_principal.get(), context.catalog
    layers = tuple(
        layer for layer in catalog
        if layer.kind == "observations" and access.reads(layer, principal) != "nothing"
        and access.reads(catalog.layer(layer.stations or ""), principal) != "nothing"
    )  # fmt: skip
    declared = {
        (layer.id, name): answers.declared(layer, name, parameter, context.base_url)
        for layer in layers for name, parameter in layer.parameters.items()
    }  # fmt: skip
    return Sources(layers, declared, parameters.known_at(known_at, catalog.city.timezone))


def _json(document: Any) -> Response:
    return Response(orjson.dumps(document), media_type="application/json")

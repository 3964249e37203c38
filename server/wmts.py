"""WMTS 1.0.0: by parameters, by address, and in the manner of 天地图 (`/{layer}_{c|w}/wmts`).

Parameters are told by name whatever its case, and those that are not known, such as 天地图's `tk`, are passed over.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from xml.etree import ElementTree as ET

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shikong.layers.model import Layer
from shikong.providers import times
from shikong.providers.errors import BadParameter
from shikong.server import errors, parameters, pictures
from shikong.server import wmts_capabilities as capabilities
from shikong.server.context import Context
from shikong.server.formats.table import PICTURES, Format
from shikong.server.tiles import levels
from shikong.server.wmts_capabilities import OWS, VERSION, Addresses, Offered, add
from shikong.store import places, rasters
from shikong.store.errors import StoreError
from shikong.store.moments import Moment
from shikong.tiles import matrix
from shikong.tiles.errors import PictureError
from shikong.tiles.matrix import TileAddress

_XML = "application/xml"

#: Values of FORMAT. 天地图's clients say `tiles`.
_FORMATS = {form.media_type: form for form in PICTURES.values()} | {
    "tiles": PICTURES["png"], "image/jpg": PICTURES["jpeg"],
}  # fmt: skip
_SUFFIXES = PICTURES | {"jpg": PICTURES["jpeg"]}

_STATUS = {"OperationNotSupported": HTTPStatus.NOT_IMPLEMENTED}


class OwsError(Exception):
    """A request that the WMTS refuses. code: of OWS Common. locator: the parameter."""

    def __init__(self, code: str, locator: str, detail: str) -> None:
        self.code, self.locator = code, locator
        super().__init__(detail)


#: Errors that are told as reports.
_TOLD: tuple[type[Exception], ...] = (OwsError, *errors.STATUS)


class Wmts:
    """The endpoints of the WMTS."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def routes(self) -> list[Route]:
        """Where it is asked. Layers with times have them in the addresses of their tiles."""
        tile = "{tileMatrixSet}/{tileMatrix}/{tileRow}/{tileCol}.{ext}"
        return [
            Route("/wmts", self.keyed, methods=["GET"]),
            Route(f"/wmts/{VERSION}/WMTSCapabilities.xml", self.document, methods=["GET"]),
            Route(f"/wmts/{VERSION}/{{layer}}/{{style}}/{tile}", self.tile, methods=["GET"]),
            Route(f"/wmts/{VERSION}/{{layer}}/{{style}}/{{time}}/{tile}", self.tile, methods=["GET"]),
            Route("/{named}/wmts", self.keyed, methods=["GET"]),
        ]

    async def keyed(self, request: Request) -> Response:
        """A request by parameters. With `named` in the path it is about this layer and matrix set only."""
        try:
            return await self._keyed(request, _Given(request.query_params))
        except _TOLD as error:
            return _refusal(request, error)

    async def document(self, request: Request) -> Response:
        """The capabilities by their address."""
        try:
            return await self._capabilities(request, None)
        except _TOLD as error:
            return _refusal(request, error)

    async def tile(self, request: Request) -> Response:
        """A tile by its address."""
        path = request.path_params
        try:
            form = _SUFFIXES.get(path["ext"])
            if form is None:
                raise OwsError("InvalidParameterValue", "Format", f"there is no format {path['ext'][:20]!r}")
            return await self._tile(request, _Given(path), form)
        except _TOLD as error:
            return _refusal(request, error)

    async def _keyed(self, request: Request, given: _Given) -> Response:
        named = self._named(request)
        if given.need("Service").upper() != "WMTS":
            raise OwsError("InvalidParameterValue", "Service", "this is a WMTS")
        match given.need("Request").lower():
            case "getcapabilities":
                versions = given.get("AcceptVersions")
                if versions and VERSION not in versions.split(","):
                    raise OwsError("VersionNegotiationFailed", "AcceptVersions", f"this service speaks {VERSION}")
                return await self._capabilities(request, named)
            case "gettile":
                return await self._keyed_tile(request, given, named)
            case "getfeatureinfo":
                raise OwsError("OperationNotSupported", "Request", "GetFeatureInfo is not offered; see /collections")
            case other:
                raise OwsError("InvalidParameterValue", "Request", f"there is no request {other[:40]!r}")

    async def _keyed_tile(self, request: Request, given: _Given, named: tuple[Layer, str] | None) -> Response:
        if given.need("Version") != VERSION:
            raise OwsError("InvalidParameterValue", "Version", f"this service speaks {VERSION}")
        for key, expected in zip(("Layer", "TileMatrixSet"), (named[0].id, named[1]) if named else (), strict=False):
            if given.need(key) != expected:
                raise OwsError("InvalidParameterValue", key, f"this address has {expected} only")
        form = _FORMATS.get(given.need("Format").lower())
        if form is None:
            raise OwsError(
                "InvalidParameterValue", "Format", f"there is no such format; there are {', '.join(_FORMATS)}"
            )
        return await self._tile(request, given, form)

    def _named(self, request: Request) -> tuple[Layer, str] | None:
        """The layer and matrix set of an address such as `/parcels_c/wmts`."""
        named = request.path_params.get("named")
        if named is None:
            return None
        layer, _, matrix_set = named.rpartition("_")
        if matrix_set not in ("c", "w"):
            raise OwsError("InvalidParameterValue", "TileMatrixSet", f"{named[:60]!r} ends neither in _c nor in _w")
        return self._layer(layer), matrix_set

    def _layer(self, identifier: str) -> Layer:
        layer = self._context.catalog.layers.get(identifier)
        if layer is None or layer.tiles is None:
            raise OwsError("InvalidParameterValue", "Layer", f"there is no layer {identifier[:60]!r}")
        return layer

    async def _tile(self, request: Request, given: _Given, form: Format) -> Response:
        layer = self._layer(given.need("Layer"))
        try:
            drawn = pictures.styled(layer, given.need("Style", may_be_empty=True) or None)
        except BadParameter as error:
            raise OwsError(
                "InvalidParameterValue", "Style", f"{error}; there are {', '.join(error.allowed)}"
            ) from error
        if form.name not in pictures.formats(drawn):
            raise OwsError("InvalidParameterValue", "Format", f"{drawn.style} is not given as {form.media_type}")
        address, moment = _address(layer, given), self._moment(given)
        try:
            return await pictures.answer(self._context, request, drawn, address, moment, form)
        except PictureError as error:
            raise OwsError("InvalidParameterValue", "time", str(error)) from error

    def _moment(self, given: _Given) -> Moment:
        """The dimension `time`; `current` and `default` mean now."""
        zone, when, known = self._context.catalog.city.timezone, given.get("time"), given.get("asOf")
        try:
            period = times.parse_period(when, zone) if when and when not in ("current", "default") else None
            return Moment(period, parameters.known_at(known, zone))
        except BadParameter as error:
            raise OwsError("InvalidParameterValue", error.parameter.replace("datetime", "time"), str(error)) from error

    async def _capabilities(self, request: Request, named: tuple[Layer, str] | None) -> Response:
        context = self._context
        context.metadata.refresh_if_due()
        layers = [named[0]] if named else [layer for layer in context.catalog if layer.tiles is not None]
        offered = await pictures.in_thread(partial(self._offered, layers))
        keyed = f"{context.base_url}/{f'{named[0].id}_{named[1]}/' if named else ''}wmts"
        language = "en" if request.query_params.get("lang", "zh").lower().startswith("en") else "zh"
        sets = [named[1]] if named else list(matrix.SERVED)
        body = capabilities.document(context.catalog, offered, sets, Addresses(context.base_url, keyed), language)
        return Response(body, media_type=_XML, headers={"Cache-Control": "no-cache"})

    def _offered(self, layers: list[Layer]) -> list[Offered]:
        """What is told of layers beyond their declarations."""
        found = []
        for layer in layers:
            release = self._context.metadata.releases.get(layer.id)
            west, south, east, north = (release and release.extent) or self._context.catalog.city.bbox
            found.append(Offered(layer, (west, south, east, north), self._times(layer)))
        return found

    def _times(self, layer: Layer) -> str | None:
        """First and last time of a layer and the step between them, as ISO 8601 has it."""
        release = self._context.metadata.releases.get(layer.id)
        if release is None or not release.time_from:
            return None
        if layer.kind != "cube":
            last = release.time_to or datetime.now(UTC)
            return f"{release.time_from:%Y-%m-%d}/{last:%Y-%m-%d}/P1D" if layer.time else None
        try:
            steps = rasters.opened(places.current(self._context.database.settings.data, layer))["time"].values
        except (StoreError, OSError):  # a broken cube must not take the other layers away
            return None
        step = int(np.median(np.diff(steps)) / np.timedelta64(1, "s")) if len(steps) > 1 else 3600
        first, last_step = np.datetime_as_string(steps[[0, -1]], unit="s")
        return f"{first}Z/{last_step}Z/PT{step // 3600}H" if step % 3600 == 0 else f"{first}Z/{last_step}Z/PT{step}S"


class _Given:
    """Parameters by their names, whatever the case."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {key.lower(): value for key, value in values.items()}

    def get(self, key: str) -> str | None:
        """A parameter that may be left out."""
        return self._values.get(key.lower())

    def need(self, key: str, *, may_be_empty: bool = False) -> str:
        """A parameter that must be given. Raises OwsError."""
        value = self.get(key)
        if value is None or not (value or may_be_empty):
            raise OwsError("MissingParameterValue", key, f"{key} is missing")
        return value

    def number(self, key: str) -> int:
        """A whole number from 0 on. Raises OwsError."""
        try:
            return parameters.whole_number(key, self.need(key), 0, 0, 2**31)
        except BadParameter as error:
            raise OwsError("InvalidParameterValue", key, str(error)) from error


def _address(layer: Layer, given: _Given) -> TileAddress:
    """The tile that is asked for. Raises OwsError."""
    name = given.need("TileMatrixSet")
    if name not in matrix.SERVED:
        raise OwsError("InvalidParameterValue", "TileMatrixSet", f"there are: {', '.join(matrix.SERVED)}")
    has, level = levels(layer, name), given.number("TileMatrix")
    if level not in has:
        detail = f"{layer.id} has tiles in {name} from {has[0]} to {has[-1]}"
        raise OwsError("InvalidParameterValue", "TileMatrix", detail)
    address = TileAddress(name, level, given.number("TileRow"), given.number("TileCol"))
    try:
        matrix.box(address)
    except IndexError as error:
        rows = matrix.matrix_size(name, level)[1]
        raise OwsError("TileOutOfRange", "TileCol" if address.row < rows else "TileRow", str(error)) from error
    return address


def _refusal(request: Request, error: Exception) -> Response:
    """Why not, as an exception report of OWS Common 1.1."""
    if isinstance(error, OwsError):
        status, code, locator = _STATUS.get(error.code, HTTPStatus.BAD_REQUEST), error.code, error.locator
    else:
        errors.log(request, error)
        status, code, locator = errors.status_of(error)[0], "NoApplicableCode", ""
    report = ET.Element("ows:ExceptionReport", {"xmlns:ows": OWS, "version": "1.1.0", "xml:lang": "en"})
    told = add(report, "ows:Exception", exceptionCode=code, **({"locator": locator} if locator else {}))
    add(told, "ows:ExceptionText", str(error))
    headers = {"Retry-After": "3"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    body = ET.tostring(report, encoding="utf-8", xml_declaration=True)
    return Response(body, status, headers=headers, media_type=_XML)

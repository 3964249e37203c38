"""Who asks: the account whose token a request carries, by HTTP Basic, as Bearer, or in the cookie of the pages.

QGIS, GDAL and notebooks send a token as the password of Basic or as Bearer; a browser that has signed in on `/account`
sends the cookie, which scripts cannot read and other sites cannot send.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
import binascii
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shikong.providers.errors import BadParameter
from shikong.server import errors
from shikong.server.asked import PAGE
from shikong.server.context import Context
from shikong.store import accounts
from shikong.store.database import Database
from shikong.store.errors import StoreError
from shikong.store.principal import ANONYMOUS, Forbidden, NotSignedIn, Principal, current_principal

COOKIE = "shikong_token"

#: Bytes of a form to sign in.
_MAX_FORM = 2000

#: Seconds for which a browser stays signed in; the account's own end comes first where it is sooner.
_STAYS = 12 * 3600

_READING = ("GET", "HEAD", "OPTIONS")


class PrincipalOfRequest:
    """Sets who asks, for the database sessions that the request uses. Without a token it is nobody."""

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self._app, self._database = app, database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request as its principal, or refuse it."""
        principal = ANONYMOUS
        if scope["type"] == "http" and any(name in (b"authorization", b"cookie") for name, _ in scope["headers"]):
            request = Request(scope)
            try:
                principal = await self._principal(request)
            except StoreError as error:
                response = await errors.handle(request, error)
                await response(scope, receive, send)
                return
        token = current_principal.set(principal)
        try:
            await self._app(scope, receive, send)
        finally:
            current_principal.reset(token)

    async def _principal(self, request: Request) -> Principal:
        """Raises NotSignedIn, Forbidden, DatabaseAway."""
        given = request.headers.get("authorization")
        token = request.cookies.get(COOKIE) if given is None else _token(given)
        if token is None:
            return ANONYMOUS
        found = await accounts.holder(self._database, token)
        if found is None:
            if given is None:  # a cookie that has run out; the page to sign in must be reached with it
                return ANONYMOUS
            raise NotSignedIn("the token is not known, has expired or was revoked; ask the operator for a new one")
        if request.method not in _READING and request.headers.get("sec-fetch-site") == "cross-site":
            raise Forbidden("a page of another site may not change anything in the name of who is signed in here")
        return found


def _token(header: str) -> str:
    """The token of an Authorization header. Raises NotSignedIn."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise NotSignedIn("the Authorization header cannot be read; send `Basic` with name and token") from error
    raise NotSignedIn("send the token as the password of `Basic`, or as `Bearer`")


async def account(context: Context, request: Request) -> Response:
    """The page to sign in, and who is signed in; POST signs in. Raises BadParameter, NotSignedIn."""
    PAGE.check(request.query_params)
    if request.method == "POST":
        return await _sign_in(context, request)
    principal = current_principal.get()
    told = {"name": principal.name, "roles": list(principal.roles), "signedIn": principal != ANONYMOUS}
    response: Response
    if errors.wants_html(request):
        response = Response(context.pages.render("account.html", told, request), media_type="text/html")
    else:
        response = JSONResponse(told)
    response.headers["Cache-Control"] = "no-store"
    return response


async def _sign_in(context: Context, request: Request) -> Response:
    if request.headers.get("sec-fetch-site") == "cross-site":
        raise Forbidden("sign in on this service's own page")
    body = await request.body()
    given = parse_qs(body.decode(errors="replace")) if len(body) <= _MAX_FORM else {}
    token = given.get("token", [""])[0].strip()
    if not token:
        raise BadParameter("token", "is missing", ["the token that the operator has given to you"])
    if await accounts.holder(context.database, token) is None:
        raise NotSignedIn("the token is not known, has expired or was revoked; ask the operator for a new one")
    response = _to_account(context, request)
    response.set_cookie(
        COOKIE, token, max_age=_STAYS, httponly=True, samesite="strict", secure=context.base_url.startswith("https:")
    )
    return response


async def sign_out(context: Context, request: Request) -> Response:
    """Forget the browser's token."""
    PAGE.check(request.query_params)
    response = _to_account(context, request)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _to_account(context: Context, request: Request) -> Response:
    """To the page that says who is signed in, in the language of the page that was left."""
    language = request.query_params.get("lang")
    return RedirectResponse(f"{context.base_url}/account?f=html" + (f"&lang={language}" if language else ""), 303)

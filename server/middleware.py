"""What every request passes through: who asks, and stopping when nobody listens any more.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shikong.store.principal import ANONYMOUS, current_principal


class PrincipalOfRequest:
    """Sets who asks, for the database sessions that the request uses. Everyone is anonymous so far."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request as its principal."""
        token = current_principal.set(ANONYMOUS)
        try:
            await self._app(scope, receive, send)
        finally:
            current_principal.reset(token)


#: What a page of ours may load: nothing from another host.
_POLICY = (
    b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    b"worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'"
)


class PagePolicy:
    """Tells browsers that our pages load nothing from outside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request and mark its answer when it is a page."""

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start" and any(
                name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"]
            ):
                message["headers"].append((b"content-security-policy", _POLICY))
            await send(message)

        await self._app(scope, receive, send_marked)


class StopWhenClientLeaves:
    """Cancels a GET whose client has gone; the cancelled database query is stopped on the server too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request beside a watch on its connection."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        gone = asyncio.Event()
        body_given = False

        async def receive_watched() -> Message:
            """The empty body of a GET, then nothing until the client leaves, which the watch below notices."""
            nonlocal body_given
            if not body_given:
                body_given = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        answering = asyncio.current_task()
        assert answering is not None

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            answering.cancel()

        watching = asyncio.ensure_future(watch())
        try:
            await self._app(scope, receive_watched, send)
        except asyncio.CancelledError:
            if not gone.is_set():
                raise  # the server itself is stopping
            answering.uncancel()
        finally:
            watching.cancel()

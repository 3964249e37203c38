"""What requests pass through: what only some need, and stopping when nobody listens any more.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class WhenAsked:
    """Puts a middleware before the application only for requests with a header that asks for its work."""

    def __init__(
        self, app: ASGIApp, header: bytes, words: bytes, middleware: Callable[..., ASGIApp], options: dict[str, Any]
    ) -> None:
        self._app, self._asked = app, middleware(app, **options)
        self._header, self._words = header, words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        asked = any(name == self._header and self._words in value for name, value in scope.get("headers", ()))
        await (self._asked if asked else self._app)(scope, receive, send)


#: A request is watched only once it takes this long (seconds): most are answered before, and a watch costs a task.
_WATCH_AFTER = 0.05


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
        watching: asyncio.Future[None] | None = None

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()
            answering.cancel()

        def begin_to_watch() -> None:
            nonlocal watching
            watching = asyncio.ensure_future(watch())

        timer = asyncio.get_running_loop().call_later(_WATCH_AFTER, begin_to_watch)
        try:
            await self._app(scope, receive_watched, send)
        except asyncio.CancelledError:
            if not gone.is_set():
                raise  # the server itself is stopping
            answering.uncancel()
        finally:
            timer.cancel()
            if watching is not None:
                watching.cancel()

"""Structured logs: one JSON object a line, each with the number of the request it belongs to.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def configure() -> None:
    """Send our logs, and those of the libraries from warning on, to standard error as JSON lines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(orjson.dumps)],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(ensure_ascii=False), foreign_pre_chain=shared
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    # pygeoapi logs every refused request as an error; our own access line has it.
    logging.getLogger("pygeoapi").setLevel(logging.CRITICAL)


#: What a page of ours may load: nothing from another host.
_POLICY = (
    b"content-security-policy",
    b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
    b"worker-src 'self' blob:; frame-ancestors 'self'; base-uri 'self'",
)


class AccessLog:
    """Gives each request a number, marks its answer, and logs its end: what, how it went, how long it took."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 499  # as nginx has it: the client went away
        request_id = os.urandom(6).hex()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                headers.append((b"x-request-id", request_id.encode()))
                if any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers):
                    headers.append(_POLICY)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        finally:
            write_line(scope, status, started, request_id)


def write_line(scope: Scope, status: int, started: float, request_id: str) -> None:
    """Log the end of a request, as LOG.info would, which takes as long as a small tile. started: by perf_counter()."""
    line = {
        "method": scope["method"], "path": scope["path"], "query": scope["query_string"].decode("latin-1"),
        "status": status, "ms": round((time.perf_counter() - started) * 1000, 1), "event": "request",
        "request_id": request_id, "level": "info", "timestamp": datetime.now(UTC),
    }  # fmt: skip
    sys.stderr.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z))
    sys.stderr.buffer.flush()

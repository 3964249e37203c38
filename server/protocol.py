"""How a request is refused that cannot even be read as HTTP, such as one whose address is too long.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from http import HTTPStatus

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes that an address may have: the parser of httptools counts no further.
MAX_ADDRESS = 65_535

_REFUSAL = {
    "type": "about:blank", "title": HTTPStatus.BAD_REQUEST.phrase, "status": int(HTTPStatus.BAD_REQUEST),
    "code": "BadRequest",
    "detail": "the request cannot be read as HTTP; an address may have "
    f"{MAX_ADDRESS:,} bytes and letters that are percent-encoded",
}  # fmt: skip


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, that tells this as all other errors are told."""

    def send_400_response(self, msg: str) -> None:
        """Answer with a problem document, and close."""
        body = orjson.dumps(_REFUSAL | {"description": _REFUSAL["detail"]})
        head = (
            f"HTTP/1.1 {HTTPStatus.BAD_REQUEST.value} {HTTPStatus.BAD_REQUEST.phrase}\r\n"
            f"content-type: application/problem+json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

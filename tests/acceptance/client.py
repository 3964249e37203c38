"""A small HTTP client for tests: status, headers and body, errors included.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Answer:
    """What the server gave."""

    status: int
    headers: httpx.Headers
    content: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return httpx.Response(self.status, content=self.content).json()

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode()


class Client:
    """Asks one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(timeout=60, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, accept: str | None = None, prefer: str | None = None, **params: Any) -> Answer:
        """GET; `params` with underscores for hyphens (bbox_crs, filter_lang)."""
        query = {name.replace("_", "-") if name in _HYPHENED else name: value for name, value in params.items()}
        headers = {name: value for name, value in (("accept", accept), ("prefer", prefer)) if value}
        answer = self._http.get(self.url + path, params=query, headers=headers)
        return Answer(answer.status_code, answer.headers, answer.content)

    def post(self, path: str, body: Any) -> Answer:
        """POST a JSON document."""
        answer = self._http.post(self.url + path, json=body)
        return Answer(answer.status_code, answer.headers, answer.content)

    def link(self, href: str) -> Answer:
        """Follow a link."""
        assert href.startswith(self.url), href
        answer = self._http.get(href)
        return Answer(answer.status_code, answer.headers, answer.content)


_HYPHENED = {
    "bbox_crs", "filter_crs", "filter_lang", "parameter_name", "exclude_properties", "max_allowable_offset", "zoom_level",
}  # fmt: skip

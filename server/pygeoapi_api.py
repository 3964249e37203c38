"""pygeoapi's API object, made to refuse in our words.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

from pygeoapi.api import API


class Refusal(Exception):
    """What one of pygeoapi's handlers refuses."""

    def __init__(self, status: HTTPStatus, code: str, description: str) -> None:
        self.status = status
        self.code = code
        super().__init__(description)


class ShikongAPI(API):  # type: ignore[misc]
    """pygeoapi's API whose refusals are raised, so that server/errors.py tells all errors alike."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config, {})  # its OpenAPI document is not used
        # Some of pygeoapi's pages look for the template folder here, not below server.templates.
        self.tpl_config["path"] = str(Path(config["server"]["templates"]["path"]))

    def get_exception(self, status: int, headers: Any, format_: Any, code: str, description: Any) -> Any:
        """Raise instead of answering."""
        status = HTTPStatus(status)
        if code == "InvalidParameterValue" and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            status = HTTPStatus.BAD_REQUEST  # a wrong parameter is the client's, whatever the handler says
        raise Refusal(status, code, str(description))

"""The parameter `profile` (OGC API - Features, Part 5): whether codes are given as they are, or as what they mean.

The standard names profiles for references and for schemas, none for values; those here are ldproxy's.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pygeoapi.api import APIRequest
from starlette.requests import Request

from shikong.layers.model import Layer
from shikong.providers import labels
from shikong.providers.labels import Language

AS_CODE, AS_TITLE = "val-as-code", "val-as-title"
_URI = "https://def.ldproxy.net/profile/"


@dataclass(frozen=True)
class Profile:
    """How an answer gives codes. name: None where none was chosen. language: of titles in their place; None: codes."""

    name: str | None = None
    language: Language | None = None

    @property
    def links(self) -> list[dict[str, str]]:
        """The link that tells of it."""
        return [{"rel": "profile", "href": _URI + self.name}] if self.name else []

    @property
    def headers(self) -> dict[str, str]:
        """In which language an answer is, where that was a choice."""
        return {"Content-Language": self.language} if self.language else {}


def chosen(api: Any, request: Request, layer: Layer, form: str) -> Profile:
    """The profile of an answer about a layer's features: the first in `profile` that is known, or that of the format.

    api: pygeoapi's, which knows the service's languages.
    """
    asked = (name.strip().removeprefix(_URI) for name in request.query_params.get("profile", "").split(","))
    name = next((name for name in asked if name in (AS_CODE, AS_TITLE)), AS_TITLE if form == "html" else None)
    if name is None or not labels.meanings(layer, "zh"):
        return Profile()
    return Profile(name, language(api, request) if name == AS_TITLE else None)


def language(api: Any, request: Request) -> Language:
    """The reader's language, by `lang` or else Accept-Language."""
    return "zh" if str(APIRequest(request, api.locales).locale).startswith("zh") else "en"

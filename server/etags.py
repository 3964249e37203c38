"""Entity tags of features: the feature's state and the representation in which it is given out.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request

from shikong.layers.model import Layer
from shikong.providers.crs import DEFAULT, ServedCrs
from shikong.store import content


def of_feature(
    layer: Layer, properties: Mapping[str, Any], digest: UUID | None, form: str, crs: ServedCrs
) -> str | None:
    """The strong tag of a feature. digest: of its content; None where the past was asked for, which has no tag."""
    if digest is None:
        return None
    start, end = (properties["valid_from"], properties["valid_to"]) if layer.versioned else (None, None)
    return of_state(content.state(digest, start, end), form, crs)


def of_state(state: str, form: str = "json", crs: ServedCrs = DEFAULT) -> str:
    """The strong tag of a feature in this state (store/content.py)."""
    return f'"{state}-{form}-{"crs84" if crs is DEFAULT else crs.srid}"'


def states(text: str) -> frozenset[str] | None:
    """The states that an If-Match names, whatever the representation that was read; None for any."""
    tags = [tag.strip() for tag in text.split(",")]
    if "*" in tags:
        return None
    return frozenset(tag.strip('"').partition("-")[0] for tag in tags if not tag.startswith("W/"))


def is_among(tag: str, given: str) -> bool:
    """Whether If-None-Match has a tag; weak and strong ones count alike there."""
    return given.strip() == "*" or tag.removeprefix("W/") in [
        known.strip().removeprefix("W/") for known in given.split(",")
    ]


def is_known(request: Request, tag: str) -> bool:
    """Whether the client has this already, as If-None-Match says."""
    return is_among(tag, request.headers.get("if-none-match", ""))

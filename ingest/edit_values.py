"""The values of an edited feature: JSON against the layer's declaration, times and shapes against what holds now.

Only what JSON adds is looked at here; the layer's own rules are checked as those of a load.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from shikong.ingest.convert import moment
from shikong.ingest.edit_errors import NoSuchFeature, RulesBroken
from shikong.ingest.errors import IngestError
from shikong.ingest.quality.findings import Finding
from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.store.present import Present

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int, float), "number": (int, float), "boolean": (bool,), "date": (str,),
    "datetime": (str,),
}  # fmt: skip

#: Half a unit of the last decimal in which coordinates are given out (degrees), and a little more for the way through
#: a plane: a vertex that comes back this near to a stored one is that one.
_SAME = 7.5e-9


def key_of(layer: Layer, key: Any) -> Any:
    """A key as the database has it. Raises NoSuchFeature for what can be no key of the layer."""
    if key is None or layer.fields[layer.key_field].type != "integer":
        return key
    try:
        return int(key)
    except ValueError as error:
        raise NoSuchFeature(f"{layer.id} has no feature {key!r}: its ids are whole numbers") from error


def require_sound(layer: Layer, values: Mapping[str, Any], key: Any) -> None:
    """Refuse properties that the layer has not, values of another JSON type, and another key. Raises RulesBroken."""
    own = [*layer.fields, "origin", *(["valid_from", "valid_to"] if layer.versioned else [])]
    found = []
    for name, value in values.items():
        if name not in own:
            close = difflib.get_close_matches(name, own, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(own)}"
            found.append(Finding(None, "no_such_property", name, hint))
        elif name in layer.fields and not _fits(layer.fields[name].type, value):
            found.append(Finding(None, f"not_a_{layer.fields[name].type}", name, str(value)[:200]))
    given = values.get(layer.key_field)
    if given is not None and str(given) != str(key):
        found.append(Finding(None, "key_differs", layer.key_field, f"{given} is not {key}"))
    if found:
        raise RulesBroken(found)


def _fits(kind: str, value: Any) -> bool:
    if value is None:
        return True
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def begins(layer: Layer, values: Mapping[str, Any], known: Present | None, now: datetime) -> datetime:
    """When the edited version begins to hold: as `valid_from` says, where that is not the present version's own
    (a client that sends the whole feature sends that back), or else now. Raises RulesBroken.
    """
    text = values.get("valid_from")
    if not layer.versioned or text is None:
        return now
    given = moment(text, ZoneInfo(catalog.default().city.timezone)) if isinstance(text, str) else None
    if given is None:
        raise RulesBroken([Finding(None, "not_a_datetime", "valid_from", str(text)[:200])])
    if known is not None and given == known.valid_from:
        return now
    if given > now:
        raise RulesBroken([Finding(None, "not_yet", "valid_from", f"{text} is in the future")])
    return given  # type: ignore[no-any-return]


def shape(given: Any, is_given: bool, known: Present | None) -> Any:
    """The shape that a feature shall have: vertices that its client has not moved stay as they are stored, though
    they were given out rounded.
    """
    if known is None:
        return given
    stored = shapely.from_wkb(known.geom)
    if not is_given:
        return stored
    vertices = shapely.get_coordinates(given)
    if given is None or not len(vertices) or not np.isfinite(vertices).all():
        return given
    kept = shapely.get_coordinates(stored)
    tree = shapely.STRtree(shapely.points(kept))
    own, near = tree.query_nearest(shapely.points(vertices), max_distance=_SAME, all_matches=False)
    vertices[own] = kept[near]
    return shapely.set_coordinates(shapely.force_2d(given), vertices)


def told(error: IngestError) -> str:
    """A load's error without what only its command line knows."""
    return str(error).partition("; if that is so, say")[0].replace("the source has", "this is a")

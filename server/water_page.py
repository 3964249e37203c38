"""The water map: stations by their state, hydrographs, rain, reservoirs, floods and warnings on one page.

The page asks the service's own processes, EDR queries and stream of warnings; here it learns their names and what
states, levels and kinds of stations are called and coloured.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from shikong.layers.model import Layer
from shikong.processes.station_state import STATES
from shikong.processes.warnings.facts import rules_of
from shikong.providers.labels import Language
from shikong.server import asked, profiles
from shikong.server.context import Context
from shikong.server.pygeoapi_config import declared_style

Part = dict[str, Any]

#: How stations are drawn, by their types in SL 323: by level, as reservoirs, by rain. Others are not of this page.
KINDS = {"level": ("ZQ", "ZZ", "DD", "TT", "ZB", "DP"), "reservoir": ("RR",), "rain": ("PP", "MM")}

#: Rain in mm from which a colour holds: the grades of a day in GB/T 28592, in the colours of weather maps.
RAIN = ((0.1, "#A6F28F"), (10, "#3DBA3D"), (25, "#61B8FF"), (50, "#0000FE"), (100, "#FA00FA"), (250, "#800040"))

#: Levels that a hydrograph is held against: fields of stations, and the colour of a state or warning that they begin.
_LINES = {
    "wrz": (STATES, "above_warning"), "grz": (STATES, "above_guarantee"), "obhtz": ("warning_level", "red"),
    "hnlz": (STATES, "near_warning"), "fsltdz": (STATES, "above_warning"), "normz": (STATES, "normal"),
    "dsflz": (STATES, "above_guarantee"),
}  # fmt: skip


async def get_page(context: Context, request: Request) -> Response:
    """The page. Raises BadParameter."""
    asked.ONLY_PAGE.check(request.query_params)
    language = profiles.language(context.api, request)
    page = context.pages.render("water.html", {"water": described(context, language)}, request)
    return Response(page, media_type="text/html", headers={"Vary": "Accept, Accept-Language"})


def described(context: Context, language: Language) -> Part:
    """What the page's scripts know beforehand."""
    city = context.catalog
    rules = rules_of(city)
    layer = city.layer(rules.layer)
    stations = city.layer(layer.stations or "")
    release = context.metadata.releases.get(stations.id)
    extent = release.extent if release and release.extent else city.city.bbox
    return {
        "extent": list(extent), "timezone": city.city.timezone,
        "layers": {"observations": layer.id, "stations": stations.id, "warnings": rules.published_as,
                   "forecasts": city.forecasts.published_as, "ahead": city.forecasts.warnings},
        "rivers": declared_style(city, city.layer("rivers")),
        "states": _codes(context, STATES, language), "levels": _codes(context, "warning_level", language),
        "types": _codes(context, "station_type", language), "kinds": KINDS,
        "rain": [{"from": least, "color": color} for least, color in RAIN],
        "parameters": _parameters(layer, language),
        "lines": {
            field: {"title": getattr(stations.fields[field].title, language),
                    "color": city.codes[codes].codes[code].color}
            for field, (codes, code) in _LINES.items()
        },
    }  # fmt: skip


def _codes(context: Context, name: str, language: Language) -> Part:
    return {
        code: {"title": getattr(entry.title, language), "color": entry.color}
        for code, entry in context.catalog.codes[name].codes.items()
    }


def _parameters(layer: Layer, language: Language) -> Part:
    return {
        name: {"title": getattr(parameter.title, language), "unit": parameter.unit}
        for name, parameter in layer.parameters.items()
    }

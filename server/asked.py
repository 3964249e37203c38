"""What can be asked of each resource: its query parameters and formats. Requests are held against this table, and the
OpenAPI document is written from it.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from starlette.datastructures import QueryParams

from shikong.layers.model import Layer
from shikong.providers.errors import BadParameter, NotFound
from shikong.server import parameters
from shikong.server.formats.table import FORMATS, PAGES, PICTURES

#: Language tags as BCP 47 has them; the best match of those that the service speaks is answered.
LANGUAGE = "^[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,4}$"
_LANGUAGE = re.compile(LANGUAGE, re.ASCII)


@dataclass(frozen=True)
class Asked:
    """What a resource knows.

    names: its query parameters, besides `f` and `lang`. formats: the values of `f`, the default first.
    """

    names: frozenset[str] = frozenset()
    formats: tuple[str, ...] = ("json",)

    def check(self, given: QueryParams, more: Collection[str] = ()) -> None:
        """Raise BadParameter for a parameter that is unknown or given twice, and for an unknown `f` or `lang`.

        more: parameters that this one resource knows beyond the table, and that may come more than once.
        """
        parameters.require_known(given, self.names.union(more))
        if len(given.multi_items()) > len(given):
            for name in given:
                if name not in more and len(given.getlist(name)) > 1:
                    raise BadParameter(name, "is given more than once", ["one value"])
        form, language = given.get("f"), given.get("lang")
        if form is not None and form not in self.formats:
            raise BadParameter("f", f"{form[:40]!r} is not a format of this resource", self.formats)
        if language is not None and not _LANGUAGE.fullmatch(language):
            raise BadParameter("lang", f"{language[:40]!r} is not a language tag", ["zh", "en-US"])


_PAGE = ("json", "html")
_LINKED = ("json", "html", "jsonld")

#: Resources that know nothing but `f` and `lang`: as JSON alone, as a page too, as linked data too.
ONLY_JSON, PAGE, LINKED = Asked(), Asked(formats=_PAGE), Asked(formats=_LINKED)

#: Pages that are nothing else.
ONLY_PAGE = Asked(formats=("html",))
OPENAPI = Asked(frozenset({"ui"}), ("json", "html", "oas30"))
ITEMS = Asked(parameters.ITEMS, tuple(FORMATS))
ITEM = Asked(parameters.ITEM, tuple(PAGES))
TIME_MAP = Asked(frozenset({"asOf"}), ("json", "link"))
TILE = Asked(parameters.TILE, ("mvt", "pbf"))
DATASET_TILE = Asked(frozenset({"asOf", "collections", "datetime"}), ("mvt", "pbf"))
TILESET = Asked(formats=(*_PAGE, "tilejson"))
MAP_TILE = Asked(parameters.MAP_TILE, tuple(PICTURES))
MAP = Asked(parameters.MAP, tuple(PICTURES))
#: The same below the address of a style.
STYLED_MAP_TILE, STYLED_MAP = (Asked(each.names - {"style"}, each.formats) for each in (MAP_TILE, MAP))
MAP_OF_LAYERS = Asked(STYLED_MAP.names | {"collections"}, (*STYLED_MAP.formats, "html"))
COVERAGE = Asked(parameters.COVERAGE, ("json", "GeoTIFF", "NetCDF"))
POSITION = Asked(parameters.EDR | {"coords"}, _PAGE)
LOCATIONS = Asked(parameters.EDR, _PAGE)
_SERIES = ("json", "geojson", "csv", "netcdf")
#: By the kind of query: what tells where, and whether there is a page.
_KINDS = {
    "position": (("coords",), ("html",)), "radius": (("coords", "within", "within-units"), ()),
    "area": (("coords",), ()), "cube": (("bbox",), ()), "trajectory": (("coords",), ()),
    "corridor": (("coords", "corridor-width", "width-units"), ()), "locations": (("bbox",), ("html",)),
}  # fmt: skip
#: Of observations, and of cubes, by the kind of query.
EDR = {
    kind: Asked(parameters.EDR | {"flagged", "statistic", "step", *own}, (*_SERIES, *pages))
    for kind, (own, pages) in _KINDS.items()
}
CUBE = {kind: Asked(parameters.EDR | {*own}, (*_SERIES, *pages)) for kind, (own, pages) in _KINDS.items()}
del CUBE["locations"]
#: Of entities of SensorThings.
SENSING = Asked(frozenset(
    {"$filter", "$orderby", "$select", "$expand", "$top", "$skip", "$count", "$resultFormat", "$skiptoken", "asOf"}
))  # fmt: skip
#: By what a list of records is about.
RECORDS = {lists: Asked(names, _LINKED) for lists, names in parameters.RECORDS.items()}
RECORD = {"layers": LINKED, "releases": Asked(formats=(*_LINKED, "iso19139"))}
EVENTS, CAP = Asked(formats=("sse",)), Asked(formats=("cap",))
COORDINATION = Asked(frozenset({"case", "state"}), ("html",))
ATTACHMENTS = Asked(frozenset({"name"}))
PROCESSES = Asked(frozenset({"limit"}), _PAGE)
#: What answers of processes can be told as; each process says which of them it knows.
EXECUTION = Asked(formats=("json", "html", "pdf", "docx", "csv", "xlsx", "svg"))
JOBS = Asked(parameters.JOBS, _PAGE)
STYLE = Asked(formats=("mapbox", "sld10", "qml", "html"))
LEGEND = Asked(formats=("svg", "png"))
PROJECT, DEFINITION = Asked(formats=("qgz",)), Asked(formats=("qlr",))

#: Which layers have a resource below their own address.
LAYERS: dict[str, Callable[[Layer], bool]] = {
    "AnyLayer": lambda layer: True,
    "FeatureLayer": lambda layer: layer.kind == "features",
    "TiledLayer": lambda layer: layer.kind == "features" and layer.tiles is not None,
    "DrawnLayer": lambda layer: layer.tiles is not None,
    "CatalogueLayer": lambda layer: layer.kind == "records",
    "RasterLayer": lambda layer: layer.kind in ("coverage", "cube"),
    "StationLayer": lambda layer: layer.kind == "observations",
    "SeriesLayer": lambda layer: layer.kind in ("observations", "cube"),
    "SteppedLayer": lambda layer: layer.workflow is not None,
    "AttachedLayer": lambda layer: layer.attachments,
    "QueriedLayer": lambda layer: layer.kind in ("features", "records"),
}


def require_layer(layer: Layer, among: str, path: str) -> None:
    """Raise NotFound where a layer has nothing at this path. among: a name in LAYERS."""
    if not LAYERS[among](layer):
        why = {
            "TiledLayer": " and has no vector tiles", "DrawnLayer": " and is not drawn",
            "SteppedLayer": " and has no workflow", "AttachedLayer": " and has no files",
        }.get(among, "")  # fmt: skip
        raise NotFound(f"there is nothing at {path}: {layer.id} is of kind {layer.kind}{why}")

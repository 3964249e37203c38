"""The paths of the OpenAPI document that are read: one entry for each address, whatever the number of layers.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from shikong.layers.catalog import Catalog
from shikong.server import asked
from shikong.server.archives import SUFFIXES
from shikong.server.asked import Asked
from shikong.server.contract.parameters import named, of
from shikong.server.contract.schemas import TEXT, Part, an_object, schema
from shikong.server.formats.table import EXPORTS, PAGES
from shikong.server.stac import COG
from shikong.server.styles import ENCODINGS
from shikong.tiles.provider import MIMETYPE
from shikong.tiles.styles.maplibre import MEDIA_TYPE
from shikong.tiles.styles.project import DEFINITION_TYPE, PROJECT_TYPE

#: Media types of answers: a reference for JSON, text for the rest.
Content = dict[str, Part]

HTML: Content = {"text/html": {"schema": {"type": "string"}}}
FILE: Part = {"schema": {"type": "string", "format": "binary"}}
COVERAGEJSON = "application/prs.coverage+json"


def told(kind: str, media_type: str = "application/json") -> Content:
    """An answer of JSON of this kind."""
    return {media_type: {"schema": schema(kind)}}


#: What headers of answers tell.
HEADERS = {
    "Content-Crs": "the CRS of the coordinates, in angle brackets",
    "ETag": "what the answer was made from; for If-None-Match, and of a feature for If-Match",
    "Link": "the links of the document",
    "Location": "where the new feature is",
    "Memento-Datetime": "since when the version holds",
}


def headers(*names: str) -> dict[str, Part]:
    """Headers of an answer."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def problems(*statuses: int) -> dict[str, Part]:
    """Answers that refuse."""
    return {str(status): {"$ref": "#/components/responses/Problem"} for status in statuses}


def operation(
    summary: str, name: str, tag: str, content: Content, *refused: int, status: int = 200, **more: Any
) -> Part:
    """An operation. refused: statuses of its problems, besides those that every operation has."""
    responses = {
        str(status): {"description": "the answer", "content": content},
        **problems(400, 401, 403, *refused, 503),
    }
    return {
        "summary": summary,
        "operationId": name,
        "tags": [tag],
        "responses": dict(sorted(responses.items())),
        **more,
    }


def read(knows: Asked, got: Part, *path: str, kind: str = "") -> Part:
    """A path that can be read. path: its own parameters. kind: of its query parameters."""
    return {"parameters": [*named(*path), *of(knows, kind)], "get": got}


def paths(catalog: Catalog) -> dict[str, Part]:
    """All paths that are read."""
    return _service() | _layers() | _features() | _records(catalog) | _rasters() | _styles() | _others()


def _service() -> dict[str, Part]:
    page = {**told("LinkedData", "application/ld+json"), **HTML}
    openapi = {f"application/vnd.oai.openapi+json;version=3.{n}": {"schema": {"type": "object"}} for n in (1, 0)}
    functions = operation("the functions that a filter may call", "getFunctions", "service", told("Functions"))
    health = operation("whether the service works", "getHealth", "service", told("Health"))
    health["responses"]["503"] = {"description": "the database does not answer", "content": told("Health")}
    return {
        "/": read(asked.LINKED, operation("where everything is", "getLandingPage", "service", told("Landing") | page)),
        "/conformance": read(asked.PAGE, operation(
            "the standards that are kept", "getConformance", "service", told("Conformance") | HTML)),
        "/openapi": read(asked.OPENAPI, operation(
            "this description; `oas30`: for clients of OpenAPI 3.0", "getOpenApi", "service", openapi | HTML)),
        "/health": read(asked.ONLY_JSON, health),
        "/functions": read(asked.ONLY_JSON, functions),
        "/collections": read(asked.LINKED, operation(
            "all layers", "getCollections", "layers", told("Collections") | page)),
    }  # fmt: skip


def _layers() -> dict[str, Part]:
    page = {**told("LinkedData", "application/ld+json"), **HTML}
    described = told("JsonSchema", "application/schema+json") | HTML
    described_tiles = told("Tileset") | told("TileJson", "application/vnd.mapbox.tilejson+json")
    tileset = operation("a tileset", "getTileset", "tiles", described_tiles | HTML, 404)
    tile = operation("a vector tile", "getTile", "tiles", {MIMETYPE: FILE}, 404)
    tile["responses"] |= {
        "204": {"description": "nothing is in this tile"},
        "304": {"description": "what the client has is still so (If-None-Match)"},
    }
    tile["responses"]["200"]["headers"] = headers("ETag")
    archives = {media_type: FILE for media_type in SUFFIXES.values()}
    coordinates = ("tileMatrix", "tileRow", "tileCol")
    base, place = "/collections/{collectionId}", ("TiledLayer", "tileMatrixSetId")
    return {
        base: read(asked.LINKED, operation(
            "a layer", "getCollection", "layers", told("Collection") | page, 404), "AnyLayer"),
        f"{base}/schema": read(asked.PAGE, operation(
            "what its features, cells or observations have", "getSchema", "layers", described, 404), "AnyLayer"),
        f"{base}/queryables": read(asked.PAGE, operation(
            "what a filter may name", "getQueryables", "layers", described, 404), "QueriedLayer"),
        f"{base}/tiles": read(asked.PAGE, operation(
            "its tilesets", "getTilesets", "tiles", told("Tilesets") | HTML, 404), "TiledLayer"),
        f"{base}/tiles/{{tileMatrixSetId}}": read(asked.TILESET, tileset, *place),
        f"{base}/tiles/{{tileMatrixSetId}}/metadata": read(
            asked.TILESET, tileset | {"operationId": "getTilesetMetadata"}, *place),
        f"{base}/tiles/{{tileMatrixSetId}}/{{tileMatrix}}/{{tileRow}}/{{tileCol}}": read(
            asked.TILE, tile, *place, *coordinates),
        "/archives": read(asked.ONLY_JSON, operation(
            "archives of tiles", "getArchives", "tiles", told("Archives"))),
        "/archives/{archive}": read(asked.ONLY_JSON, operation(
            "an archive of tiles, whole or in parts (Range)", "getArchive", "tiles", archives, 404), "archive"),
        "/tiles": read(asked.PAGE, operation(
            "the tilesets with several layers", "getDatasetTilesets", "tiles", told("Tilesets") | HTML)),
        "/tiles/{tileMatrixSetId}": read(
            asked.TILESET, tileset | {"operationId": "getDatasetTileset"}, "tileMatrixSetId"),
        "/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}": read(
            asked.DATASET_TILE, tile | {"operationId": "getDatasetTile"}, "tileMatrixSetId", *coordinates),
        "/tileMatrixSets": read(asked.PAGE, operation(
            "the tile matrix sets", "getTileMatrixSets", "tiles", told("TileMatrixSets") | HTML)),
        "/tileMatrixSets/{tileMatrixSetId}": read(asked.PAGE, operation(
            "a tile matrix set", "getTileMatrixSet", "tiles", told("TileMatrixSet") | HTML, 404), "tileMatrixSetId"),
    }  # fmt: skip


def _features() -> dict[str, Part]:
    base, item = "/collections/{collectionId}/items", "/collections/{collectionId}/items/{featureId}"
    links = {"application/link-format": {"schema": {"type": "string"}}}
    unchanged = {"304": {"description": "what the client has is still so (If-None-Match)"}}
    page = {"application/geo+json": "FeatureCollection", "application/ld+json": "LinkedData",
            "application/fg+json": "JsonFg"}  # fmt: skip
    every = {form.bare_type: FILE for form in (PAGES | EXPORTS).values()} | HTML
    content = every | {media_type: {"schema": schema(kind)} for media_type, kind in page.items()}
    one = told("Feature", "application/geo+json") | told("LinkedData", "application/ld+json") | HTML
    items = operation(
        "features", "getFeatures", "features", content, 404,
        description="Every property that /queryables names is a parameter too: only features with this value of it. "
        "GeoJSON, HTML and JSON-LD come in pages; all other formats without `limit` give everything that matches.",
    )  # fmt: skip
    feature = operation("a feature, as it is or as one of its versions", "getFeature", "features", one, 404, 410)
    items["responses"] |= unchanged
    feature["responses"] |= unchanged
    items["responses"]["200"]["headers"] = headers("Content-Crs", "ETag", "Link")
    feature["responses"]["200"]["headers"] = headers("Content-Crs", "ETag", "Link", "Memento-Datetime")
    versions = operation("its versions (Memento)", "getTimeMap", "features", told("TimeMap") | links, 404)
    lineage = operation("where it comes from", "getLineage", "features", told("Lineage"), 404)
    steps = operation("the steps it has taken and can take", "getSteps", "features", told("Steps"), 404)
    files = read(asked.ATTACHMENTS, operation(
        "its files", "getAttachments", "features", told("Attachments"), 404), "AttachedLayer", "featureId")  # fmt: skip
    anything = {"required": True, "content": {"application/octet-stream": FILE}}
    attach = operation("attach a file", "attachFile", "editing", told("Attachment"), 404, 405, 413, status=201,
                       requestBody=anything)  # fmt: skip
    attach["responses"]["201"]["headers"] = headers("Location")
    file = operation("one of its files", "getAttachment", "features", {"*/*": FILE}, 404)
    pages = read(asked.ITEMS, items, "FeatureLayer", kind="items")
    pages["parameters"] += named("Prefer.count")
    return {
        base: pages,
        item: read(asked.ITEM, feature, "FeatureLayer", "featureId"),
        f"{item}/versions": read(asked.TIME_MAP, versions, "FeatureLayer", "featureId"),
        f"{item}/steps": read(asked.ONLY_JSON, steps, "SteppedLayer", "featureId"),
        f"{item}/attachments": files | {"post": attach},
        f"{item}/attachments/{{attachment}}": read(asked.ONLY_JSON, file, "AttachedLayer", "featureId", "attachment"),
        f"{item}/lineage": read(asked.ONLY_JSON, lineage, "FeatureLayer", "featureId"),
    }


def _records(catalog: Catalog) -> dict[str, Part]:
    found = {}
    page = {**told("LinkedData", "application/ld+json"), **HTML}
    for layer in catalog:
        if layer.lists is None:
            continue
        iso = {"application/xml": {"schema": {"type": "string"}}} if layer.lists == "releases" else {}
        base = f"/collections/{layer.id}/items"
        found[base] = read(asked.RECORDS[layer.lists], operation(
            f"records of {layer.lists}", f"get{layer.id.title()}", "records",
            told("FeatureCollection", "application/geo+json") | page))  # fmt: skip
        found[f"{base}/{{recordId}}"] = read(asked.RECORD[layer.lists], operation(
            f"the record of one of the {layer.lists}", f"get{layer.id.title()}Record", "records",
            told("Feature", "application/geo+json") | page | iso, 404), "recordId")  # fmt: skip
    return found


def _rasters() -> dict[str, Part]:
    base = "/collections/{collectionId}"
    coverage = told("Coverage", COVERAGEJSON) | {COG.partition("; profile")[0]: FILE, "application/x-netcdf": FILE}
    one, catalogue = "/stac/collections/{collectionId}/items/{release}", told("StacCatalog")
    return {
        f"{base}/coverage": read(asked.COVERAGE, operation(
            "cells of a raster", "getCoverage", "rasters", coverage, 404, 413), "RasterLayer", kind="coverage"),
        "/stac": read(asked.ONLY_JSON, operation("the rasters as STAC", "getStac", "rasters", catalogue)),
        "/stac/collections/{collectionId}": read(asked.ONLY_JSON, operation(
            "a raster layer with its releases", "getStacCollection", "rasters", told("StacCollection"), 404),
            "RasterLayer"),
        one: read(asked.ONLY_JSON, operation(
            "a release of a raster", "getStacItem", "rasters", told("StacItem", "application/geo+json"), 404),
            "RasterLayer", "release"),
        f"{one}/data": read(asked.ONLY_JSON, operation(
            "its file; by ranges too", "getStacData", "rasters", {COG: FILE}, 404), "RasterLayer", "release"),
    }  # fmt: skip


def _styles() -> dict[str, Part]:
    picture = {"schema": {"type": "string", "format": "binary"}}
    written: Content = {media_type: FILE for media_type, _ in ENCODINGS.values()} | told("MapLibreStyle", MEDIA_TYPE)
    legend = operation("what its colours mean", "getLegend", "styles",
                       {"image/svg+xml": picture, "image/png": picture}, 404)  # fmt: skip
    legend["responses"] |= problems(501)
    one = "/styles/{styleId}"
    return {
        "/styles": read(asked.PAGE, operation("all styles", "getStyles", "styles", told("Styles") | HTML)),
        one: read(asked.STYLE, operation(
            "a style in one of its encodings", "getStyle", "styles", written | HTML, 404), "styleId"),
        f"{one}/metadata": read(asked.PAGE, operation(
            "what a style is about", "getStyleMetadata", "styles", told("StyleMetadata") | HTML, 404), "styleId"),
        f"{one}/legend": read(asked.LEGEND, legend, "styleId"),
        "/collections/{collectionId}/styles": read(asked.PAGE, operation(
            "the styles of a layer", "getStylesOfLayer", "styles", told("Styles") | HTML, 404), "TiledLayer"),
        "/qgis/project.qgz": read(asked.PROJECT, operation(
            "the city as a project of QGIS", "getQgisProject", "styles", {PROJECT_TYPE: FILE})),
        "/qgis/{theme}.qlr": read(asked.DEFINITION, operation(
            "the layers of a theme for QGIS", "getQgisLayers", "styles", {DEFINITION_TYPE: FILE}, 404), "themeId"),
    }  # fmt: skip


def _others() -> dict[str, Part]:
    body = {"content": {"application/json": {"schema": schema("Execute")}}}
    files = {kind: FILE for kind in (
        "text/csv", "application/pdf", "image/svg+xml",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    )}  # fmt: skip
    execution = operation(
        "ask it", "execute", "processes", told("LinkedData") | HTML | files, 404, requestBody=body,
        description="The inputs are those that the process's description names; the answer is a JSON document, "
        "or a file where the description says that there is one.",
    )  # fmt: skip
    dismiss = operation("take it out of the queue, or stop it", "dismissJob", "jobs", told("Job"), 403, 404, 409)

    def signing(summary: str, name: str, **more: Any) -> Part:
        led = {"303": {"description": "to /account", "headers": headers("Location")}}
        return {"summary": summary, "operationId": name, "tags": ["service"],
                "responses": led | problems(400, 401, 403, 503), **more}  # fmt: skip

    form = an_object("token", token=TEXT | {"maxLength": 1000})
    sign_in = signing("sign in with a browser", "signIn", requestBody={
        "required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}})  # fmt: skip
    job = read(asked.PAGE, operation("a job", "getJob", "jobs", told("Job") | HTML, 404), "jobId")
    return {
        "/processes": read(asked.PROCESSES, operation(
            "the questions that can be asked", "getProcesses", "processes", told("Processes") | HTML)),
        "/processes/{processId}": read(asked.PAGE, operation(
            "what a process wants to know", "getProcess", "processes", told("Process") | HTML, 404), "processId"),
        "/processes/{processId}/execution": {
            "parameters": [*named("processId"), *of(asked.EXECUTION)], "post": execution,
        },
        "/water": read(asked.ONLY_PAGE, operation("the water map, as a page", "getWaterPage", "service", HTML)),
        "/coordination": read(asked.COORDINATION, operation(
            "the cases of coordination, as a page", "getCoordination", "service", HTML)),
        "/account": read(asked.PAGE, operation(
            "who is signed in", "getAccount", "service", told("Account") | HTML)) | {"post": sign_in},
        "/account/sign-out": {
            "parameters": of(asked.PAGE), "post": signing("forget the browser's token", "signOut")},
        "/jobs": read(asked.JOBS, operation("the jobs of the workers", "getJobs", "jobs", told("Jobs") | HTML),
                       kind="jobs"),
        "/jobs/{jobId}": job | {"delete": dismiss},
    }  # fmt: skip

"""The OpenAPI document is valid, small, and says what the server does: schemathesis finds nothing.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from shikong.layers import catalog
from shikong.layers.catalog import Catalog
from shikong.server.context import Context
from shikong.server.contract import document
from shikong.server.routes import routes
from shikong.store.database import Database

URL = "http://127.0.0.1:5000"
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")

#: Methods that are routed to be refused with an `Allow` that says more than the router knows.
REFUSED = {
    "/collections/{}/items": ("put", "patch", "delete"),
    "/collections/{}/items/{}": ("post",),
    "/collections/{}/items/{}/lineage": METHODS[2:],
    "/collections/{}/items/{}/versions": METHODS[2:],
    "/collections/{}/items/{}/steps": METHODS[2:],
    "/collections/{}/items/{}/attachments": METHODS[3:],
    "/collections/{}/items/{}/attachments/{}": METHODS[2:],
}

#: What schemathesis looks at. Which texts are dates, filters or cursors no schema can tell, so that it cannot know
#: which of those that it makes up must be taken.
CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
    "response_headers_conformance", "negative_data_rejection", "unsupported_method",
)  # fmt: skip


@pytest.mark.parametrize(
    ("form", "media_type", "validator"),
    [
        ("json", "application/vnd.oai.openapi+json;version=3.1", OpenAPIV31SpecValidator),
        ("oas30", "application/vnd.oai.openapi+json;version=3.0", OpenAPIV30SpecValidator),
    ],
)
def test_both_versions_are_valid_and_found_by_their_type(
    client: Any, form: str, media_type: str, validator: Any
) -> None:
    links = [link for link in client.get("/", f="json").json["links"] if link["rel"] == "service-desc"]
    [link] = [link for link in links if link["type"] == media_type]
    answer = client.link(link["href"])
    assert answer.headers["content-type"] == media_type
    assert answer.json["openapi"].startswith(media_type[-3:])
    validator(answer.json).validate()
    assert client.get("/openapi", accept=media_type).content == answer.content
    assert client.get("/openapi", f=form).content == answer.content


def test_the_document_validates_also_where_features_are_edited() -> None:
    for setting in ("off", "roles", "open", "unlocked"):
        whole = _plain(document.document(catalog.default(), URL, setting))
        OpenAPIV31SpecValidator(whole).validate()
        OpenAPIV30SpecValidator(_plain(document.in_version_3_0(catalog.default(), whole))).validate()


def test_every_route_is_described_and_nothing_else() -> None:
    """Routes match any collection; the document tells those of features and of records apart."""
    routed = {
        (_shape(route.path), method.lower()) for route in routes(cast(Context, None)) for method in route.methods or ()
    }
    routed = {(path, method) for path, method in routed if method not in REFUSED.get(path, ())}
    described = {
        (_shape(re.sub("/collections/(layers|releases)/", "/collections/{}/", path)), method)
        for path, item in document.document(catalog.default(), URL, "open")["paths"].items()
        for method in item
        if method in METHODS
    }
    assert described == routed


def test_a_layer_adds_a_few_dozen_bytes() -> None:
    """A city of 2,000 layers can still read the description."""
    default = catalog.default()
    layer = default.layer("parcels")
    more = {f"parcels_{number:04}": replace_id(layer, f"parcels_{number:04}") for number in range(2000)}
    large = Catalog(default.city, default.layers | more, default.codes)
    small, grown = (len(orjson.dumps(document.document(each, URL, "open"))) for each in (default, large))
    assert small < 200_000
    assert (grown - small) / 2000 <= 36


def test_the_older_document_names_each_layer_for_clients_that_look_there() -> None:
    """GDAL looks for `filter-lang` and the properties under the layer's own address."""
    whole = document.document(catalog.default(), URL, "open")
    older = document.in_version_3_0(catalog.default(), whole)
    assert len(orjson.dumps(older)) < 2 * len(orjson.dumps(whole))
    added = set(older["paths"]) - set(whole["paths"])
    features = older["components"]["schemas"]["FeatureLayer"]["enum"]
    assert added == {f"/collections/{layer}/items" for layer in features}
    told = older["paths"]["/collections/parcels/items"]["get"]["parameters"]
    assert {"$ref": "#/components/parameters/filter-lang"} in told
    assert {"dlbm", "tbmj"} <= {each.get("name") for each in told}


def test_shared_parameters_tell_clients_the_bounds(client: Any) -> None:
    """QGIS and GDAL read the largest page here, under this name."""
    told = client.get("/openapi", f="oas30").json["components"]["parameters"]["limit"]["schema"]
    items = "/collections/parcels/items"
    assert client.get(items, f="json", limit=told["maximum"]).status == 200
    assert client.get(items, f="json", limit=told["maximum"] + 1).status == 400
    assert len(client.get("/collections/planning_zones/items", f="json").json["features"]) == told["default"]


@pytest.mark.parametrize(
    "path",
    ["/", "/collections/elevation", "/collections/parcels/tiles", "/collections/parcels/tiles/WebMercatorQuad",
     "/tileMatrixSets", "/processes", "/processes/what-is-here", "/stac", "/stac/collections/elevation", "/jobs"],
)  # fmt: skip
def test_links_lead_somewhere_and_to_what_they_say(client: Any, path: str) -> None:
    listed = [each for each in _links(client.get(path, f="json").json) if each["href"].startswith(client.url)]
    followed = {
        each["href"]: each for each in listed if "{" not in each["href"] and not each["rel"].endswith("/execute")
    }
    assert followed
    for href, link in followed.items():
        answer = client.link(href)
        assert answer.status == 200, href
        told, got = (text.partition(";")[0] for text in (link["type"], answer.headers["content-type"]))
        assert told == got or link["rel"] in ("about", "root"), href


def _links(node: Any) -> Iterator[dict[str, str]]:
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _links(part)
    if isinstance(node, dict) and {"href", "rel", "type"} <= set(node):
        yield node


def test_schemathesis_finds_nothing_in_what_is_read(service: Any, tmp_path: Path) -> None:
    _explore(service.url, tmp_path, "--exclude-tag", "editing", "--exclude-method", "HEAD")


def test_schemathesis_finds_nothing_in_what_is_edited(
    empty_store: Database, run_service: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    dsn = cast(str, empty_store.settings.database_url)
    with run_service(dsn, tmp_path / "data", SHIKONG_EDITING="open") as service:
        _explore(service.url, tmp_path, "--include-tag", "editing")


def _explore(url: str, folder: Path, *which: str) -> None:
    """Requests at the bounds of each parameter and beyond them, the same in each run."""
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi", "--checks", ",".join(CHECKS),
        "--phases", "coverage", "--generation-deterministic", "--warnings", "off", "--no-color",
        *which,
    ]  # fmt: skip
    environment = os.environ | {"NO_PROXY": "127.0.0.1"}
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    tested = re.search(r"(\d+) generated, \1 passed", run.stdout)
    assert tested is not None, run.stdout[-2000:]
    assert int(tested[1]) > 500


def replace_id(layer: Any, identifier: str) -> Any:
    """The same layer under another name."""
    return layer.model_copy(update={"id": identifier})


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def _plain(whole: Any) -> Any:
    return orjson.loads(orjson.dumps(whole))

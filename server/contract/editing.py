"""How editing is described in the OpenAPI document.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

from shikong.server import edit_bodies, editing
from shikong.server.contract.parameters import named
from shikong.server.contract.reading import headers, operation, problems, told
from shikong.server.contract.schemas import ANYTHING, TEXT, WHOLE, Part, a_list, an_object, one_of, schema

_OPERATIONS = a_list(schema("EditOperation"), minItems=1, maxItems=editing.MAX_OPERATIONS)
_FEATURES = a_list(schema("EditedFeature"), minItems=1, maxItems=editing.MAX_OPERATIONS)
_GEOMETRY: Part = {"type": ["object", "null"], "required": ["type"], "properties": {"type": TEXT}}
_PROPERTIES: Part = {
    "type": ["object", "null"],
    "description": "as /schema of the layer has them; what is readOnly there is passed over",
}
_KEY: Part = {"type": "string", "minLength": 1, "maxLength": editing.LONGEST_KEY}

SCHEMAS: dict[str, Part] = {
    "EditedFeature": an_object(
        "type geometry properties", type=one_of("Feature"), id=_KEY, geometry=_GEOMETRY, properties=_PROPERTIES
    ),
    "EditedFeatures": {"oneOf": [
        schema("EditedFeature"),
        an_object("type features", type=one_of("FeatureCollection"), features=_FEATURES),
    ]},
    "FeaturePatch": an_object("", geometry=_GEOMETRY, properties=_PROPERTIES),
    "EditReport": an_object(
        "status", status=WHOLE, collection=TEXT, id={}, release=WHOLE, etag=TEXT, location=TEXT,
        warnings=schema("Findings"), detail=TEXT, findings=schema("Findings"), feature=ANYTHING,
    ),
    "EditReports": an_object(
        "done refused operations", done=WHOLE, refused=WHOLE, operations=a_list(schema("EditReport"))
    ),
    "EditOperation": an_object(
        "collection method", collection=schema("FeatureLayer"), method=one_of("POST", "PUT", "PATCH", "DELETE"),
        id=_KEY | {"description": "which feature; not with POST"},
        body=ANYTHING | {"description": "as the method's own request has it; none with DELETE"},
    ) | {"additionalProperties": False},
}  # fmt: skip
SCHEMAS["EditOperation"]["properties"]["if-match"] = TEXT | {"description": "its ETag as it was read; not with POST"}


def _body(types: tuple[str, ...], kind: str) -> Part:
    return {"required": True, "content": {media_type: {"schema": schema(kind)} for media_type in types}}


def _change(summary: str, name: str, body: Part | None, *refused: int) -> Part:
    """A change of one feature."""
    more: dict[str, Any] = {"parameters": named("Content-Crs", "Prefer", "If-Match")}
    if body:
        more["requestBody"] = body
    done = told("EditReport") | told("Feature", "application/geo+json")
    change = operation(summary, name, "editing", done, 404, 405, 412, 422, 428, *refused, **more)
    change["responses"]["204"] = {"description": "done; with `Prefer: return=minimal`"}
    return change


def options(name: str) -> Part:
    """What can be done here."""
    responses = {"204": {"description": "`Allow` tells it"}, **problems(401, 403, 404)}
    return {"summary": "what can be done here", "operationId": name, "tags": ["editing"], "responses": responses}


def operations() -> dict[str, Part]:
    """The operations that edit, by path."""
    create = operation(
        "add a feature, or several as one", "createFeatures", "editing",
        {"application/json": {"schema": {"anyOf": [schema("EditReport"), schema("EditReports")]}},
         **told("Feature", "application/geo+json")},
        404, 405, 409, 413, 415, 422, status=201,
        parameters=named("Content-Crs", "Prefer"), requestBody=_body(edit_bodies.GEOJSON, "EditedFeatures"),
    )  # fmt: skip
    create["responses"]["201"]["headers"] = headers("Location")
    create["responses"]["200"] = {
        "description": "some were added; with `Prefer: handling=lenient`", "content": told("EditReports"),
    }  # fmt: skip
    transact = operation(
        "change features of several layers as one", "transact", "editing", told("EditReports"),
        404, 405, 409, 412, 413, 415, 422, 428, parameters=named("Content-Crs", "Prefer"),
        description="All operations are done, or none; with `Prefer: handling=lenient` those that can be done. "
        "The answer tells of each; the operations of a layer are one release.",
        requestBody={"required": True, "content": {"application/json": {
            "schema": an_object("operations", operations=_OPERATIONS)}}},
    )  # fmt: skip
    transact["responses"]["201"] = {"description": "done; all were added", "content": told("EditReports")}
    feature, patch = _body(edit_bodies.GEOJSON, "EditedFeature"), _body(edit_bodies.MERGE_PATCH, "FeaturePatch")
    return {
        "/collections/{collectionId}/items": {"post": create},
        "/collections/{collectionId}/items/{featureId}": {
            "put": _change("replace it by a new version", "replaceFeature", feature, 409, 413, 415),
            "patch": _change("change parts of it", "updateFeature", patch, 409, 413, 415),
            "delete": _change("end it", "deleteFeature", None),
        },
        "/transactions": {"post": transact, "options": options("optionsTransactions")},
    }

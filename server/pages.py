"""HTML pages from the templates in web/, in the reader's language.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
from pygeoapi import l10n
from pygeoapi.api import APIRequest
from pygeoapi.util import render_j2_template
from starlette.requests import Request

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.labels import Language, meanings
from shikong.providers.options import field_schemas
from shikong.server import profiles


class Pages:
    """Renders pages with pygeoapi's template machinery, so that its pages and ours look alike."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def render(self, template: str, data: dict[str, Any], request: Request) -> str:
        """One page. data: what the template shows."""
        locale = APIRequest(request, self._api.locales).locale
        templates = self._api.tpl_config["server"]["templates"]
        return str(render_j2_template(self._api.tpl_config, templates, template, data, locale))

    def items(
        self, request: Request, layer: Layer, document: dict[str, Any], offset: int, language: Language | None
    ) -> str:
        """A page of features. language: in which codes are told by what they mean; None: as codes."""
        data = self._with_paths(request, layer, plain(document)) | {"offset": offset, "id_field": layer.key_field}
        data["meanings"] = meanings(layer, language) if language else {}
        return self.render("collections/items/index.html", data, request)

    def item(
        self, request: Request, layer: Layer, feature: dict[str, Any], language: Language | None, tag: str | None = None
    ) -> str:
        """One feature. language: as for a page of features. tag: its entity tag, where the reader may edit it."""
        data = self._with_paths(request, layer, plain(feature)) | {"id_field": layer.key_field}
        data["meanings"] = meanings(layer, language) if language else {}
        if tag is not None:
            data["edit"] = self._form(request, layer, feature, tag)
        return self.render("collections/items/item.html", data, request)

    def queryables(self, request: Request, layer: Layer, document: dict[str, Any]) -> str:
        """What a filter may name."""
        return self.render("collections/queryables.html", self._with_paths(request, layer, document), request)

    def schema(self, request: Request, layer: Layer, document: dict[str, Any]) -> str:
        """What a layer's features, cells or observations have."""
        return self.render("collections/schema.html", self._with_paths(request, layer, document), request)

    def _form(self, request: Request, layer: Layer, feature: dict[str, Any], tag: str) -> dict[str, Any]:
        """What the form for a feature's attributes needs: what can be set, with titles in the reader's language."""
        language = profiles.language(self._api, request)
        codes = catalog.default().codes
        fields: dict[str, Any] = {}
        for name, plain_schema in field_schemas(layer).items():
            schema, declared = plain_schema, layer.fields.get(name)
            if schema.get("readOnly") or (declared and declared.key):
                continue
            if declared and declared.codes:
                listed = codes[declared.codes].codes
                titles = [f"{code} {getattr(entry.title, language)}" for code, entry in listed.items()]
                schema = schema | {"enum": list(listed), "x-enum-titles": titles}
            fields[name] = {
                "title": schema["title"] if language == "zh" else schema["x-title-en"], "schema": schema,
                "minOccurs": 1 if declared and declared.required else 0,
            }  # fmt: skip
        values = {name: value for name, value in feature["properties"].items() if name in layer.fields}
        address = f"{self._api.get_collections_url()}/{layer.id}/items/{quote(str(feature['id']), safe='')}"
        return {"etag": tag, "href": address, "fields": fields, "values": values}

    def _with_paths(self, request: Request, layer: Layer, data: dict[str, Any]) -> dict[str, Any]:
        locale = APIRequest(request, self._api.locales).locale
        collections = self._api.get_collections_url()
        title = l10n.translate(layer.title.model_dump(), locale)
        return data | {
            "collections_path": collections, "dataset_path": f"{collections}/{layer.id}",
            "items_path": f"{collections}/{layer.id}/items", "title": title, "collection_title": title,
        }  # fmt: skip


def plain(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its ready pieces of JSON taken apart, as templates need it."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return plain

"""pygeoapi's feature provider over the store, for stock `pygeoapi serve`.

The server's own Features block answers with the same queries (providers/items.py) but without
pygeoapi's handler in between. pygeoapi hands boxes over in the axis order of the storage CRS
(EPSG:4490: latitude first) and expects the provider to transform; both are settled here.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import orjson
from pygeoapi.provider.base import BaseProvider, ProviderItemNotFoundError, SchemaType

from shikong.layers.catalog import default as default_catalog
from shikong.layers.model import Layer
from shikong.providers import items
from shikong.providers.cql2 import ecql
from shikong.providers.cql2.compile import Filter, compile_tree
from shikong.providers.crs import DEFAULT, STORAGE_CRS, ServedCrs, epsg, parse
from shikong.providers.items import Items, Sort
from shikong.providers.options import field_schemas, layer_of
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.times import parse_period
from shikong.providers.values import parse_value
from shikong.store.database import default as default_database


class PostGISProvider(BaseProvider):  # type: ignore[misc]
    """A features layer of the store. `data` in the definition is the layer's id."""

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.layer: Layer = layer_of(provider_def, "features")
        self.storage_crs = provider_def.get("storage_crs", STORAGE_CRS)
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """The layer's declared fields as JSON Schema."""
        self._fields = field_schemas(self.layer)
        return self._fields

    def get_schema(self, schema_type: SchemaType = SchemaType.item) -> tuple[str, dict[str, Any]]:
        """The layer's schema."""
        return "application/geo+json", {"type": "object", "properties": self.get_fields()}

    def get_domains(self, properties: list[str] = [], current: bool = False) -> tuple[dict[str, Any], bool]:  # noqa: B006
        """Code lists of the fields that have one."""
        wanted = {name: field for name, field in self._fields.items() if not properties or name in properties}
        return {name: field["values"] for name, field in wanted.items() if "values" in field}, False

    def query(  # noqa: PLR0913, PLR0917 - the signature is pygeoapi's
        self,
        offset: int = 0,
        limit: int = 10,
        resulttype: str = "results",
        bbox: Any = (),
        datetime_: str | None = None,
        properties: Any = (),
        sortby: Any = (),
        select_properties: Any = (),
        skip_geometry: bool = False,
        crs_transform_spec: Any = None,
        filterq: Any = None,
        **_: Any,
    ) -> dict[str, Any]:
        """A page of features as GeoJSON."""
        catalog = default_catalog()
        with as_provider_errors():
            question = Items(
                limit=limit,
                offset=offset,
                bbox=epsg(4490).box_to_storage(tuple(map(float, bbox))) if bbox else None,  # type: ignore[arg-type]
                period=parse_period(datetime_, catalog.city.timezone) if datetime_ else None,
                filters=tuple((name, parse_value(self.layer, name, value)) for name, value in properties),
                cql=self._cql(filterq),
                sort=tuple(Sort(item["property"], item["order"] == "-") for item in sortby),
                crs=self._crs(crs_transform_spec),
                geometry=not skip_geometry,
                properties=tuple(select_properties) or None,
            )
            if resulttype == "hits":
                total = items.count(self.layer, question)
                matched = default_database().thread_fetch(total.query, total.params)[0][0]
                return {"type": "FeatureCollection", "features": [], "numberMatched": matched, "numberReturned": 0}
            statement = items.page(self.layer, question)
            rows = default_database().thread_fetch(statement.query, statement.params)
        features = [_plain(items.feature(statement, row)) for row in rows[:limit]]
        return {"type": "FeatureCollection", "features": features, "numberReturned": len(features)}

    def get(self, identifier: str, crs_transform_spec: Any = None, **_: Any) -> dict[str, Any]:
        """One feature as GeoJSON. Raises pygeoapi's not-found error."""
        statement = items.one(self.layer, identifier, Items(1, crs=self._crs(crs_transform_spec)))
        with as_provider_errors():
            rows = default_database().thread_fetch(statement.query, statement.params)
        if not rows:
            raise ProviderItemNotFoundError(user_msg=f"no feature {identifier!r} holds now")
        return _plain(items.feature(statement, rows[0]))

    def _cql(self, filterq: Any) -> Filter | None:
        """What pygeoapi has read of `filter`; its geometries have the axis order of the storage CRS."""
        if filterq is None:
            return None
        return compile_tree(self.layer, ecql.tree(filterq), epsg(4490), default_catalog().city.timezone)

    def _crs(self, spec: Any) -> ServedCrs:
        if spec is None:  # pygeoapi gives none when the answer is wanted in the storage CRS
            return epsg(4490) if self.storage_crs == STORAGE_CRS else DEFAULT
        return parse("crs", spec.target_crs_uri, default_catalog().city.crs)


def _plain(feature: dict[str, Any]) -> dict[str, Any]:
    """The feature with its geometry taken apart: pygeoapi serialises with the standard library."""
    plain: dict[str, Any] = orjson.loads(orjson.dumps(feature))
    return plain

"""pygeoapi's record provider: the layers themselves as metadata records.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any, ClassVar

from pygeoapi.provider.base import BaseProvider, ProviderItemNotFoundError

from shikong.layers import catalog
from shikong.layers.model import Layer
from shikong.providers.crs import STORAGE_CRS
from shikong.providers.options import box_of
from shikong.providers.plugin_errors import as_provider_errors
from shikong.providers.times import parse_period
from shikong.store.catalogue import NEWEST, Published, published
from shikong.store.database import default as default_database


class RecordProvider(BaseProvider):  # type: ignore[misc]
    """What providers of records share. texts: searchable properties, all of them texts, with their Chinese titles."""

    texts: ClassVar[dict[str, str]]

    def __init__(self, provider_def: dict[str, Any]) -> None:
        super().__init__(provider_def)
        self.get_fields()

    def get_fields(self) -> dict[str, Any]:
        """Searchable properties of a record."""
        self._fields = {name: {"type": "string", "title": title} for name, title in self.texts.items()}
        return self._fields


class CatalogueProvider(RecordProvider):
    """Records of all layers: what each is, where it came from, how exact, since when."""

    texts: ClassVar[dict[str, str]] = {
        "title": "标题", "description": "说明", "theme": "主题", "steward": "责任部门", "kind": "类型",
    }  # fmt: skip

    def query(
        self, offset: int = 0, limit: int = 10, resulttype: str = "results", bbox: Any = (), properties: Any = (),
        q: str | None = None, datetime_: str | None = None, **_: Any,
    ) -> dict[str, Any]:  # fmt: skip
        """A page of records. `q` looks for all of its words in titles, descriptions and keywords; `datetime` chooses
        the layers that hold something then, and those without a time.
        """
        layers = [(layer, release) for layer, release in self._layers() if _holds(release, datetime_)]
        found = [self._record(layer, release) for layer, release in layers]
        found = [record for record in found if _matches(record, q, bbox, properties)]
        part = [] if resulttype == "hits" else found[offset : offset + limit]
        return {"type": "FeatureCollection", "features": part, "numberMatched": len(found), "numberReturned": len(part)}

    def get(self, identifier: str, **_: Any) -> dict[str, Any]:
        """One record. Raises pygeoapi's not-found error."""
        for layer, release in self._layers():
            if layer.id == identifier:
                return self._record(layer, release)
        raise ProviderItemNotFoundError(user_msg=f"there is no record {identifier!r}")

    def _layers(self) -> list[tuple[Layer, Published | None]]:
        with as_provider_errors():
            releases = published(default_database().thread_fetch(NEWEST))
        return [
            (layer, releases.get(layer.id) if layer.access.public else None)
            for layer in catalog.default()
            if layer.kind != "records"
        ]

    def _record(self, layer: Layer, release: Published | None) -> dict[str, Any]:
        city = catalog.default().city
        west, south, east, north = (release.extent if release and release.extent else None) or city.bbox
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        properties: dict[str, Any] = {
            "type": "dataset", "title": layer.title.zh, "description": layer.description.zh,
            "title_en": layer.title.en, "description_en": layer.description.en, "theme": layer.theme,
            "kind": layer.kind, "steward": layer.steward, "keywords": list(layer.keywords),
            "language": {"code": "zh"}, "storageCrs": STORAGE_CRS,
        }  # fmt: skip
        if release:
            properties |= {
                "updated": release.published_at.isoformat(), "release": release.release, "source": release.source,
                "sourceCrs": release.source_crs, "positionalAccuracy": release.datum_note, "origin": release.origin,
                "rows": release.rows, "rowsQuarantined": release.quarantined,
            }  # fmt: skip
        return {
            "type": "Feature", "id": layer.id, "geometry": {"type": "Polygon", "coordinates": [ring]},
            "time": _time(release), "properties": properties,
        }  # fmt: skip


def _time(release: Published | None) -> dict[str, Any] | None:
    if release is None or release.time_from is None:
        return None
    end = ".." if release.time_to is None else release.time_to.isoformat()
    return {"interval": [release.time_from.isoformat(), end]}


def _holds(release: Published | None, when: str | None) -> bool:
    if not when or release is None or release.time_from is None:
        return True
    period = parse_period(when, catalog.default().city.timezone)
    begun = period.end is None or release.time_from <= period.end
    return begun and (period.start is None or release.time_to is None or release.time_to >= period.start)


def _matches(record: dict[str, Any], q: str | None, bbox: Any, properties: Any) -> bool:
    values = record["properties"]
    if any(str(values.get(name)) != value for name, value in properties or ()):
        return False
    if q:
        text = " ".join([*map(str, values.values())]).lower()
        if not all(word in text for word in q.lower().split()):
            return False
    if bbox:
        west, south, east, north = box_of(bbox)
        (w, s), _, (e, n), *_ = record["geometry"]["coordinates"][0]
        # A box over the antimeridian has its west east of its east.
        beside = (w <= east or e >= west) if west > east else (w <= east and e >= west)
        return bool(beside and s <= north and n >= south)
    return True

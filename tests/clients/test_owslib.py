"""OWSLib walks the API: landing page, collections, features, records, coverages, EDR.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from typing import Any

import pytest
from owslib.ogcapi.coverages import Coverages
from owslib.ogcapi.edr import EnvironmentalDataRetrieval
from owslib.ogcapi.features import Features
from owslib.ogcapi.records import Records

from shikong.layers import catalog


def test_features(service: Any) -> None:
    api = Features(service.url)
    declared = {layer.id for layer in catalog.default() if layer.kind == "features"}
    assert set(api.feature_collections()) >= declared
    assert "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core" in api.conformance()["conformsTo"]
    districts = api.collection_items("districts", bbox=[115.9, 36.3, 116.1, 36.6], limit=5)
    assert districts["features"]
    first = districts["features"][0]["id"]
    assert api.collection_item("districts", str(first))["id"] == first
    assert "xzqmc" in api.collection_queryables("districts")["properties"]
    assert api.api()["openapi"].startswith("3.")


def test_records(service: Any) -> None:
    api = Records(service.url)
    assert "layers" in api.records()
    found = api.collection_items("layers", q="地类图斑")
    assert [record["id"] for record in found["features"]] == ["parcels"]


def test_coverages(service: Any) -> None:
    api = Coverages(service.url)
    assert set(api.coverages()) >= {"elevation", "precipitation"}
    document = api.coverage("elevation", bbox=[115.9, 36.4, 116.0, 36.5])
    assert document.read(1)


def test_edr(service: Any) -> None:
    api = EnvironmentalDataRetrieval(service.url)
    assert set(api.data()) >= {"hydro_observations", "precipitation"}
    series = api.query_data("hydro_observations", "position", coords="POINT(115.98 36.45)")
    assert series["ranges"]["drp"]["values"]
    assert series["domain"]["axes"]["x"]["values"][0] == pytest.approx(116, abs=0.3)

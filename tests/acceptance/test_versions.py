"""Versions of features over HTTP against the file that was loaded: Memento, Time Map, 410 and 404.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest

ITEMS = "/collections/parcels/items"


@pytest.fixture(scope="module")
def versions(sample_city: Any) -> Any:
    """The versions of the parcel that has most, in order."""
    rows = gpd.read_file(sample_city.files / "parcels.fgb", ignore_geometry=True)
    for name in ("valid_from", "valid_to"):
        rows[name] = pd.to_datetime(rows[name]).dt.tz_localize("Asia/Shanghai")
    most = rows["bsm"].value_counts().index[0]
    found = rows[rows["bsm"] == most].sort_values("valid_from")
    assert len(found) > 1
    return found


def _rels(document: Any) -> dict[str, str]:
    return {link["rel"]: link["href"] for link in document["links"]}


def _moment(href: str) -> datetime:
    return datetime.fromisoformat(href.partition("datetime=")[2])


def test_a_time_map_lists_the_versions_of_the_file(client: Any, versions: Any) -> None:
    path = f"{ITEMS}/{versions['bsm'].iloc[0]}/versions"
    answer = client.get(path)
    starts = [start.to_pydatetime() for start in versions["valid_from"]]
    mementos = [link for link in answer.json["links"] if link["rel"] == "memento"]
    assert [_moment(link["href"]) for link in mementos] == starts
    assert [parsedate_to_datetime(link["datetime"]) for link in mementos] == starts
    assert answer.json["timeAxis"] == "validity-time"
    assert _rels(answer.json)["latest-version"] == mementos[-1]["href"]
    for link, (_, row) in zip(mementos, versions.iterrows(), strict=True):
        assert client.link(link["href"]).json["properties"]["dlbm"] == row["dlbm"]
    text = client.get(path, accept="application/link-format")
    assert text.headers["content-type"] == "application/link-format"
    assert text.text.count('rel="memento"') == len(versions)
    assert 'rel="original"' in text.text


def test_each_version_knows_its_neighbours(client: Any, versions: Any) -> None:
    path = f"{ITEMS}/{versions['bsm'].iloc[0]}"
    for number, start in enumerate(versions["valid_from"]):
        for moment in (start, start + timedelta(days=100)):  # the later of two versions holds where they meet
            answer = client.get(path, f="json", datetime=moment.isoformat())
            assert parsedate_to_datetime(answer.headers["memento-datetime"]) == start
            rels = _rels(answer.json)
            assert _rels(answer.json)["timemap"] == rels["version-history"] == f"{client.url}{path}/versions"
            assert rels["original"] == f"{client.url}{path}"
            assert ("predecessor-version" in rels) == (number > 0)
            assert ("successor-version" in rels) == (number + 1 < len(versions))
            if number:
                assert _moment(rels["predecessor-version"]) == versions["valid_from"].iloc[number - 1]
            assert f'<{rels["timemap"]}>; rel="timemap"' in answer.headers["link"]


def test_what_was_not_then_is_gone_and_what_never_was_is_not_found(client: Any, versions: Any) -> None:
    path = f"{ITEMS}/{versions['bsm'].iloc[0]}"
    gone = client.get(path, f="json", datetime="1990-01-01")
    assert gone.status == 410
    assert gone.json["code"] == "Gone"
    assert 'rel="latest-version"' in gone.headers["link"]
    assert 'rel="timemap"' in gone.headers["link"]
    assert client.get(path, f="json", asOf="1990-01-01").status == 404  # then nobody knew of it
    for missing in (f"{ITEMS}/nobody", f"{ITEMS}/nobody/versions"):
        assert client.get(missing).status == 404
    assert client.get(f"{path}/versions", f="xml").status == 400


def test_a_layer_without_valid_time_has_versions_along_recorded_time(client: Any) -> None:
    assert client.get("/collections/parcels", f="json").json["versioning"] == {"timeAxis": "validity-time"}
    assert client.get("/collections/districts", f="json").json["versioning"] == {"timeAxis": "transaction-time"}
    items = "/collections/districts/items"
    feature = client.get(items, f="json", limit=1).json["features"][0]["id"]
    told = client.get(f"{items}/{feature}/versions").json
    (version,) = told["versions"]
    memento = next(link for link in told["links"] if link["rel"] == "memento")
    answer = client.link(memento["href"])
    assert answer.json["id"] == feature
    assert parsedate_to_datetime(answer.headers["memento-datetime"]) == datetime.fromisoformat(
        version["start"]
    ).astimezone(UTC).replace(microsecond=0)

"""SensorThings API over HTTP, against the file that was loaded; the model is pandas.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pandas as pd
import pytest
from psycopg import sql

from shikong.layers import catalog
from shikong.providers.sensorthings import options
from shikong.providers.sensorthings.entities import ENTITIES
from shikong.providers.sensorthings.pages import Reader
from shikong.providers.sensorthings.sources import Sources
from shikong.server.sensorthings import answers
from shikong.server.sensorthings.fetching import Fetcher
from shikong.store.database import Database

ROOT = "/sensorthings/v1.1"
LAYER = "hydro_observations"
OWN = f"properties/layer eq '{LAYER}'"
LATEST = "Observations($top=1;$orderby=phenomenonTime desc)"
MANY = 10_000


@pytest.fixture(scope="module")
def loaded(sample_city: Any) -> pd.DataFrame:
    """What was loaded: station, parameter, time (UTC), value."""
    frame = pd.read_csv(sample_city.files / f"{LAYER}.csv", dtype={"stcd": str})
    frame["time"] = pd.to_datetime(frame["time"], utc=True)
    long = frame.drop(columns="origin").melt(["stcd", "time"], var_name="parameter").dropna(subset=["value"])
    return long.rename(columns={"stcd": "station"}).sort_values(["station", "parameter", "time"])


@pytest.fixture(scope="module")
def series(client: Any) -> dict[tuple[str, str], str]:
    """The id of each datastream of the layer, by station and parameter."""
    listed = _get(client, "Datastreams", filter=OWN, top=MANY, expand="Thing($select=id)")["value"]
    return {(one["Thing"]["@iot.id"], one["properties"]["parameter"]): one["@iot.id"] for one in listed}


def _get(client: Any, path: str, **given: Any) -> Any:
    answer = client.get(
        f"{ROOT}/{path}", **{f"${name}" if name != "asOf" else name: value for name, value in given.items()}
    )
    assert answer.status == 200, answer.text
    return answer.json


def _walk(client: Any, page: Any) -> list[Any]:
    """The pages from one on, along the next links."""
    pages = [page]
    while (following := pages[-1].get("@iot.nextLink")) is not None:
        pages.append(client.link(following).json)
    return pages


def _time(text: str) -> pd.Timestamp:
    return pd.Timestamp(text.rpartition("/")[2])


def test_the_root_lists_the_sets_and_each_is_there(client: Any) -> None:
    root = client.get(ROOT, f="json").json
    assert [each["name"] for each in root["value"]] == list(ENTITIES)
    for each in root["value"]:
        told = client.link(f"{each['url']}?$top=2&$count=true").json
        assert told["@iot.count"] >= len(told["value"]) > 0
        for one in told["value"]:
            for name, href in one.items():
                if name.endswith("Link"):
                    assert client.link(href).status == 200, href
            assert client.link(one["@iot.selfLink"]).json == one


def test_things_are_the_stations_that_have_series(client: Any, loaded: pd.DataFrame) -> None:
    told = _get(client, "Things", top=MANY, filter=f"Datastreams/{OWN}", count="true")
    assert {one["@iot.id"] for one in told["value"]} == set(loaded["station"])
    assert told["@iot.count"] == loaded["station"].nunique()
    for one in _get(client, "Things", top=MANY, expand="Locations")["value"]:
        feature = client.get(f"/collections/hydro_stations/items/{one['@iot.id']}", f="json").json
        assert one["Locations"][0]["location"]["coordinates"] == feature["geometry"]["coordinates"]
        assert one["name"] == feature["properties"]["stnm"]


def test_the_latest_of_every_station_in_one_call(client: Any, loaded: pd.DataFrame) -> None:
    last = loaded.groupby(["station", "parameter"]).last()
    told = _get(client, "Things", top=MANY, filter=f"Datastreams/{OWN}", select="id",
                expand=f"Datastreams($top=100;$filter={OWN};$expand={LATEST})")["value"]  # fmt: skip
    found = {(thing["@iot.id"], one["properties"]["parameter"]): one["Observations"] for thing in told
             for one in thing["Datastreams"]}  # fmt: skip
    assert set(found) == set(last.index)
    for key, (value,) in found.items():
        assert (_time(value["phenomenonTime"]), value["result"]) == (last.loc[key, "time"], last.loc[key, "value"])
    flat = _get(client, "Datastreams", top=MANY, filter=OWN, expand=LATEST)["value"]
    assert sorted(one["Observations"][0]["@iot.id"] for one in flat) == sorted(v[0]["@iot.id"] for v in found.values())
    one = flat[0]
    further = client.link(one["Observations@iot.nextLink"]).json["value"]
    direct = _get(client, f"Datastreams('{one['@iot.id']}')/Observations", top=2, orderby="phenomenonTime desc")[
        "value"
    ]
    assert [*one["Observations"], *further][:2] == direct
    alone = _get(client, f"Datastreams('{one['@iot.id']}')/Observations", top=1, orderby="phenomenonTime desc")
    assert [one for page in _walk(client, alone)[:2] for one in page["value"]] == direct


def test_the_latest_of_all_takes_as_many_queries_as_relations(sample_store: Database) -> None:
    """However many stations: what would be a query for each is one for all."""
    asked: list[Any] = []

    class Counting(Database):
        async def fetch(self, query: Any, params: Any = None, *, binary: bool = False) -> list[tuple[Any, ...]]:
            asked.append(query)
            return await super().fetch(query, params, binary=binary)

    layers = tuple(layer for layer in catalog.default() if layer.kind == "observations")
    texts = {(layer.id, name): answers.declared(layer, name, decl, "") for layer in layers
             for name, decl in layer.parameters.items()}  # fmt: skip

    async def numbers() -> list[tuple[int, int]]:
        database, found = Counting(sample_store.settings), []
        await database.open()
        try:
            for top in ("1", "1000"):
                read = options.read(ENTITIES["Things"], {"$top": top, "$expand": f"Datastreams($expand={LATEST})"})
                asked.clear()
                page = await Fetcher(database, Sources(layers, texts)).page(ENTITIES["Things"], read, {}, None)
                found.append((len(page.found), len(asked)))
        finally:
            await database.close()
        return found

    (few, queries), (many, same) = asyncio.run(numbers())
    assert (few, queries, same) == (1, 3, 3)
    assert many > 5
    assert sql.SQL("").join([asked[-1]]).as_string().count("__latest")


def test_a_time_in_a_filter_leaves_the_partitions_of_others_alone(sample_store: Database) -> None:
    layer = catalog.default().layer("hydro_records")
    sources, entity = Sources((layer,), {}), ENTITIES["Observations"]
    for text in ("phenomenonTime ge 1970-01-01 and phenomenonTime lt 1971-01-01", "year(phenomenonTime) eq 1970",
                 "date(resultTime) eq 1970-07-01"):  # fmt: skip
        reader = Reader(sources, entity, options.read(entity, {"$filter": text}))
        statement = reader.page({"layer": layer.id, "series": 1})
        rows = sample_store.thread_fetch(sql.SQL("EXPLAIN {}").format(statement.query), statement.params)
        plan = "\n".join(row[0] for row in rows)
        assert set(re.findall(r"on (hydro_records__\d+)", plan)) == {"hydro_records__1970"}
        assert re.search(r"Index Cond: .*series.*time", plan)


def test_pages_of_observations_give_each_once_and_the_same_count(
    client: Any, loaded: pd.DataFrame, series: dict[tuple[str, str], str]
) -> None:
    for (station, parameter), identifier in list(series.items())[:3]:
        own = loaded[(loaded["station"] == station) & (loaded["parameter"] == parameter)]
        size = len(own) // 3 + 1
        pages = _walk(client, _get(client, f"Datastreams('{identifier}')/Observations", top=size, count="true"))
        assert {page["@iot.count"] for page in pages} == {len(own)}
        told = [one for page in pages for one in page["value"]]
        assert [_time(one["phenomenonTime"]) for one in told] == own["time"].tolist()
        assert [one["result"] for one in told] == own["value"].tolist()
        assert len({one["@iot.id"] for one in told}) == len(own)


@pytest.mark.parametrize("order", ["result desc", "result", "phenomenonTime desc", "Datastream/Thing/name desc,result",
                                   "resultQuality,phenomenonTime"])  # fmt: skip
def test_pages_in_any_order_give_each_once(client: Any, loaded: pd.DataFrame, order: str) -> None:
    start = loaded["time"].max() - pd.Timedelta("5h")
    text = f"Datastream/{OWN} and phenomenonTime ge {start.isoformat().replace('+00:00', 'Z')}"
    first = _get(client, "Observations", filter=text, orderby=order, top=37, count="true")
    told = [one for page in _walk(client, first) for one in page["value"]]
    expected = loaded[loaded["time"] >= start]
    assert len({one["@iot.id"] for one in told}) == len(told) == first["@iot.count"] == len(expected)
    if order.startswith("result") and not order.startswith("resultQ"):
        assert [one["result"] for one in told] == sorted(expected["value"], reverse="desc" in order)
    skipped = _get(client, "Observations", filter=text, orderby=order, top=10, skip=20)["value"]
    assert skipped == told[20:30]


@pytest.mark.parametrize(("text", "which"), [
    ("result gt 5", lambda f: f["value"] > 5),
    ("result gt 1 and result le 30.5 and not (result eq 2)", lambda f: (f["value"] > 1) & (f["value"] <= 30.5) & (f["value"] != 2)),
    ("result mul 2 gt 50 or 1 gt result", lambda f: (f["value"] * 2 > 50) | (f["value"] < 1)),
    ("hour(phenomenonTime) eq 3", lambda f: f["time"].dt.hour == 3),
    ("Datastream/ObservedProperty/name eq '水位'", lambda f: f["parameter"] == "z"),
    ("Datastream/ObservedProperty/@iot.id eq 'hydro_observations/drp'", lambda f: f["parameter"] == "drp"),
    ("startswith(Datastream/properties/parameter, 'd')", lambda f: f["parameter"].str.startswith("d")),
    ("substringof('q', Datastream/properties/parameter)", lambda f: f["parameter"].str.contains("q")),
    ("phenomenonTime gt now()", lambda f: f["time"] > pd.Timestamp.now("UTC")),
    ("FeatureOfInterest/@iot.id eq 'nobody'", lambda f: f["value"] != f["value"]),
])  # fmt: skip
def test_filters_select_what_pandas_selects(client: Any, loaded: pd.DataFrame, text: str, which: Any) -> None:
    start = loaded["time"].max() - pd.Timedelta("2D")
    recent = loaded[loaded["time"] >= start]
    whole = f"Datastream/{OWN} and phenomenonTime ge {start.isoformat().replace('+00:00', 'Z')} and ({text})"
    told = _get(client, "Observations", filter=whole, count="true", top=MANY)
    expected = recent[which(recent)]
    assert told["@iot.count"] == len(told["value"]) == len(expected)
    assert sorted(one["result"] for one in told["value"]) == sorted(expected["value"])


def test_days_and_years_are_stretches_of_time(client: Any, loaded: pd.DataFrame) -> None:
    last = loaded["time"].max()
    day = last.floor("D").date()
    for text, which in ((f"date(phenomenonTime) eq {day}", loaded["time"].dt.date == day),
                        (f"date(phenomenonTime) lt {day}", loaded["time"].dt.date < day),
                        (f"year(phenomenonTime) ge {last.year}", loaded["time"].dt.year >= last.year),
                        (f"year(phenomenonTime) ne {last.year}", loaded["time"].dt.year != last.year)):  # fmt: skip
        told = _get(client, "Observations", filter=f"Datastream/{OWN} and {text}", count="true", top=0)
        assert (told["@iot.count"], told["value"]) == (which.sum(), []), text
        assert "@iot.nextLink" not in told


def test_values_over_a_period_tell_its_start_and_end(client: Any, series: dict[tuple[str, str], str]) -> None:
    rain = next(identifier for (_, parameter), identifier in series.items() if parameter == "drp")
    one = _get(client, f"Datastreams('{rain}')/Observations", top=1)["value"][0]
    start, end = map(pd.Timestamp, one["phenomenonTime"].split("/"))
    assert end - start == pd.Timedelta("1h")
    assert pd.Timestamp(one["resultTime"]) == end
    assert one["resultQuality"] == {"code": 0, "title": {"zh": "正常", "en": "Good"}}


def test_data_arrays_have_the_same_values(client: Any, series: dict[tuple[str, str], str]) -> None:
    path = f"Datastreams('{next(iter(series.values()))}')/Observations"
    plain = _get(client, path, top=50)["value"]
    (group,) = _get(client, path, top=50, resultFormat="dataArray")["value"]
    assert group["components"] == ["id", "phenomenonTime", "resultTime", "result", "resultQuality", "parameters"]
    assert [row[0] for row in group["dataArray"]] == [one["@iot.id"] for one in plain]
    assert [row[3] for row in group["dataArray"]] == [one["result"] for one in plain]
    few = _get(client, path, top=3, resultFormat="dataArray", select="result,phenomenonTime")
    assert few["value"][0]["components"] == ["result", "phenomenonTime"]
    following = client.link(few["@iot.nextLink"]).json["value"][0]
    assert following["dataArray"][0] == [plain[3]["result"], plain[3]["phenomenonTime"]]


def test_ways_from_one_entity_to_others(client: Any, series: dict[tuple[str, str], str]) -> None:
    (station, parameter), identifier = next(iter(series.items()))
    stream = f"Datastreams('{identifier}')"
    thing = _get(client, f"{stream}/Thing")
    assert thing == _get(client, f"Things('{station}')")
    assert _get(client, f"{stream}/Thing/name") == {"name": thing["name"]}
    assert client.get(f"{ROOT}/{stream}/Thing/name/$value").text == thing["name"]
    assert _get(client, f"{stream}/ObservedProperty")["@iot.id"] == f"{LAYER}/{parameter}"
    value = _get(client, f"Things('{station}')/{stream}/Observations", top=1)["value"][0]
    assert _get(client, f"Observations('{value['@iot.id']}')/Datastream/Thing") == thing
    place = _get(client, f"Observations('{value['@iot.id']}')/FeatureOfInterest")
    assert place["feature"] == _get(client, f"Things('{station}')/Locations")["value"][0]["location"]
    refs = _get(client, f"Things('{station}')/Datastreams/$ref")["value"]
    assert f"{client.url}{ROOT}/{stream}" in [each["@iot.selfLink"] for each in refs]
    nested = _get(
        client, f"Observations('{value['@iot.id']}')", expand="Datastream/Thing,Datastream/Sensor,FeatureOfInterest"
    )
    assert nested["Datastream"]["Thing"] == thing
    assert nested["Datastream"]["Sensor"]["@iot.id"] == f"{LAYER}/{parameter}"
    assert nested["FeatureOfInterest"] == place


def test_shapes_and_distances(client: Any, loaded: pd.DataFrame) -> None:
    x, y = _get(client, "Locations", top=1)["value"][0]["location"]["coordinates"]
    near = _get(client, "Locations", filter=f"geo.distance(location,geography'POINT({x} {y})') lt 1")["value"]
    assert [one["location"]["coordinates"] for one in near] == [[x, y]]
    box = (
        f"geography'POLYGON(({x - 0.01} {y - 0.01},{x + 0.01} {y - 0.01},{x + 0.01} {y + 0.01},{x - 0.01} {y - 0.01}))'"
    )
    assert (
        _get(client, "Locations", filter=f"st_within(location,{box}) and not st_within(location,{box})")["value"] == []
    )
    assert _get(client, "Things", filter=f"st_intersects(Locations/location,{box})", top=5)["value"]


def test_nothing_was_known_before_the_first_release(client: Any, series: dict[tuple[str, str], str]) -> None:
    assert _get(client, "Things", asOf="2000-01-01")["value"] == []
    path = f"Datastreams('{next(iter(series.values()))}')/Observations"
    now, then = (_get(client, path, top=5, count="true", **more) for more in ({}, {"asOf": "2100-01-01"}))
    assert then["@iot.count"] == now["@iot.count"]
    assert [(one["@iot.id"], one["result"]) for one in then["value"]] == [
        (one["@iot.id"], one["result"]) for one in now["value"]
    ]
    assert "asOf=2100-01-01" in then["@iot.nextLink"]


@pytest.mark.parametrize(("path", "query", "parameter"), [
    ("Things", {"$filter": "name eq"}, "$filter"), ("Things", {"$filter": "nosuch eq 1"}, "$filter"),
    ("Things", {"$filter": "name eq 5"}, "$filter"), ("Things", {"$filter": "name"}, "$filter"),
    ("Things", {"$filter": "nosuch(name)"}, "$filter"), ("Things", {"$filter": "name eq 'a'; DROP TABLE x"}, "$filter"),
    ("Things", {"$filter": "st_within(Locations/location,geography'POINT(999 1)')"}, "$filter"),
    ("Things", {"$filter": "Datastreams/Observations/result gt 1"}, "$filter"),
    ("Observations", {"$filter": "result mul 1e308 mul 1e308 gt 0"}, "$filter"),
    ("Things", {"$orderby": "nosuch"}, "$orderby"), ("Observations", {"$orderby": "second(now())"}, "$orderby"), ("Things", {"$select": "nosuch"}, "$select"),
    ("Things", {"$expand": "nosuch"}, "$expand"), ("Things", {"$expand": "Datastreams($top=x)"}, "$expand"),
    ("Things", {"$expand": "Datastreams("}, "$expand"), ("Things", {"$top": "-1"}, "$top"),
    ("Things", {"$skip": "x"}, "$skip"), ("Things", {"$count": "1"}, "$count"), ("Things", {"$nosuch": "1"}, "$nosuch"),
    ("Things", {"$skiptoken": "x"}, "$skiptoken"), ("Things", {"$resultFormat": "dataArray"}, "$resultFormat"),
    ("Things", {"asOf": "x"}, "asOf"), ("Sensors('hydro_observations/z')", {"$top": "1"}, "$top"),
])  # fmt: skip
def test_what_is_wrong_is_named(client: Any, path: str, query: dict[str, str], parameter: str) -> None:
    answer = client.get(f"{ROOT}/{path}", **query)
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert answer.json["allowed"]


@pytest.mark.parametrize("path", [
    "Nothing", "Things('nobody')", "Things('nobody')/Datastreams", "Datastreams('x')", "Datastreams('hydro_observations/x')",
    "Datastreams('hydro_observations/999999999')", "Observations('hydro_observations/1/1')", "Things/Datastreams",
    "Things('nobody", "Sensors('hydro_observations/z')/nosuch", "Sensors('hydro_observations/z')/name/nosuch",
])  # fmt: skip
def test_what_is_not_there_is_told(client: Any, path: str) -> None:
    answer = client.get(f"{ROOT}/{path}")
    assert (answer.status, answer.json["code"]) == (404, "NotFound")

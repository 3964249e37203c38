"""The balance of land over HTTP, against pandas and geopandas over the files of the sample city.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest

from shikong.layers import catalog
from shikong.store import ellipsoid
from support.sample_files import read

PATH = "/processes/land-balance/execution"
SURVEY, PLAN = (catalog.default().codes[name] for name in ("land_use_survey", "land_use_plan"))
ACROSS = catalog.default().crosswalks["survey_to_plan"].codes


def ask(client: Any, **inputs: Any) -> Any:
    answer = client.post(PATH, {"inputs": inputs})
    assert answer.status == 200, answer.text
    return answer.json


def measured(frame: Any) -> pd.DataFrame:
    """A frame of a file with the area of each feature in hectares, measured here."""
    shapes = frame.to_crs(4490)
    return pd.DataFrame(shapes.drop(columns="geometry")).assign(ha=ellipsoid.areas(shapes.geometry.to_numpy()) / 10_000)


@pytest.fixture(scope="module")
def parcels(sample_city: Any) -> pd.DataFrame:
    return measured(read(sample_city.files, "parcels"))


def at(parcels: pd.DataFrame, day: str) -> pd.DataFrame:
    begun, ended = parcels["valid_from"].astype(str) <= day, parcels["valid_to"].astype(str)
    return parcels[begun & (parcels["valid_to"].isna() | (ended > day))]


@pytest.mark.parametrize("level", ["group", "level_1", "level_2"])
def test_the_balance_is_that_of_the_file(client: Any, parcels: pd.DataFrame, level: str) -> None:
    table = ask(client, table=["land_balance"], level=level, datetime="2026-01-01")["tables"]["land_balance"]
    now = at(parcels, "2026-01-01")
    raised = {
        "group": SURVEY.group_of,
        "level_1": lambda code: (code, *SURVEY.ancestors(code))[-1],
        "level_2": lambda code: next(each for each in (code, *SURVEY.ancestors(code))
                                     if SURVEY.codes[SURVEY.codes[each].parent or each].parent is None),
    }[level]  # fmt: skip
    expected = now.assign(code=now["dlbm"].map(raised)).groupby(["xzqdm", "code"])["ha"].sum().to_dict()
    told = {(row["district"], row["class"]): row["area_ha"] for row in table["rows"]}
    assert told == {key: pytest.approx(area, abs=1e-3) for key, area in expected.items()}
    assert sum(row["share_pct"] for row in table["rows"]) == pytest.approx(100, abs=0.01)
    assert table["totals"][-1]["area_ha"] == pytest.approx(now["ha"].sum(), abs=1e-2)


def test_flows_are_those_of_the_file_and_agree_with_the_older_process(client: Any, parcels: pd.DataFrame) -> None:
    tables = ask(client, table=["land_balance", "farmland_balance"], level="level_2", since="2020-12-31",
                 datetime="2025-12-31")["tables"]  # fmt: skip
    joined = at(parcels, "2020-12-31").merge(at(parcels, "2025-12-31"), on="bsm", suffixes=("", "_new"))
    changed = joined[joined["dlbm"] != joined["dlbm_new"]]
    told: dict[tuple[str, str], float] = {}
    for row in tables["land_flows"]["rows"]:
        told[row["from"], row["to"]] = row["area_ha"]
    short = changed.assign(was=changed["dlbm"].str[:4], became=changed["dlbm_new"].str[:4])
    expected = short[short["was"] != short["became"]].groupby(["was", "became"])["ha"].sum().to_dict()
    assert told == {pair: pytest.approx(area, abs=1e-3) for pair, area in expected.items()}
    crops = changed[changed["dlbm"].str.startswith("01") & ~changed["dlbm_new"].str.startswith("01")]
    (county,) = set(parcels["xzqdm"])
    (row,) = [row for row in tables["farmland_balance"]["rows"] if row["district"] == county]
    assert row["lost_ha"] == pytest.approx(crops["ha"].sum(), abs=1e-3)
    assert round(row["opening_ha"] - row["lost_ha"] + row["gained_ha"] + row["adjusted_ha"], 4) == row["closing_ha"]
    causes = tables["farmland_causes"]
    assert sum(each["became_ha"] for each in causes["rows"]) == pytest.approx(row["lost_ha"], abs=1e-6)
    other = client.post("/processes/land-use-change/execution", {"inputs": {"from_year": 2020, "to_year": 2025}}).json
    assert sum(each["area_ha"] for each in other["changes"] if each["from"][:4] != each["to"][:4]) == pytest.approx(
        sum(told.values()), abs=0.01
    )


def test_planned_areas_are_those_of_the_zones_each_in_its_county(client: Any, sample_city: Any) -> None:
    table = ask(client, table=["plan_against_present"], plots=True)["tables"]["plan_against_present"]
    zones = read(sample_city.files, "planning_zones").to_crs(4490)
    counties = gpd.read_file(sample_city.files / "districts.gpkg").to_crs(4490)
    counties = counties[counties["level"] == "county"][["xzqdm", "geometry"]]
    own = measured(zones[zones["xzqdm"].isin(counties["xzqdm"])])
    shared = gpd.overlay(zones[~zones["xzqdm"].isin(counties["xzqdm"])].drop(columns="xzqdm"), counties)
    both = pd.concat([own, measured(shared)])
    expected = both.groupby(["xzqdm", both["ghfldm"].str[:2]])["ha"].sum()
    told = {(row["district"], row["class"]): row for row in table["rows"]}
    for key, area in expected.items():
        assert told[key]["planned_ha"] == pytest.approx(area, rel=1e-6, abs=0.01), key
    plots = measured(read(sample_city.files, "detailed_plots"))
    floors = plots.dropna(subset=["rjl"])
    by = floors.groupby(["xzqdm", floors["ghfldm"].str[:2]])
    for key, area in (floors["ha"] * floors["rjl"]).groupby([floors["xzqdm"], floors["ghfldm"].str[:2]]).sum().items():
        assert told[key]["floor_area_ha"] == pytest.approx(area, abs=0.01)
        assert told[key]["plots_with_ratio_ha"] == pytest.approx(by["ha"].sum()[key], abs=0.01)
    # Parcels of the tiny city cover a sliver of one county: what does not follow from them is not told.
    assert all(row["difference_ha"] is None for row in table["rows"])
    assert table["notes"]


def test_present_land_is_brought_over_and_what_cannot_be_is_told(client: Any, parcels: pd.DataFrame) -> None:
    table = ask(client, table=["plan_against_present"], level="level_2", datetime="2026-01-01")["tables"]
    (county,) = set(parcels["xzqdm"])
    told = {row["class"]: row["present_ha"] for row in table["plan_against_present"]["rows"]
            if row["district"] == county and row["present_ha"]}  # fmt: skip
    now = at(parcels, "2026-01-01")
    codes = now["dlbm"].map(ACROSS)
    assert told == {
        code: pytest.approx(area, abs=1e-3) for code, area in now.groupby(codes.str[:4])["ha"].sum().items()
    }
    notes = " ".join(note["zh"] for note in table["plan_against_present"]["notes"])
    divided = {code for code in now["dlbm"] if len(code) > 2 and len(ACROSS[code]) == 2}
    assert divided
    assert all(f"{code} " in notes for code in divided)


def test_quotas_are_those_of_the_file(client: Any, sample_city: Any) -> None:
    table = ask(client, table=["building_land_quota"])["tables"]["building_land_quota"]
    quotas = read(sample_city.files, "land_quotas").set_index(["xzqdm", "kind"])
    assert len(table["rows"]) == 24
    for row in table["rows"]:
        quota = quotas.loc[(row["district"], row["kind"])]
        assert (row["planned_ha"], row["used_ha"]) == (quota["planned"], quota["used"])
        assert row["left_ha"] == pytest.approx(quota["planned"] - quota["used"], abs=1e-4)
        assert row["measured_ha"] is None
        assert row["note"]["zh"]
    sums = quotas.groupby("kind")["planned"].sum()
    for total in table["totals"]:
        assert total["planned_ha"] == pytest.approx(sums[total["kind"]], abs=1e-4)
        assert total["measured_ha"] is None


def test_answers_name_their_releases_and_that_they_are_samples(client: Any) -> None:
    answer = ask(client, table=["building_land_quota"])
    assert answer["label"] == catalog.default().codes["data_origin"].codes["generated"].title.model_dump()
    assert {source["layer"] for source in answer["sources"]} == {
        "parcels",
        "land_quotas",
        "approved_projects",
        "districts",
    }
    assert all(source["release"] and source["published"] for source in answer["sources"])


@pytest.mark.parametrize(("form", "media_type"), [
    ("csv", "text/csv; charset=utf-8"), ("svg", "image/svg+xml"), ("html", "text/html; charset=utf-8"),
    ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
])  # fmt: skip
@pytest.mark.parametrize("language", ["zh", "en-US"])
def test_the_same_figures_come_as_files(client: Any, form: str, media_type: str, language: str) -> None:
    told = client.post(f"{PATH}?f={form}&lang={language}", {"inputs": {"since": "2020-12-31"}})
    assert (told.status, told.headers["content-type"]) == (200, media_type)
    assert told.headers["content-disposition"] == f'inline; filename="land-balance.{form}"'
    answer = ask(client, since="2020-12-31")
    words = "zh" if language == "zh" else "en"
    table = answer["tables"]["land_balance"]
    if form == "csv":
        rows = list(csv.reader(io.StringIO(told.content.decode("utf-8-sig"))))
        titles = [each["title"][words] for each in answer["tables"].values()]
        assert [row[0] for row in rows if row and row[0] in titles] == titles
        at_row = rows.index([table["title"][words]]) + 2
        for row, line in zip(table["rows"], rows[at_row:], strict=False):
            assert line[:4] == [row["district"], row["district_name"], row["class"], row["class_title"][words]]
            assert [float(value) for value in line[4:9]] == [row[name] for name in
                    ("opening_ha", "lost_ha", "gained_ha", "adjusted_ha", "closing_ha")]  # fmt: skip
    elif form == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(told.content))
        assert len(book.sheetnames) == len(answer["tables"]) + 2
        sheet = book.worksheets[0]
        assert [cell.value for cell in sheet[4]][4:9] == [table["rows"][0][name] for name in
                ("opening_ha", "lost_ha", "gained_ha", "adjusted_ha", "closing_ha")]  # fmt: skip
    else:
        assert answer["label"][words] in told.text
        assert table["rows"][0]["class_title"][words] in told.text


@pytest.mark.parametrize(
    ("inputs", "parameter", "words"),
    [
        ({"table": ["taxes"]}, "table", "land_balance"),
        ({"district": "999999"}, "district", "371502"),
        ({"district": "county"}, "district", "pattern"),
        ({"level": "level_3"}, "level", "level_2"),
        ({"since": "2030-01-01"}, "since", "before"),
        ({"since": "yesterday"}, "since", "instant"),
        ({"since": "2021-01-01", "datetime": "2020-01-01"}, "since", "before"),
    ],
)
def test_wrong_inputs_are_named(client: Any, inputs: dict[str, Any], parameter: str, words: str) -> None:
    answer = client.post(PATH, {"inputs": inputs})
    assert (answer.status, answer.json["parameter"]) == (400, parameter)
    assert re.search(words, answer.text)


def test_forms_and_inputs_are_described_in_both_languages(client: Any) -> None:
    for language, title in (("zh-CN", "用地平衡与指标"), ("en-US", "Land balance and quotas")):
        told = client.get("/processes/land-balance", f="json", lang=language).json
        assert told["title"] == title
        kinds = {each["contentMediaType"] for each in told["outputs"]["answer"]["schema"]["oneOf"]}
        assert {"application/json", "image/svg+xml"} < kinds

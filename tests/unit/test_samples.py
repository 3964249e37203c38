"""Is the sample city sound: clean, plausible, labelled, and the same each time?

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import geopandas as gpd
import netCDF4
import numpy as np
import pandas as pd
import pytest
import rasterio
import shapely
from scipy.interpolate import PchipInterpolator

from shikong.layers import catalog
from shikong.samples import city, records
from support.sample_files import NOW, manifest, overlaps, read

CONSTRUCTION = ("07", "08", "09", "10", "11", "12", "13")


def current(folder: Path) -> gpd.GeoDataFrame:
    parcels = read(folder, "parcels")
    return parcels[parcels["valid_to"].isna()]


#: Layers that the service works out from others, or that departments fill step by step.
DERIVED = {"plan_conflicts", "coordination_cases", "coordination_opinions", "conflict_tasks", "warnings",
           "hydro_forecasts", "forecast_warnings"}  # fmt: skip
TABLES = [
    layer.id for layer in catalog.load() if layer.kind in ("features", "observations") and layer.id not in DERIVED
]


def test_the_manifest_lists_every_layer_once_and_districts_first(sample: Path) -> None:
    steps = manifest(sample)["steps"]
    assert steps[0]["layer"] == "districts"
    layers = [step["layer"] for step in steps]
    assert layers.index("hydro_stations") < layers.index("hydro_observations")
    declared = {layer.id for layer in catalog.load() if layer.kind != "records"}
    assert sorted(layers) == sorted(declared - DERIVED)
    for step in steps:
        assert (sample / step["file"]).is_file()
        assert step["rows"] > 0


@pytest.mark.parametrize("layer_id", TABLES)
def test_columns_are_declared_and_values_come_from_the_code_lists(sample: Path, layer_id: str) -> None:
    known, layer, frame = catalog.load(), catalog.load().layer(layer_id), read(sample, layer_id)
    extra = {"origin", "geometry", "lon", "lat", "valid_from", "valid_to", "stcd", "time"}
    assert set(frame.columns) <= set(layer.fields) | set(layer.parameters) | extra
    assert len(frame) == next(step["rows"] for step in manifest(sample)["steps"] if step["layer"] == layer_id)
    for name, field in layer.fields.items():
        if field.derived:
            assert name not in frame
            continue
        if field.required:
            assert frame[name].notna().all()
        if field.codes:
            assert set(frame[name].dropna()) <= set(known.codes[field.codes].codes)
    if layer.fields and not layer.versioned:
        assert frame[layer.key_field].is_unique


def test_every_record_and_file_says_that_it_is_generated(sample: Path) -> None:
    for layer_id in TABLES:
        assert set(read(sample, layer_id)["origin"]) == {"generated"}, layer_id
    with rasterio.open(sample / "elevation.tif") as file:
        assert file.tags()["origin"] == "generated"
        assert "生成的样例数据" in file.tags()["title"]
    with netCDF4.Dataset(sample / "precipitation.nc") as file:
        assert file.origin == "generated"
        assert "生成的样例数据" in file.title
    assert manifest(sample)["origin"] == "generated"
    assert all("生成的样例数据" in step["title"] for step in manifest(sample)["steps"])


def test_parcels_cover_their_ground_without_gap_or_overlap(sample: Path) -> None:
    parcels = current(sample)
    shapes = parcels.geometry.to_numpy()
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    ground = shapely.coverage_union_all(shapes)
    assert ground.geom_type == "Polygon" or len(ground.geoms) == 1
    assert len(shapely.get_parts(ground)[0].interiors) == 0
    assert parcels["bsm"].is_unique
    assert parcels.crs.to_epsg() == 4527


def test_versions_of_a_parcel_follow_each_other_on_the_same_ground(sample: Path) -> None:
    parcels = read(sample, "parcels")
    ended = parcels[parcels["valid_to"].notna()].set_index("bsm")
    began = parcels[parcels["bsm"].isin(ended.index) & parcels["valid_to"].isna()].set_index("bsm").loc[ended.index]
    assert len(ended) > 0
    assert (ended["valid_to"].to_numpy() == began["valid_from"].to_numpy()).all()
    assert (ended["dlbm"].to_numpy() != began["dlbm"].to_numpy()).all()
    assert shapely.equals_exact(ended.geometry.to_numpy(), began.geometry.to_numpy()).all()


def test_parcels_do_not_look_like_a_grid(sample: Path) -> None:
    shapes = current(sample).geometry.to_numpy()
    boxes = shapely.area(shapely.envelope(shapes))
    assert (shapely.area(shapes) / boxes > 0.995).mean() < 0.01
    longest = []
    for shape in shapely.get_parts(shapes):
        step = np.diff(shapely.get_coordinates(shape.exterior), axis=0)
        dx, dy = step[np.argmax(np.hypot(step[:, 0], step[:, 1]))]
        longest.append(np.degrees(np.arctan2(dy, dx)) % 180)
    share = np.histogram(longest, bins=18, range=(0, 180))[0] / len(longest)
    assert (share > 0.01).sum() >= 8
    assert share.max() < 0.5
    assert 3_000 < shapely.area(shapes).mean() < 30_000


def test_districts_share_their_borders(sample: Path) -> None:
    districts = read(sample, "districts")
    assert districts.crs.to_epsg() == 4490
    counties = districts[districts["level"] == "county"].geometry.to_numpy()
    townships = districts[districts["level"] == "township"].geometry.to_numpy()
    whole = districts[districts["level"] == "city"].geometry.iloc[0]
    for level in (counties, townships):
        assert shapely.coverage_is_valid(level)
        assert shapely.equals(shapely.coverage_union_all(level), whole)


def test_residents_are_those_of_the_villages_that_are_built(sample: Path) -> None:
    districts, buildings = read(sample, "districts"), read(sample, "buildings").to_crs(4490)
    towns = districts[districts["level"] == "township"]
    homes = buildings[buildings["use"].isin(["residential", "rural"])]
    with_homes = [shapely.contains(shape, shapely.point_on_surface(homes.geometry)).any() for shape in towns.geometry]
    assert set(towns[with_homes]["xzqdm"]) <= set(towns[towns["residents"].notna()]["xzqdm"])
    assert 0 < towns["residents"].notna().sum() < len(towns)
    floor = float((homes.to_crs(4548).area * homes["storeys"]).sum())
    assert 15 < floor / towns["residents"].sum() < 120  # m² for each
    assert districts[districts["level"] == "city"]["residents"].isna().all()


def test_rivers_run_downhill(sample: Path) -> None:
    rivers = read(sample, "rivers")
    with rasterio.open(sample / "elevation.tif") as file:
        ground, inverse, step = file.read(1), ~file.transform, file.transform.a
    for name, shape in zip(rivers["name"], shapely.get_parts(rivers.geometry.to_numpy()), strict=True):
        points = shapely.get_coordinates(shapely.segmentize(shape, step / 10))
        columns, rows = inverse @ (points[:, 0], points[:, 1])
        heights = ground[np.floor(rows).astype(int), np.floor(columns).astype(int)]
        assert (heights > 0).all(), name
        assert (np.diff(heights) <= 0).all(), name
        assert heights[0] > heights[-1], name


def test_rivers_flow_to_rivers_that_exist(sample: Path) -> None:
    rivers = read(sample, "rivers")
    assert set(rivers["flows_to"].dropna()) <= set(rivers["river_id"])
    assert set(read(sample, "hydro_stations")["river_id"].dropna()) <= set(rivers["river_id"])


def series(sample: Path, station: str, column: str, *, bridged: bool = True) -> np.ndarray:
    """Hourly values of a station up to now; gaps are bridged, or NaN."""
    rows = read(sample, "hydro_observations")
    rows = rows[rows["stcd"] == station]
    times = pd.date_range(NOW - timedelta(days=city.SIZES["tiny"].days, hours=-1), NOW, freq="h")
    values = rows.set_index(pd.DatetimeIndex(pd.to_datetime(rows["time"])))[column]
    values = values.reindex(times)
    found: np.ndarray = (values.interpolate(limit_direction="both") if bridged else values).to_numpy()
    return found


def test_discharge_and_stage_answer_the_rain(sample: Path) -> None:
    stations = read(sample, "hydro_stations").set_index("stcd")
    rain = np.mean([series(sample, code, "drp") for code in stations.index[stations["sttp"] == "PP"]], axis=0)
    lags = {}
    for code in stations.index[stations["sttp"] == "ZQ"]:
        flow, stage = series(sample, code, "q"), series(sample, code, "z")
        both = np.correlate(flow - flow.mean(), rain - rain.mean(), mode="full")
        match = both[len(rain) - 1 :][:61] / (len(rain) * flow.std() * rain.std())
        lags[code] = int(np.argmax(match))
        assert 1 <= lags[code] <= 36, code
        assert match.max() > 0.3, code
        assert np.corrcoef(flow, stage)[0, 1] > 0.8, code
    assert lags["31150500"] > lags["31150100"]


def test_stations_stand_above_their_levels_now(sample: Path) -> None:
    stations = read(sample, "hydro_stations")
    stations = stations[stations["stcd"].str.fullmatch(r"3115\d{4}")]
    stage = np.array([series(sample, code, "z")[-1] for code in stations["stcd"]])
    above_guarantee, above_warning = stage > stations["grz"], stage > stations["wrz"]
    assert above_guarantee.sum() >= 1
    assert above_warning.sum() >= 2
    assert above_warning.sum() < stations["wrz"].notna().sum() / 2
    assert stations[stations["sttp"] == "PP"]["wrz"].isna().all()
    assert (stations["wrz"].dropna() < stations["grz"].dropna()).all()
    assert len(stations) == 24


def test_gauges_record_the_rain_of_their_cell(sample: Path) -> None:
    stations = read(sample, "hydro_stations").set_index("stcd")
    with netCDF4.Dataset(sample / "precipitation.nc") as file:
        assert file["precipitation"].units == "mm"
        last = netCDF4.num2date(file["time"][-1], file["time"].units, only_use_cftime_datetimes=False)
        lon, lat, field = (np.asarray(file[name][:]) for name in ("lon", "lat", "precipitation"))
    assert last == datetime.fromisoformat("2026-11-24T00:00:00")
    for code in stations[stations["sttp"] == "PP"].index:
        row = np.abs(lat - stations.loc[code, "lat"]).argmin()
        column = np.abs(lon - stations.loc[code, "lon"]).argmin()
        measured = series(sample, code, "drp", bridged=False)
        assert np.nanmean(np.abs(measured - field[:, row, column])) < 0.15, code


def test_the_known_conflicts_are_all_there_are(sample: Path) -> None:
    growth, farmland, redline, zones = (
        read(sample, layer)
        for layer in ("urban_growth_boundary", "permanent_farmland", "ecological_redline", "planning_zones")
    )
    built = zones[zones["ghfldm"].str[:2].isin(CONSTRUCTION)]
    found = overlaps(growth, farmland) | overlaps(growth, redline) | overlaps(built, farmland)
    known = json.loads((sample / "known_conflicts.json").read_text(encoding="utf-8"))
    control_lines = ("permanent_farmland", "ecological_redline")
    known = [
        item for item in known
        if item["a_layer"] in ("urban_growth_boundary", "planning_zones") and item["b_layer"] in control_lines
    ]  # fmt: skip
    wanted = {(item["a_id"], item["b_id"]): item["area_m2"] for item in known}
    assert len(wanted) == len(known) >= 15
    assert set(found) == set(wanted)
    for pair, area in wanted.items():
        assert found[pair] == pytest.approx(area, rel=1e-6, abs=1e-3), pair


def test_planning_layers_are_valid_and_zones_do_not_overlap(sample: Path) -> None:
    for layer in ("urban_growth_boundary", "permanent_farmland", "ecological_redline", "planning_zones"):
        shapes = read(sample, layer)["geometry"].to_numpy()
        assert np.all(shapely.is_valid(shapes)), layer
    zones = gpd.GeoSeries(read(sample, "planning_zones")["geometry"]).to_crs(4548).to_numpy()
    left, right = shapely.STRtree(zones).query(zones, predicate="intersects")
    one = left < right
    shared = shapely.area(shapely.intersection(zones[left[one]], zones[right[one]]))
    assert shared.max() < 1.0


def test_buildings_stand_within_parcels(sample: Path) -> None:
    parcels, buildings = current(sample).to_crs(4548), read(sample, "buildings")
    tree = shapely.STRtree(shapely.buffer(parcels.geometry.to_numpy(), 0.01))
    inside = np.unique(tree.query(buildings.geometry.to_numpy(), predicate="within")[0])
    assert len(inside) == len(buildings) > 50


def test_something_is_on_every_day_of_this_week(sample: Path) -> None:
    events, venues = read(sample, "culture_events"), read(sample, "culture_venues")
    monday = NOW - timedelta(days=NOW.weekday())
    days = {datetime.fromisoformat(text).date() for text in events["starts"]}
    assert {(monday + timedelta(days=day)).date() for day in range(7)} <= days
    assert (events["starts"] < events["ends"]).all()
    assert events["starts"].str.endswith("+08:00").all()
    names = venues.set_index("venue_id")["name"]
    assert (names.loc[events["venue_id"]].to_numpy() == events["venue_name"].to_numpy()).all()


def test_the_same_seed_gives_the_same_city(sample: Path, again: Path) -> None:
    assert manifest(sample) == manifest(again)
    for step in manifest(sample)["steps"]:
        one, other = sample / step["file"], again / step["file"]
        if one.suffix == ".gpkg":
            frames = [gpd.read_file(path) for path in (one, other)]
            assert (shapely.to_wkb(frames[0].geometry) == shapely.to_wkb(frames[1].geometry)).all(), step["layer"]
            pd.testing.assert_frame_equal(*(frame.drop(columns="geometry") for frame in frames))
        elif one.suffix != ".nc":
            assert one.read_bytes() == other.read_bytes(), step["layer"]
    with netCDF4.Dataset(sample / "precipitation.nc") as a, netCDF4.Dataset(again / "precipitation.nc") as b:
        assert np.array_equal(a["precipitation"][:], b["precipitation"][:])


def test_an_unknown_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        city.generate("vast", tmp_path)


def test_land_cover_and_imagery_follow_the_parcels(sample: Path) -> None:
    """Cells in the middle of parcels have the class that the survey's class means; fields are green, water is dark."""
    parcels = current(sample).to_crs(4490)
    with rasterio.open(sample / "land_cover.tif") as cover, rasterio.open(sample / "imagery.tif") as image:
        for file in (cover, image):
            assert file.tags()["origin"] == "generated"
            assert "生成的样例数据" in file.tags()["title"]
        codes, bands = cover.read(1), image.read()
        assert (cover.transform, cover.shape, image.count) == (image.transform, image.shape, 3)
        assert {str(code) for code in np.unique(codes)} - {"0"} <= set(catalog.load().codes["land_cover"].codes)
        expected = {"0102": 40, "1101": 80, "1104": 80, "0301": 10, "0702": 50, "0601": 50}
        checked = 0
        for row in parcels[parcels["dlbm"].isin(expected)].itertuples():
            x, y = shapely.get_coordinates(shapely.maximum_inscribed_circle(row.geometry))[0]
            line, column = cover.index(x, y)
            if shapely.maximum_inscribed_circle(row.geometry).length > 1.5 * cover.res[0]:
                checked += 1
                # The survey's yearly changes are not seen from above.
                assert codes[line, column] == expected[row.dlbm] or row.valid_from > "2020-01-01"
        assert checked > 150
    red, green, blue = (bands[band].astype(float) for band in range(3))
    assert green[codes == 40].mean() > red[codes == 40].mean() > blue[codes == 40].mean()
    assert (red + green + blue)[codes == 80].mean() < (red + green + blue)[codes == 50].mean() / 1.5
    assert (bands[:, codes == 0] == 0).all()
    assert bands[:, codes > 0].min() >= 1


def test_daily_rain_has_the_citys_climate_and_its_gaps(sample: Path) -> None:
    rows = read(sample, "hydro_records")
    stamps = pd.to_datetime(rows["time"])
    assert (stamps.dt.strftime("%H:%M%z") == "08:00+0800").all()
    days = pd.Series(rows["dyp"].to_numpy(), pd.DatetimeIndex(stamps.dt.tz_localize(None)) - pd.Timedelta(hours=32))
    assert days.index[0] == pd.Timestamp("1961-01-01")
    assert days.index[-1] == pd.Timestamp("2026-11-23"), "the last day that has ended"
    whole = days[:"2025"]
    years = whole.groupby(whole.index.year).sum()
    assert 480 < years.mean() < 640
    assert 250 < years.min() < years.max() < 1300
    summer = days[days.index.month.isin([6, 7, 8, 9])].sum() / days.sum()
    assert 0.68 < summer < 0.82
    assert 3 <= (days > 100).sum() <= 30
    assert 50 < (days > 0).sum() / 66 < 85
    assert days["1967-07":"1967-08"].empty
    later, _ = records.rain(city.SEED, date(2030, 1, 1))
    assert len(later) > len(days)


def test_a_longer_record_is_the_same_as_far_as_both_go() -> None:
    short, long = (records.rain(5, date(year, 12, 31))[1] for year in (1990, 2001))
    for code, values in short.items():
        # Years are drawn as a whole and days one after the other, so that later ones change none before them.
        assert np.array_equal(values, long[code][: len(values)], equal_nan=True), code


def test_the_reservoirs_level_and_storage_belong_together(sample: Path) -> None:
    declared = catalog.load().reservoirs.reservoirs["31156100"]
    rows = read(sample, "hydro_observations")
    mine = rows[rows["stcd"] == "31156100"].dropna(subset=["rz"])
    assert (mine["z"] == mine["rz"].round(2)).all()
    assert mine["rz"].between(declared.dead_level, declared.crest_level).all()
    levels, storages = zip(*declared.curve, strict=True)
    assert mine["w"].to_numpy() == pytest.approx(PchipInterpolator(levels, storages)(mine["rz"]), abs=1e-3)
    times = pd.DatetimeIndex(pd.to_datetime(mine["time"]))
    hours = np.diff(times) == np.timedelta64(1, "h")
    flows = (mine["inq"] - mine["otq"]).to_numpy()[1:] * 0.0036
    assert np.diff(mine["w"])[hours] == pytest.approx(flows[hours], abs=0.006)
    assert rows[rows["stcd"] != "31156100"][["rz", "w", "inq", "otq"]].isna().all(axis=None)

"""The paths of observations and of warnings, for the OpenAPI document.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

from shikong.server import asked
from shikong.server.contract.reading import COVERAGEJSON, FILE, HTML, operation, read, told
from shikong.server.contract.schemas import Part

_TEXT_FILE: Part = {"schema": {"type": "string"}}


def paths() -> dict[str, Part]:
    """All of them."""
    return _observations() | _warnings()


def _observations() -> dict[str, Part]:
    files = {"text/csv": _TEXT_FILE, "application/x-netcdf": FILE}
    lists = told("FeatureCollection", "application/geo+json")
    series = told("Coverage", COVERAGEJSON) | lists | files
    titles = {
        "position": "the series of the stations nearest to points, or of the cells that hold them",
        "radius": "the series of stations, or cells, so near a point",
        "area": "the series of stations, or cells, in an area", "cube": "the series of stations, or cells, in a box",
        "trajectory": "the series of the stations nearest to the points of a line, or of the cells that it crosses",
        "corridor": "the series of stations, or cells, along a line",
    }  # fmt: skip
    found: dict[str, Part] = {}
    for base, run in (
        ("/collections/{collectionId}", ()), ("/collections/{collectionId}/instances/{instance}", ("instance",)),
    ):  # fmt: skip
        told_of = "AsKnown" if run else ""
        for kind, title in titles.items():
            page = HTML if "html" in asked.EDR[kind].formats else {}
            found[f"{base}/{kind}"] = read(asked.EDR[kind], operation(
                title, f"get{kind.title()}{told_of}", "observations", series | page, 404, 410, 413,
            ), "SeriesLayer", *run, kind=kind)  # fmt: skip
        found[f"{base}/locations"] = read(asked.EDR["locations"], operation(
            "the stations; as CSV their series", f"getLocations{told_of}", "observations", lists | files | HTML,
            404, 413), "StationLayer", *run, kind="locations")  # fmt: skip
        found[f"{base}/locations/{{locationId}}"] = read(asked.EDR["locations"], operation(
            "the series of a station", f"getLocation{told_of}", "observations", series | HTML, 404, 413),
            "StationLayer", *run, "locationId", kind="locations")  # fmt: skip
    instances = "/collections/{collectionId}/instances"
    found[instances] = read(asked.ONLY_JSON, operation(
        "the releases, each of which can be asked as it was known", "getInstances", "observations",
        told("Instances"), 404), "SeriesLayer")  # fmt: skip
    found[f"{instances}/{{instance}}"] = read(asked.ONLY_JSON, operation(
        "one of them", "getInstance", "observations", told("Instance"), 404), "SeriesLayer", "instance")  # fmt: skip
    return found


def _warnings() -> dict[str, Part]:
    xml = {"schema": {"type": "string"}}
    return {
        "/warnings/events": read(asked.EVENTS, operation(
            "warnings in force, then each change as it comes", "getWarningEvents", "warnings",
            {"text/event-stream": {"schema": {}}}, 503)),
        "/warnings/cap": read(asked.CAP, operation(
            "warnings in force as a feed", "getWarningFeed", "warnings", {"application/atom+xml": xml})),
        "/warnings/{warning}/cap": read(asked.CAP, operation(
            "a warning as a CAP 1.2 message", "getWarningMessage", "warnings", {"application/cap+xml": xml}, 404),
            "warning"),
    }  # fmt: skip

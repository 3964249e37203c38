"""The report of a release's checks, from the store: for people, for programs, and as shapes for QGIS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import geopandas as gpd
import jinja2
import shapely
from psycopg import Connection
from psycopg.rows import dict_row
from rich.console import Console
from rich.table import Table

from shikong.ingest.errors import IngestError
from shikong.ingest.readers.base import object_array
from shikong.store.errors import NoSuchRelease

#: Findings that a report lists; the GeoPackage has all that were kept.
LISTED = 2000


@dataclass(frozen=True)
class QualityReport:
    """What a release's checks found. findings: the first of them, by row; more: how many are not among them."""

    release: dict[str, Any]
    results: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    more: int


def load(conn: Connection[Any], release: int) -> QualityReport:
    """The report of a release. Raises NoSuchRelease."""
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute("SELECT * FROM shikong.release WHERE id = %s", (release,)).fetchone()
        if found is None:
            raise NoSuchRelease
        results = cursor.execute(
            "SELECT rule, field, severity, failed, unchecked FROM shikong.quality_result WHERE release_id = %s"
            " ORDER BY severity, failed DESC, rule",
            (release,),
        ).fetchall()
        findings = cursor.execute(
            "SELECT source_row, key, rule, field, severity, value, count(*) OVER () AS number FROM shikong.finding"
            " WHERE release_id = %s ORDER BY source_row NULLS LAST, id LIMIT %s",
            (release, LISTED),
        ).fetchall()
    more = int(findings[0]["number"]) - len(findings) if findings else 0
    for finding in findings:
        del finding["number"]
    return QualityReport(found, results, findings, more)


def as_json(report: QualityReport) -> str:
    """The report as JSON text."""
    return json.dumps(vars(report), ensure_ascii=False, indent=2, default=str) + "\n"


def as_html(report: QualityReport) -> str:
    """The report as one page that loads nothing."""
    template = (resources.files("shikong.ingest.quality") / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(**vars(report))


def write(conn: Connection[Any], report: QualityReport, file: Path) -> None:
    """Write the report by the file's ending: .json, .html, or .gpkg with every offending shape.

    Raises IngestError for another ending, or when there is no shape to write.
    """
    match file.suffix.lower():
        case ".json":
            file.write_text(as_json(report), encoding="utf-8")
        case ".html":
            file.write_text(as_html(report), encoding="utf-8")
        case ".gpkg":
            _write_shapes(conn, report.release["id"], file)
        case _:
            raise IngestError(f"{file.name}: write .json, .html or .gpkg")


def _write_shapes(conn: Connection[Any], release: int, file: Path) -> None:
    """One layer for each kind of shape, because GIS programs want them apart."""
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            "SELECT source_row, key, rule, field, severity, value, st_asbinary(geom) AS geom FROM shikong.finding"
            " WHERE release_id = %s AND geom IS NOT NULL AND NOT st_isempty(geom) ORDER BY id",
            (release,),
        ).fetchall()
    if not rows:
        raise IngestError(f"release {release} has no finding with a shape")
    shapes = shapely.from_wkb(object_array([row.pop("geom") for row in rows]))
    frame = gpd.GeoDataFrame(rows, geometry=shapes, crs=4490)
    file.unlink(missing_ok=True)
    dimensions = shapely.get_dimensions(shapes)
    for dimension, name in enumerate(("points", "lines", "areas")):
        if (dimensions == dimension).any():
            part = frame[dimensions == dimension]
            # Version 1.2 is what the QGIS of offices reads without a warning.
            part.to_file(file, driver="GPKG", layer=f"findings_{name}", promote_to_multi=True, VERSION="1.2")


def show(report: QualityReport, out: Console) -> None:
    """Print the report."""
    table = Table("rule", "field", "severity", "failed", "note", title=_title(report), title_justify="left")
    for result in report.results:
        note = f"not checked: {result['unchecked']}" if result["unchecked"] else ""
        table.add_row(result["rule"], result["field"], result["severity"], f"{result['failed']:,}", note)
    out.print(table)
    for finding in report.findings[:20]:
        row = "" if finding["source_row"] is None else f"row {finding['source_row']} "
        out.print(f"  {row}{finding['key'] or ''} {finding['rule']} {finding['field'] or ''}: {finding['value']}")
    hidden = len(report.findings) + report.more - 20
    if hidden > 0:
        out.print(f"  {hidden:,} more: write them with --to report.html or --to shapes.gpkg")


def _title(report: QualityReport) -> str:
    release = report.release
    return f"release {release['id']} of {release['layer']}: {release['source']}"

"""A map to print: the ground, what is marked on it, where in the city it is, legend, scale, north and CRS.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import NullTranslations
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import resvg_py
import shapely
from pyproj import CRS

from shikong.ingest import gauss_krueger
from shikong.layers.styles import StyleDecl
from shikong.processes.counties import Counties
from shikong.processes.reports import ground
from shikong.processes.reports.document import writable
from shikong.processes.reports.ground import FINE, Ground
from shikong.providers.labels import Language
from shikong.tiles import paint
from shikong.tiles.frame import Frame
from shikong.tiles.styles import drawing, legend
from shikong.tiles.styles.legend import ROW, Row

#: In pixels: the sheet, the map on it, and the inset beside that.
WIDTH, HEIGHT = 1000, 800
MAP = (700, 800)
_LEFT, _PANEL = 712, 288
_INSET = 196

#: How wide the sheet is printed (mm).
PRINTED = 170

#: How strong the ground is beside what is marked.
_FAINT = 0.62

_INK, _GRID = "#16191B", "#3C464B"


@dataclass(frozen=True)
class Mark:
    """Shapes (EPSG:4490) that the map is about, in one colour. opacity: of the inside."""

    title: str
    shapes: list[Any]
    color: str
    opacity: float
    width: float = 1.2


@dataclass(frozen=True)
class Sheet:
    """What is drawn. seen: the frame of the map. generated: layers that are samples, by id."""

    seen: Frame
    ground: Ground
    marks: Sequence[Mark]
    counties: Counties
    generated: frozenset[str]
    language: Language
    words: NullTranslations

    @property
    def metres(self) -> float:
        """Of a pixel of the sheet."""
        return self.seen.pixel[0] * FINE


def png(sheet: Sheet) -> bytes:
    """The sheet as PNG, for print. Raises NoFont."""
    for language in ("zh", sheet.language):  # names on the ground are Chinese in any language
        legend.require_font(language)
    root = _element(None, "svg", xmlns="http://www.w3.org/2000/svg", width=WIDTH, height=HEIGHT,
                    viewBox=f"0 0 {WIDTH} {HEIGHT}", fill=_INK)  # fmt: skip
    root.set("font-family", legend.FONTS)
    root.set("font-size", "12")
    _element(root, "rect", width=WIDTH, height=HEIGHT, fill="#FFFFFF")
    _map(root, sheet)
    _inset(root, sheet)
    _legend(root, sheet)
    _foot(root, sheet)
    return bytes(resvg_py.svg_to_bytes(svg_string=ET.tostring(root, encoding="unicode"), zoom=FINE))


def _element(parent: ET.Element | None, tag: str, **attributes: Any) -> ET.Element:
    told = {name.replace("_", "-"): f"{value:g}" if isinstance(value, float) else str(value)
            for name, value in attributes.items()}  # fmt: skip
    return ET.Element(tag, told) if parent is None else ET.SubElement(parent, tag, told)


def _write(parent: ET.Element, text: str, x: float, y: float, **attributes: Any) -> None:
    _element(parent, "text", x=x, y=y, **attributes).text = writable(text)


def _map(root: ET.Element, sheet: Sheet) -> None:
    wide, high = MAP
    inside = _element(root, "svg", width=wide, height=high, viewBox=f"0 0 {wide} {high}")
    picture = base64.b64encode(paint.file(sheet.ground.picture, "png", exact=True)).decode("ascii")
    _element(inside, "image", width=wide, height=high, opacity=_FAINT, href=f"data:image/png;base64,{picture}")
    for number, mark in enumerate(sheet.marks):
        path = " ".join(_path(sheet, shape) for shape in mark.shapes)
        line = {"fill": "none", "stroke_linejoin": "round", "d": path}
        _element(inside, "path", stroke="#FFFFFF", stroke_width=mark.width + 2.4, stroke_opacity=0.9, **line)
        _element(inside, "path", fill=_hatched(inside, mark, number), fill_rule="evenodd", d=path)
        _element(inside, "path", stroke=mark.color, stroke_width=mark.width, **line)
    _grid(inside, sheet)
    for name in sheet.ground.names:
        x, y = name.x / FINE, name.y / FINE
        _name(inside, name.text, x, y, transform=f"rotate({name.turned:g} {x:g} {y:g})", font_size=11)
    for text, x, y in _county_names(sheet):
        _name(inside, text, x, y, font_size=15, letter_spacing=4, fill="#5A3C78")
    _element(root, "rect", x=0.5, y=0.5, width=wide - 1, height=high - 1, fill="none", stroke=_INK)


def _hatched(parent: ET.Element, mark: Mark, number: int) -> str:
    """A fill that is told from any colour of the ground, also without colours: it has lines."""
    if not mark.opacity:
        return "none"
    pattern = _element(parent, "pattern", id=f"mark-{number}", width=9, height=9, patternUnits="userSpaceOnUse",
                       patternTransform=f"rotate({45 + 90 * number})")  # fmt: skip
    _element(pattern, "rect", width=9, height=9, fill=mark.color, fill_opacity=mark.opacity)
    _element(pattern, "rect", width=2, height=9, fill=mark.color)
    return f"url(#mark-{number})"


def _name(parent: ET.Element, text: str, x: float, y: float, **more: Any) -> None:
    lit = {"stroke": "#FFFFFF", "stroke_width": 3, "stroke_linejoin": "round", "paint_order": "stroke"}
    _write(parent, text, x, y, text_anchor="middle", dominant_baseline="central", **lit, **more)


def _path(sheet: Sheet, shape: Any) -> str:
    box = sheet.seen.box
    rings = []
    for part in shapely.get_parts(ground.projected(shape, box.srid)):
        if part.geom_type != "Polygon":
            continue
        for ring in (part.exterior, *part.interiors):
            xy = np.asarray(ring.coords)
            at = (xy - (box.west, box.north)) * (1, -1) / sheet.metres
            rings.append("M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in at) + "Z")
    return "".join(rings)


def _grid(parent: ET.Element, sheet: Sheet) -> None:
    """Crosses at round coordinates, which are written along the left and lower edges."""
    box, step = sheet.seen.box, _round(sheet.metres * MAP[0] / 4)
    eastings = np.arange(np.ceil(box.west / step), box.east / step) * step
    northings = np.arange(np.ceil(box.south / step), box.north / step) * step
    lines = []
    for east in eastings:
        x = (east - box.west) / sheet.metres
        lines.append(f"M{x:.1f} {MAP[1]}v-6")
        if 60 < x < MAP[0] - 40:
            _name(parent, f"{east:.0f}", x, MAP[1] - 13, font_size=9)
        lines += [f"M{x - 4:.1f} {(box.north - north) / sheet.metres:.1f}h8m-4 -4v8" for north in northings]
    for north in northings:
        y = (box.north - north) / sheet.metres
        lines.append(f"M0 {y:.1f}h6")
        if 30 < y < MAP[1] - 60:
            _name(parent, f"{north:.0f}", 13, y, font_size=9, transform=f"rotate(-90 13 {y:.1f})")
    _element(parent, "path", d="".join(lines), stroke=_GRID, stroke_width=0.7, fill="none")


def _county_names(sheet: Sheet) -> list[tuple[str, float, float]]:
    """Counties where they are seen, beside what is marked."""
    box = sheet.seen.box
    seen = shapely.box(box.west, box.south, box.east, box.north).buffer(-40 * sheet.metres)
    marked = [ground.projected(shape, box.srid) for mark in sheet.marks for shape in mark.shapes]
    free = seen.difference(shapely.union_all([shape.buffer(20 * sheet.metres) for shape in marked]))
    found = []
    for name, shape in zip(sheet.counties.names, sheet.counties.shapes, strict=True):
        part = free.intersection(ground.projected(shape, box.srid))
        if part.area > 0.01 * seen.area:
            at = max(shapely.get_parts(part), key=lambda each: float(each.area)).representative_point()
            found.append((str(name), (at.x - box.west) / sheet.metres, (box.north - at.y) / sheet.metres))
    return found


def _inset(root: ET.Element, sheet: Sheet) -> None:
    """The whole city with its counties, and where in it the map is."""
    _ = sheet.words.gettext
    srid = sheet.seen.box.srid
    shapes = [ground.projected(shape.simplify(0.002), srid) for shape in sheet.counties.shapes]
    west, south, east, north = shapely.total_bounds(shapes)
    metres = max((east - west) / (_PANEL - 12), (north - south) / (_INSET - 26))
    left = _LEFT + (_PANEL - (east - west) / metres) / 2
    top = 20 + (_INSET - 20 - (north - south) / metres) / 2

    def place(x: float, y: float) -> tuple[float, float]:
        return left + (x - west) / metres, top + (north - y) / metres

    _write(root, _("Location in the city"), _LEFT + 6, 15, font_weight="bold")
    for name, shape in zip(sheet.counties.names, shapes, strict=True):
        rings = [part.exterior.coords for part in shapely.get_parts(shape)]
        path = "".join("M" + "L".join("{:.1f} {:.1f}".format(*place(*xy)) for xy in ring) + "Z" for ring in rings)
        _element(root, "path", d=path, fill="#F4F1E8", stroke="#8A8478", stroke_width=0.8)
        _name(root, str(name), *place(*shape.representative_point().coords[0]), font_size=9)
    box = sheet.seen.box
    x, y = place((box.west + box.east) / 2, (box.south + box.north) / 2)
    _element(root, "circle", cx=x, cy=y, r=7.0, fill="none", stroke="#C01818", stroke_width=1.6)
    _element(root, "circle", cx=x, cy=y, r=2.2, fill="#C01818")
    _element(root, "rect", x=_LEFT + 0.5, y=0.5, width=_PANEL - 1, height=_INSET - 1, fill="none", stroke=_INK)


def _legend(root: ET.Element, sheet: Sheet) -> None:
    _ = sheet.words.gettext
    rows = [Row(mark.title, "area", mark.color, _style(mark)) for mark in sheet.marks]
    for layer, found in sheet.ground.seen:
        title = getattr(layer.title, sheet.language)
        if layer.id in sheet.generated:
            title = _("{name} (sample)").format(name=title)
        assert layer.style is not None
        shape = drawing.shape(layer)
        if layer.style.by is None:
            rows.append(Row(title, shape, layer.style.outline or layer.style.color, layer.style))
            continue
        rows.append(Row(title))
        rows += [Row(getattr(each.title, sheet.language), shape, each.color, layer.style) for each in found]
    top, room = _INSET + 10, (MAP[1] - _INSET - 120) // ROW
    if len(rows) > room:
        rows = [*rows[: room - 1], Row(_("and {n} more").format(n=len(rows) - room + 1))]
    for number, row in enumerate(rows):
        legend.draw_row(root, _short(row), _LEFT + 4, top + number * ROW)
        if row.shape and number >= len(sheet.marks):
            root[-1].set("opacity", f"{_FAINT}")


def _style(mark: Mark) -> StyleDecl:
    line = max(1.2, mark.width * 0.7)
    return StyleDecl.model_validate(
        {"color": mark.color, "opacity": mark.opacity, "outline": mark.color, "width": line}
    )


def _short(row: Row) -> Row:
    """A row that fits beside the map."""
    room, text = _PANEL - (8 if row.shape is None else 44), row.text
    while legend.text_width(text) > room:
        text = text[:-2] + "…"
    return Row(text, row.shape, row.color, row.style)


def _foot(root: ET.Element, sheet: Sheet) -> None:
    """Scale bar, north and CRS."""
    _ = sheet.words.gettext
    length = _round(sheet.metres * 150)
    wide, left, top = length / sheet.metres, _LEFT + 6, HEIGHT - 62
    for part, colour in ((0, _INK), (1, "#FFFFFF")):
        _element(root, "rect", x=left + part * wide / 2, y=top, width=wide / 2, height=6, fill=colour, stroke=_INK)
    told = f"{length:g} m" if length < 1000 else f"{length / 1000:g} km"
    for text, at in (("0", 0.0), (told, wide)):
        _write(root, text, left + at, top - 5, text_anchor="middle" if at else "start", font_size=11)
    arrow = f"M{WIDTH - 26} {top - 26}l8 30l-8 -7l-8 7Z"
    _element(root, "path", d=arrow, fill=_INK)
    _write(root, _("N"), WIDTH - 26, top - 30, text_anchor="middle", font_size=13, font_weight="bold")
    scale = sheet.metres * WIDTH / (PRINTED / 1000)
    projection = gauss_krueger.projection(CRS.from_epsg(sheet.seen.box.srid))
    assert projection is not None
    lines = (
        _("About 1 : {n:,.0f} at {mm} mm width").format(n=round(scale, -2 if scale < 20_000 else -3), mm=PRINTED),
        _("CGCS2000, Gauss-Krüger 3°, central meridian {lon}° E").format(lon=f"{projection.central_meridian:g}"),
        f"EPSG:{sheet.seen.box.srid}",
    )
    for number, line in enumerate(lines):
        _write(root, line, left, top + 24 + number * 16, font_size=10.5)


def _round(length: float) -> float:
    """The largest 1, 2 or 5 with noughts that is no more."""
    power = 10 ** np.floor(np.log10(length))
    return float(max(step for step in (1, 2, 5) if step * power <= length) * power)

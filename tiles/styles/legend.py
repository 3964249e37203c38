"""Legends as pictures: what the colours of layers mean, as SVG and as PNG.

SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from xml.etree import ElementTree as ET

import resvg_py

from shikong.layers.catalog import Catalog
from shikong.layers.model import Layer
from shikong.layers.styles import StyleDecl
from shikong.tiles.styles import drawing
from shikong.tiles.styles.drawing import Language, Shape

#: Fonts with Chinese letters as they are called on Debian, Windows and macOS.
FONTS = "Noto Sans CJK SC, Source Han Sans SC, WenQuanYi Micro Hei, Microsoft YaHei, PingFang SC, sans-serif"

#: All in pixels: rows, the place of a sample in its row, letters and margins; and the rows of a column.
ROW, _SAMPLE, _LETTERS, _MARGIN = 24, (28, 16), 13, 12
_ROWS = 28

#: A widely used letter pair of each language. Where a font lacks both, they look alike: as nothing, or as boxes.
_PROBES: dict[Language, str] = {"zh": "中文", "en": "AB"}


class NoFont(Exception):
    """This machine has no font for the letters of a picture."""

    def __init__(self, language: Language) -> None:
        name = {"zh": "Chinese", "en": "English"}[language]
        super().__init__(
            f"this machine has no font with {name} letters, so that a picture would show none: have the operator "
            "install one (Debian: fonts-noto-cjk). A legend as `f=svg` is drawn with the reader's fonts"
        )


@dataclass(frozen=True)
class Row:
    """A line of the legend: a heading where there is no colour."""

    text: str
    shape: Shape | None = None
    color: str = ""
    style: StyleDecl | None = None


def svg(catalog: Catalog, layers: Sequence[Layer], language: Language) -> str:
    """The legend of these layers, each under its title."""
    rows = [row for layer in layers for row in _rows(catalog, layer, language)]
    columns = [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]
    widths = [2 * _MARGIN + _SAMPLE[0] + max(text_width(row.text) for row in column) for column in columns]
    width, height = sum(widths) + _MARGIN, max(len(column) for column in columns) * ROW + 2 * _MARGIN
    root = ET.Element("svg", {
        "xmlns": "http://www.w3.org/2000/svg", "width": str(width), "height": str(height),
        "viewBox": f"0 0 {width} {height}", "font-family": FONTS, "font-size": str(_LETTERS), "fill": drawing.INK,
    })  # fmt: skip
    ET.SubElement(root, "title").text = ", ".join(getattr(layer.title, language) for layer in layers)
    ET.SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "#FFFFFF"})
    left = _MARGIN
    for column, wide in zip(columns, widths, strict=True):
        for number, row in enumerate(column):
            draw_row(root, row, left, _MARGIN + number * ROW)
        left += wide
    return ET.tostring(root, encoding="unicode")


def png(catalog: Catalog, layers: Sequence[Layer], language: Language) -> bytes:
    """The same as PNG, drawn with this machine's fonts. Raises NoFont."""
    require_font(language)
    return bytes(resvg_py.svg_to_bytes(svg_string=svg(catalog, layers, language), zoom=2))


def require_font(language: Language) -> None:
    """Raise NoFont where pictures on this machine would lack a language's letters."""
    if not _can_write(language):
        raise NoFont(language)


@cache
def _can_write(language: Language) -> bool:
    pictures = {
        bytes(resvg_py.svg_to_bytes(svg_string=(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="30" font-family="{FONTS}" font-size="22">'
            f'<text x="2" y="24">{letter}</text></svg>'
        )))
        for letter in _PROBES[language]
    }  # fmt: skip
    return len(pictures) > 1


def _rows(catalog: Catalog, layer: Layer, language: Language) -> list[Row]:
    title = getattr(layer.title, language)
    found = drawing.entries(catalog, layer)
    shape = drawing.shape(layer)
    if layer.style is not None and layer.style.by is None:
        return [Row(title, shape, found[0].color, layer.style)]
    return [Row(title), *(Row(getattr(each.title, language), shape, each.color, layer.style) for each in found)]


def text_width(text: str) -> int:
    """About how wide a text is; Chinese letters are square."""
    halves = sum(2 if unicodedata.east_asian_width(letter) in "WFA" else 1.15 for letter in text)
    return round(halves * _LETTERS / 2)


def draw_row(root: ET.Element, row: Row, left: int, top: int) -> None:
    """A line of a legend, ROW high."""
    middle = top + ROW / 2
    wide, high = _SAMPLE
    text = {"x": str(left if row.shape is None else left + wide + 8), "y": f"{middle + _LETTERS * 0.36:g}"}
    ET.SubElement(root, "text", text if row.shape else text | {"font-weight": "bold"}).text = row.text
    edge = {}
    if row.style and row.style.outline:
        edge = {"stroke": row.style.outline, "stroke-width": f"{row.style.width:g}"}
    if row.shape == "line" and row.style:
        ends = {"x1": str(left + 1), "x2": str(left + wide - 1), "y1": f"{middle:g}", "y2": f"{middle:g}"}
        ET.SubElement(root, "line", ends | {"stroke": row.color, "stroke-width": f"{row.style.width:g}"})
    elif row.shape == "point" and row.style:
        place = {"cx": f"{left + wide / 2:g}", "cy": f"{middle:g}", "r": f"{min(row.style.radius, high / 2):g}"}
        ET.SubElement(root, "circle", place | {"fill": row.color} | edge)
    elif row.shape:
        place = {"x": str(left + 1), "y": f"{middle - high / 2:g}", "width": str(wide - 2), "height": str(high)}
        opacity = f"{row.style.opacity:g}" if row.style else "1"
        ET.SubElement(root, "rect", place | {"fill": row.color, "fill-opacity": opacity} | edge)

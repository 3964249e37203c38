"""Load layers through QGIS's own OGC API - Features provider and draw them. Run by Debian's Python, which has QGIS.

Usage: qgis_render.py URL PICTURE; prints what QGIS found as JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFillSymbol,
    QgsLineSymbol,
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsProject,
    QgsRectangle,
    QgsRendererCategory,
    QgsSingleSymbolRenderer,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtGui import QFont
from qgis_draw import draw, running_qgis

LAND = {
    "01": "#F5F8DC", "02": "#BFE9AA", "03": "#68B167", "05": "#FF0000", "06": "#BB9674", "07": "#FFFF2D",
    "08": "#FF85C9", "10": "#C8C8C8", "11": "#9DD6F5", "12": "#D8D79F",
}  # fmt: skip


def load(url, name, title):
    layer = QgsVectorLayer(f"url='{url}' typename='{name}' pagingEnabled='true'", title, "OAPIF")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot load {name}: {layer.error().message()}")
    return layer


def label(layer, field, size):
    settings = QgsPalLayerSettings()
    settings.fieldName = field
    text = QgsTextFormat()
    text.setFont(QFont("Noto Sans CJK SC"))
    text.setSize(size)
    settings.setFormat(text)
    layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
    layer.setLabelsEnabled(True)


def style(layers):
    outline = QgsFillSymbol.createSimple({"style": "no", "outline_color": "#44525c", "outline_width": "0.5"})
    layers["districts"].setRenderer(QgsSingleSymbolRenderer(outline))
    label(layers["districts"], "xzqmc", 9)
    categories = [
        QgsRendererCategory(code, QgsFillSymbol.createSimple({"color": colour, "outline_style": "no"}), code)
        for code, colour in LAND.items()
    ]
    layers["parcels"].setRenderer(QgsCategorizedSymbolRenderer('left("dlbm", 2)', categories))
    river = QgsLineSymbol.createSimple({"color": "#2878be", "width": "0.9"})
    layers["rivers"].setRenderer(QgsSingleSymbolRenderer(river))
    station = QgsMarkerSymbol.createSimple({"color": "#dc3228", "size": "3"})
    layers["hydro_stations"].setRenderer(QgsSingleSymbolRenderer(station))
    label(layers["hydro_stations"], "stnm", 8)


def main(url, picture):
    found = {}
    layers = {}
    titles = {"districts": "行政区", "parcels": "地类图斑", "rivers": "河流", "hydro_stations": "水文测站"}
    for name, title in titles.items():
        layer = load(url, name, title)
        layers[name] = layer
        features = list(layer.getFeatures())
        box = QgsRectangle()
        for feature in features:
            box.combineExtentWith(feature.geometry().boundingBox())
        found[name] = {
            "count": len(features), "crs": layer.crs().authid(), "fields": [field.name() for field in layer.fields()],
            "bbox": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
        }  # fmt: skip
        QgsProject.instance().addMapLayer(layer)
    style(layers)
    west, south, east, north = found["parcels"]["bbox"]
    transform = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("OGC:CRS84"), QgsCoordinateReferenceSystem("EPSG:4548"), QgsProject.instance()
    )
    area = transform.transformBoundingBox(QgsRectangle(west, south, east, north))
    area.scale(1.1)
    shown = [layers[name] for name in ("hydro_stations", "districts", "rivers", "parcels")]
    draw(shown, area, picture, crs="EPSG:4548", background="#fbfaf5", size=(1200, 900))
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()


with running_qgis():
    main(sys.argv[1], sys.argv[2])

"""Open a quality report's GeoPackage in QGIS and draw its shapes. Run by Debian's Python, which has QGIS.

Usage: qgis_report.py FILE PICTURE; prints what QGIS found as JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys

from qgis.core import QgsFillSymbol, QgsSingleSymbolRenderer, QgsVectorLayer
from qgis_draw import draw, running_qgis


def report(file, picture):
    layer = QgsVectorLayer(f"{file}|layername=findings_areas", "findings", "ogr")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {file}: {layer.error().message()}")
    rows = [{name: feature[name] for name in ("rule", "severity", "key")} for feature in layer.getFeatures()]
    layer.setRenderer(QgsSingleSymbolRenderer(QgsFillSymbol.createSimple({"color": "#dc3228"})))
    area = layer.extent()
    area.scale(1.3)
    draw([layer], area, picture, crs="EPSG:4490", background="#ffffff", size=(600, 450))
    return {"crs": layer.crs().authid(), "rows": [{k: str(v) for k, v in row.items()} for row in rows]}


with running_qgis():
    print(json.dumps(report(sys.argv[1], sys.argv[2]), ensure_ascii=False))
    sys.stdout.flush()

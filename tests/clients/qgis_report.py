"""Open a quality report's GeoPackage in QGIS and draw its shapes. Run by Debian's Python, which has QGIS.

Usage: qgis_report.py FILE PICTURE; prints what QGIS found as JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsFillSymbol,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor


def main(file, picture):
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    layer = QgsVectorLayer(f"{file}|layername=findings_areas", "findings", "ogr")
    if not layer.isValid():
        raise SystemExit(f"QGIS cannot open {file}: {layer.error().message()}")
    rows = [{name: feature[name] for name in ("rule", "severity", "key")} for feature in layer.getFeatures()]
    found = {"crs": layer.crs().authid(), "rows": [{k: str(v) for k, v in row.items()} for row in rows]}
    layer.setRenderer(QgsSingleSymbolRenderer(QgsFillSymbol.createSimple({"color": "#dc3228"})))
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4490"))
    settings.setBackgroundColor(QColor("#ffffff"))
    settings.setOutputSize(QSize(600, 450))
    area = layer.extent()
    area.scale(1.3)
    settings.setExtent(area)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    job.renderedImage().save(picture)
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()
    del job, settings, layer  # before QGIS takes down what they refer to
    application.exitQgis()


main(sys.argv[1], sys.argv[2])

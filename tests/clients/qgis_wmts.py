"""Load layers through QGIS's own WMTS provider and draw them. Run by Debian's Python, which has QGIS.

Usage: qgis_wmts.py URL MATRIX_SET CRS WEST SOUTH EAST NORTH FOLDER LAYER:STYLE...; the box is in the CRS, x first.
Prints what QGIS knows of each layer as JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys

from qgis.core import QgsRasterLayer, QgsRectangle
from qgis_draw import draw, running_qgis


def main(url, matrix_set, crs, box, folder, layers):
    found = {}
    for name, style in layers:
        source = (
            f"contextualWMSLegend=0&crs={crs}&dpiMode=7&format=image/png&layers={name}&styles={style}"
            f"&tileMatrixSet={matrix_set}&url={url}/wmts/1.0.0/WMTSCapabilities.xml"
        )
        layer = QgsRasterLayer(source, name, "wms")
        if not layer.isValid():
            raise SystemExit(f"QGIS cannot load {name}: {layer.error().message()}")
        extent = layer.extent()
        found[name] = {
            "crs": layer.crs().authid(),
            "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        }
        draw(
            [layer], box, f"{folder}/qgis_wmts_{matrix_set}_{name}.png", crs=crs, background="#ffffff", size=(600, 600)
        )
    print(json.dumps(found))
    sys.stdout.flush()


with running_qgis():
    service, tiles, code, west, south, east, north, where, *wanted = sys.argv[1:]
    main(service, tiles, code, QgsRectangle(*map(float, (west, south, east, north))), where,
         [each.split(":") for each in wanted])  # fmt: skip

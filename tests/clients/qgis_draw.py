"""What the scripts for QGIS share: starting it, and drawing layers. Run by Debian's Python, which has QGIS.

SPDX-License-Identifier: Apache-2.0
"""

from contextlib import contextmanager

from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsMapRendererParallelJob, QgsMapSettings
from qgis.PyQt.QtCore import QEventLoop, QSize
from qgis.PyQt.QtGui import QColor


@contextmanager
def running_qgis():
    """QGIS without windows. What refers to its objects must be gone at the end of the block."""
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    yield
    application.exitQgis()


def draw(layers, area, picture, *, crs, background, size):
    """Draw layers, the first on top, into a picture."""
    settings = QgsMapSettings()
    settings.setLayers(layers)
    settings.setDestinationCrs(QgsCoordinateReferenceSystem(crs))
    settings.setBackgroundColor(QColor(background))
    settings.setOutputSize(QSize(*size))
    settings.setExtent(area)
    job = QgsMapRendererParallelJob(settings)
    # Providers that fetch as they draw need the loop of events that a window would run.
    loop = QEventLoop()
    job.finished.connect(loop.quit)
    job.start()
    loop.exec_()
    job.renderedImage().save(picture)

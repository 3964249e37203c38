"""Load the service's styles and project into QGIS, and draw what they show. Run by Debian's Python, which has QGIS.

Usage: qgis_styles.py FOLDER PICTURES; FOLDER holds project.qgz, *.qlr and {layer}.{qml,sld,json}, PICTURES names those
to be drawn as {name: [west, south, east, north, layers...]}. Prints what QGIS found as JSON.

SPDX-License-Identifier: Apache-2.0
"""

import json
import sys
from pathlib import Path

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsLayerDefinition,
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapBoxGlStyleConversionContext,
    QgsMapBoxGlStyleConverter,
    QgsMapLayer,
    QgsProject,
    QgsRectangle,
    QgsSymbol,
    QgsVectorLayer,
)
from qgis_draw import draw, running_qgis

GEOMETRIES = ("MultiPolygon", "MultiLineString", "Point")


def styled(file, load):
    """A layer of the kind of geometry that the style is for, with that style."""
    for geometry in GEOMETRIES:
        layer = QgsVectorLayer(f"{geometry}?crs=EPSG:4490&field=code:string", "layer", "memory")
        message, done = load(layer, str(file))
        if done:
            return layer
    raise SystemExit(f"{file.name}: {message}")


def of_qml(file):
    layer = styled(file, QgsVectorLayer.loadNamedStyle)
    renderer = layer.renderer()
    if renderer.type() == "categorizedSymbol":
        found = [[each.value(), each.label(), each.symbol().color().name()] for each in renderer.categories()]
    else:
        found = [["", "", renderer.symbol().color().name()]]
    return {
        "kind": renderer.type(), "attribute": getattr(renderer, "classAttribute", str)(), "symbols": found,
        "label": layer.labeling().settings().fieldName if layer.labelsEnabled() else None,
        "unlike": symbol_of_another_shape(layer),
    }  # fmt: skip


def symbol_of_another_shape(layer):
    """Whether any symbol is not of the layer's kind of geometry."""
    wanted = QgsSymbol.defaultSymbol(layer.geometryType()).type()
    symbols = [*layer.renderer().legendSymbolItems()]
    return any(item.symbol() and item.symbol().type() != wanted for item in symbols)


def of_sld(file, qml):
    """The rules for what QGIS reads of an SLD; a style for other geometry than the layer's says so by no colour."""
    layer = styled(qml, QgsVectorLayer.loadNamedStyle)
    message, done = layer.loadSldStyle(str(file))
    if not done:
        raise SystemExit(f"{file.name}: {message}")
    rules = layer.renderer().rootRule().children()
    labels = layer.labeling().type() if layer.labelsEnabled() else None
    return {
        "rules": [[each.label(), each.symbol().color().name()] for each in rules if each.symbol()],
        "labels": labels,
    }


def of_maplibre(file):
    """What QGIS's own reader of these styles makes of one, and what it complains about."""
    converter = QgsMapBoxGlStyleConverter()
    context = QgsMapBoxGlStyleConversionContext()
    result = converter.convert(json.loads(file.read_text(encoding="utf-8")), context)
    return {
        "done": result == QgsMapBoxGlStyleConverter.Success, "complaints": converter.warnings(),
        "styles": [style.styleName() for style in converter.renderer().styles()],
    }  # fmt: skip


def of_layer(layer):
    return {
        "valid": layer.isValid(), "type": int(layer.type()), "crs": layer.crs().authid(), "title": layer.name(),
        "abstract": layer.metadata().abstract(), "keywords": layer.metadata().keywordVocabularies(),
        "scales": layer.hasScaleBasedVisibility(), "scale": layer.minimumScale(),
    }  # fmt: skip


def of_features(layer):
    found = next(layer.getFeatures(), None)
    return {
        "aliases": {field.name(): layer.attributeAlias(number) for number, field in enumerate(layer.fields())},
        "has": found is not None,
        "widget": {field.name(): field.editorWidgetSetup().type() for field in layer.fields()},
        "capabilities": layer.dataProvider().capabilitiesString(),
        "renderer": layer.renderer().type(),
    }  # fmt: skip


def tree(node):
    if isinstance(node, QgsLayerTreeLayer):
        return {"layer": node.layerId(), "shown": node.itemVisibilityChecked()}
    return {"group": node.name(), "has": [tree(child) for child in node.children()]}


def shown(project):
    """The layers that the project shows, in its order."""
    root = project.layerTreeRoot()
    visible = {node.layerId() for node in root.findLayers() if node.isVisible()}
    return [layer for layer in root.layerOrder() if layer.id() in visible]


def main(folder, pictures):
    found = {"qml": {}, "sld": {}, "maplibre": {}, "definitions": {}}
    for file in sorted(folder.glob("*.qml")):
        found["qml"][file.stem] = of_qml(file)
        found["sld"][file.stem] = of_sld(file.with_suffix(".sld"), file)
    for file in sorted(folder.glob("*.json")):
        found["maplibre"][file.stem] = of_maplibre(file)
    project = QgsProject.instance()
    if not project.read(str(folder / "project.qgz")):
        raise SystemExit(f"project: {project.error()}")
    layers = project.mapLayers()
    extent = project.viewSettings().defaultViewExtent()
    found["project"] = {
        "title": project.title(), "crs": project.crs().authid(), "tree": tree(project.layerTreeRoot())["has"],
        "layers": {name: of_layer(layer) for name, layer in layers.items()},
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "order": [layer.id() for layer in project.layerTreeRoot().layerOrder()],
        "features": {
            name: of_features(layer) for name, layer in layers.items() if layer.type() == QgsMapLayer.VectorLayer
        },
    }  # fmt: skip
    for picture, (system, west, south, east, north, *names) in pictures.items():
        drawn = [layers[name] for name in names] or shown(project)
        box = QgsRectangle(west, south, east, north)
        transform = QgsCoordinateTransform(
            QgsCoordinateReferenceSystem("EPSG:4490"), QgsCoordinateReferenceSystem(system), project
        )
        draw(drawn, transform.transformBoundingBox(box), picture, crs=system, background="#ffffff", size=(1200, 900))
    project.clear()
    for file in sorted(folder.glob("*.qlr")):
        group = QgsLayerTreeGroup()
        done, message = QgsLayerDefinition.loadLayerDefinition(str(file), project, group)
        if not done:
            raise SystemExit(f"{file.name}: {message}")
        layers = {node.layerId(): node.layer() for node in group.findLayers()}
        found["definitions"][file.stem] = {
            "groups": [child.name() for child in group.children()],
            "valid": {layer.name(): bool(layer.isValid()) for layer in layers.values()},
        }  # fmt: skip
    print(json.dumps(found, ensure_ascii=False))
    sys.stdout.flush()
    project.clear()


with running_qgis():
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// What lies above all layers: the mark of a clicked place and the shapes that are pointed at.
import { chosen } from './map-style.js';

const LONLAT = 'EPSG:4326';

export class Marks {
  constructor(map) {
    this.map = map;
    this.shapes = overlay(map, chosen(), 2000);
    this.pin = overlay(map, pinStyle(), 2001);
  }

  get projection() {
    return this.map.getView().getProjection();
  }

  /** Shows GeoJSON geometries and gives their extent in the map's coordinates. */
  outline(geometries) {
    const format = new ol.format.GeoJSON({ dataProjection: LONLAT, featureProjection: this.projection });
    this.shapes.clear();
    this.shapes.addFeatures(geometries.map((geometry) => new ol.Feature(format.readGeometry(geometry))));
    return this.shapes.getExtent();
  }

  point(lonlat) {
    this.pin.clear();
    this.pin.addFeature(new ol.Feature(new ol.geom.Point(ol.proj.fromLonLat(lonlat, this.projection))));
  }

  clear() {
    this.shapes.clear();
    this.pin.clear();
  }
}

/** A source of features that lies above the layers and follows the map into another projection. */
export function overlay(map, style, zIndex) {
  const source = new ol.source.Vector();
  map.addLayer(new ol.layer.Vector({ source, style, zIndex }));
  map.on('change:view', ({ oldValue }) => {
    const to = map.getView().getProjection();
    for (const feature of source.getFeatures()) feature.getGeometry().transform(oldValue.getProjection(), to);
  });
  return source;
}

function pinStyle() {
  const circle = (radius, fill, stroke) =>
    new ol.style.Style({
      image: new ol.style.Circle({
        radius,
        declutterMode: 'none',
        fill: fill && new ol.style.Fill({ color: fill }),
        stroke: new ol.style.Stroke({ color: stroke, width: 3 }),
      }),
    });
  return [circle(11, null, '#ffffff'), circle(9, null, '#c2410c'), circle(2.5, '#c2410c', '#ffffff')];
}

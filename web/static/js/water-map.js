// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The water map's map: rivers, isohyets, the flood, and the stations in the colours of their states.
import { island, say } from './page-data.js';
import { featureLayer, makeMap, tileLayer } from './map.js';
import { colors, declared, font } from './map-style.js';

const base = document.body.dataset.base;
const page = island('water-data');
const MERCATOR = 'EPSG:3857';

/** From which zoom on stations are named. */
const NAMED = 10;

/** Pixels across below which a flood is too small to be seen. */
const SPECK = 300;

const fillOf = (color) => new ol.style.Fill({ color });
const strokeOf = (color, width) => new ol.style.Stroke({ color, width });

function symbol({ kind, color, radius }) {
  // Names give way to each other; symbols do not.
  const look = { fill: fillOf(color), stroke: strokeOf('#ffffff', 1.4), declutterMode: 'none' };
  if (kind === 'reservoir') return new ol.style.RegularShape({ ...look, points: 3, radius: radius + 3 });
  if (kind === 'rain') return new ol.style.RegularShape({ ...look, points: 4, radius: radius + 1 });
  return new ol.style.Circle({ ...look, radius });
}

const words = (text, offsetY, tone = colors.label) =>
  new ol.style.Text({ text, offsetY, font: `12px ${font}`, fill: fillOf(tone), stroke: strokeOf(colors.halo, 3) });

/** A station: its state's colour, a ring in the colour of its warning, a wider one when it is chosen. */
function stationStyle(feature, resolution) {
  const { kind, color, ring, chosen, name, value, rank } = feature.getProperties();
  const radius = kind === 'rain' ? 6 : 7;
  const styles = [];
  if (chosen) {
    const image = new ol.style.Circle({
      radius: radius + 8,
      stroke: strokeOf(colors.chosen, 3),
      declutterMode: 'none',
    });
    styles.push(new ol.style.Style({ image, zIndex: rank }));
  }
  if (ring) {
    const image = new ol.style.Circle({ radius: radius + 4, stroke: strokeOf(ring, 3), declutterMode: 'none' });
    styles.push(new ol.style.Style({ image, zIndex: rank }));
  }
  const near = Math.log2(156543.034 / resolution) >= NAMED;
  const text = near || chosen ? words([name, value].filter(Boolean).join(' '), radius + 12) : undefined;
  styles.push(new ol.style.Style({ image: symbol({ kind, color, radius }), text, zIndex: rank }));
  return styles;
}

function isolineStyle(feature) {
  const rain = feature.get('rain_mm');
  const color = rainColor(rain);
  const text = new ol.style.Text({
    text: String(rain),
    placement: 'line',
    font: `600 12px ${font}`,
    fill: fillOf(colors.label),
    stroke: strokeOf(colors.halo, 3),
  });
  return new ol.style.Style({ stroke: strokeOf(color, 2), text });
}

/** Deeper water is darker. */
function floodStyle(feature) {
  const from = feature.get('from_m');
  if (from === undefined) return null;
  const share = Math.min(0.3 + 0.16 * from, 0.85);
  return new ol.style.Style({ fill: fillOf(`rgba(20, 90, 200, ${share})`) });
}

/** The colour of so much rain (mm); grey where it is not known. */
export function rainColor(value) {
  if (value === null || value === undefined) return page.states.no_level.color;
  const reached = page.rain.filter(({ from }) => value >= from);
  return reached.length ? reached.at(-1).color : '#FFFFFF';
}

export class WaterMap {
  /** pick: called with the code of a station that is clicked, or chosen by Enter at the cross. */
  constructor(target, pick) {
    const layerOf = (style, zIndex, declutter = false) =>
      new ol.layer.Vector({ source: new ol.source.Vector(), style, zIndex, declutter });
    const rivers = tileLayer(`${base}/collections/rivers/tiles/WebMercatorQuad/{z}/{y}/{x}?f=mvt`, {
      style: declared(page.rivers, MERCATOR),
    });
    this.flood = layerOf(floodStyle, 2);
    this.isolines = layerOf(isolineStyle, 3, true);
    // Above the districts' names.
    this.stations = layerOf(stationStyle, 1001, true);
    const layers = [rivers, this.flood, this.isolines, this.stations];
    this.map = makeMap(target, { layers, box: page.extent });
    this.target = target;
    this.map.on('singleclick', ({ pixel }) => this.pickAt(pixel, 8, pick));
    this.map.on('pointermove', (event) => {
      if (!event.dragging) target.style.cursor = this.codeAt(event.pixel, 8) ? 'pointer' : '';
    });
    target.addEventListener('keydown', (event) => {
      const size = this.map.getSize();
      if (event.key === 'Enter' && size) this.pickAt([size[0] / 2, size[1] / 2], 40, pick);
    });
    this.map.on('movestart', () => (target.dataset.ready = 'false'));
    this.map.on('rendercomplete', () => (target.dataset.ready = 'true'));
  }

  codeAt(pixel, tolerance) {
    const within = { layerFilter: (layer) => layer === this.stations, hitTolerance: tolerance };
    return this.map.forEachFeatureAtPixel(pixel, (feature) => feature.getId(), within);
  }

  pickAt(pixel, tolerance, pick) {
    const code = this.codeAt(pixel, tolerance);
    if (code) pick(code);
  }

  /** stations: rows with code, name, lon, lat, kind, color, ring, value and whether chosen. Bad ones are drawn last. */
  showStations(stations) {
    this.target.dataset.ready = 'false';
    const source = this.stations.getSource();
    source.clear();
    source.addFeatures(
      stations.map(({ code, lon, lat, ...rest }) => {
        const feature = new ol.Feature({ geometry: new ol.geom.Point(ol.proj.fromLonLat([lon, lat])), ...rest });
        feature.setId(code);
        return feature;
      }),
    );
  }

  showIsolines(collection) {
    this.replace(this.isolines, collection);
  }

  /** A flood that would be a speck is gone to. */
  showFlood(collection) {
    this.replace(this.flood, collection);
    const extent = this.flood.getSource().getExtent();
    if (!collection || ol.extent.isEmpty(extent)) return;
    const view = this.map.getView();
    const across = Math.max(ol.extent.getWidth(extent), ol.extent.getHeight(extent)) / view.getResolution();
    if (across < SPECK || !ol.extent.intersects(extent, view.calculateExtent(this.map.getSize())))
      view.fit(extent, { padding: [40, 40, 40, 40], maxZoom: 14 });
  }

  replace(layer, collection) {
    this.target.dataset.ready = 'false';
    const source = layer.getSource();
    source.clear();
    if (collection) source.addFeatures(featureLayer(collection, MERCATOR).getSource().getFeatures());
  }

  /** Brings a station into view, nearer when the whole city is seen. */
  goTo(lon, lat) {
    const view = this.map.getView();
    const center = ol.proj.fromLonLat([lon, lat]);
    if (ol.extent.containsCoordinate(view.calculateExtent(this.map.getSize()), center)) return;
    view.setCenter(center);
  }
}

/** The rows of the legend: what symbols and colours mean. */
export function legendRows() {
  const rain = page.rain.map(({ from, color }, index) => {
    const next = page.rain[index + 1];
    return { kind: 'rain', color, title: next ? `${from}–${next.from} mm` : `≥ ${from} mm` };
  });
  return [
    ...Object.values(page.states).map(({ color, title }) => ({ kind: 'level', color, title })),
    { kind: 'reservoir', color: page.states.normal.color, title: say('reservoir') },
    { kind: 'rain', color: rainColor(0), title: say('noRain') },
    ...rain,
  ];
}

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// How things look on a map: the layer's declared colours, else one palette for light and dark.
import { island } from './page-data.js';

export const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;

const colors = dark
  ? {
      line: '#5cc8ba',
      fill: 'rgba(92, 200, 186, 0.28)',
      point: '#5cc8ba',
      edge: '#10232a',
      chosen: '#f2c14e',
      chosenFill: 'rgba(242, 193, 78, 0.35)',
      land: '#1b333b',
      border: '#4d6b73',
      label: '#a8c2c6',
      halo: '#10232a',
    }
  : {
      line: '#0b7a75',
      fill: 'rgba(11, 122, 117, 0.22)',
      point: '#0b7a75',
      edge: '#ffffff',
      chosen: '#c2410c',
      chosenFill: 'rgba(242, 148, 60, 0.35)',
      land: '#f4f1e8',
      border: '#b3aa93',
      label: '#6b6552',
      halo: '#f4f1e8',
    };

const font = '"Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif';

function styles(line, fill, point, width) {
  const stroke = new ol.style.Stroke({ color: line, width });
  const area = new ol.style.Style({ stroke, fill: new ol.style.Fill({ color: fill }) });
  const way = new ol.style.Style({ stroke: new ol.style.Stroke({ color: line, width: width + 0.8 }) });
  const spot = new ol.style.Style({
    image: new ol.style.Circle({
      radius: 5.5,
      fill: new ol.style.Fill({ color: point }),
      stroke: new ol.style.Stroke({ color: colors.edge, width: 1.5 }),
    }),
  });
  return (feature) => {
    const type = feature.getGeometry()?.getType() ?? '';
    if (type.endsWith('Point')) return spot;
    if (type.endsWith('LineString')) return way;
    return type === 'GeometryCollection' ? [area, spot] : area;
  };
}

const plain = () => styles(colors.line, colors.fill, colors.point, 1.2);

/** The layer's declared colours: one, or those of the codes in a field. */
function declared({ color, by, colors: ofCodes = {} }) {
  const made = new Map();
  return (feature) => {
    const tone = ofCodes[feature.get(by)] ?? color;
    if (!made.has(tone)) made.set(tone, styles(tone, `${tone}b0`, tone, 1.2));
    return made.get(tone)(feature);
  };
}

export const normal = () => {
  const style = island('style');
  return style ? declared(style) : plain();
};
export const chosen = () => styles(colors.chosen, colors.chosenFill, colors.chosen, 2.4);

export function outline() {
  return new ol.style.Style({ stroke: new ol.style.Stroke({ color: colors.chosen, width: 1.6, lineDash: [6, 4] }) });
}

/** Tiles cut a district in pieces: only the largest piece seen is named, and `again` redraws when a larger one comes. */
export function backdropStyle(again) {
  const base = new ol.style.Style({
    fill: new ol.style.Fill({ color: colors.land }),
    stroke: new ol.style.Stroke({ color: colors.border, width: 1 }),
  });
  const text = new ol.style.Text({
    font: `13px ${font}`,
    fill: new ol.style.Fill({ color: colors.label }),
    stroke: new ol.style.Stroke({ color: colors.halo, width: 3 }),
    overflow: true,
  });
  const named = new ol.style.Style({ text });
  const largest = new Map();
  return (feature, resolution) => {
    const name = String(feature.get('xzqmc') ?? '');
    const key = `${name} ${resolution}`;
    const size = ol.extent.getArea(feature.getExtent());
    const known = largest.get(key) ?? 0;
    if (size < known || !name) return base;
    if (size > known) {
      largest.set(key, size);
      if (known) again();
    }
    text.setText(name);
    return [base, named];
  };
}

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// How things look on a map: the layer's declared colours, else one palette for light and dark.
import { island } from './page-data.js';

export const dark = window.matchMedia('(prefers-color-scheme: dark)').matches;

export const colors = dark
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

export const font = '"Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", sans-serif';

function drawn({ fill, outline, line, point, width, edge, edgeWidth, radius }) {
  const stroke = outline ? new ol.style.Stroke({ color: outline, width: edgeWidth }) : undefined;
  const area = new ol.style.Style({ stroke, fill: new ol.style.Fill({ color: fill }) });
  const way = new ol.style.Style({ stroke: new ol.style.Stroke({ color: line, width }) });
  const spot = new ol.style.Style({
    image: new ol.style.Circle({
      radius,
      declutterMode: 'none',
      fill: new ol.style.Fill({ color: point }),
      stroke: edge ? new ol.style.Stroke({ color: edge, width: edgeWidth }) : undefined,
    }),
  });
  return (feature) => {
    const type = feature.getGeometry()?.getType() ?? '';
    if (type.endsWith('Point')) return spot;
    if (type.endsWith('LineString')) return way;
    return type === 'GeometryCollection' ? [area, spot] : area;
  };
}

/** One colour for shapes of every kind, where no layer declares how they look. */
const inOne = (line, fill, point, width) =>
  drawn({
    fill,
    outline: line,
    line,
    point,
    width: width + 0.8,
    edge: colors.edge,
    edgeWidth: width,
    radius: 5.5,
  });

const plain = () => inOne(colors.line, colors.fill, colors.point, 1.2);

/** As the layer declares it: in one colour or in those of the codes in a field, with labels from a zoom on. */
export function declared({ color, by, colors: ofCodes = {}, opacity, outline, width, radius, label }, projection) {
  const metres = ol.proj.get(projection)?.getMetersPerUnit() ?? 1;
  const share = Math.round(opacity * 255).toString(16).padStart(2, '0');
  const made = new Map();
  const text = new ol.style.Text({
    font: `12px ${font}`,
    fill: new ol.style.Fill({ color: colors.label }),
    stroke: new ol.style.Stroke({ color: colors.halo, width: 3 }),
  });
  const named = new ol.style.Style({ text });
  return (feature, resolution) => {
    const tone = ofCodes[feature.get(by)] ?? color;
    if (!made.has(tone)) {
      const edge = { edge: outline, edgeWidth: width };
      made.set(tone, drawn({ fill: tone + share, outline, line: tone, point: tone, width, radius, ...edge }));
    }
    const shape = made.get(tone)(feature);
    const words = label && within(resolution * metres, label) ? feature.get(label.field) : null;
    if (!words) return shape;
    const type = feature.getGeometry().getType();
    text.setText(String(words));
    text.setPlacement(type.endsWith('LineString') ? 'line' : 'point');
    text.setOffsetY(type.endsWith('Point') ? radius + 10 : 0);
    return [shape, named];
  };
}

/** Whether a label is written where a pixel has so many metres: its zooms are those of WebMercatorQuad. */
function within(metres, label) {
  const zoom = Math.log2(156543.034 / metres) + 0.01;
  return zoom >= label.min_zoom && zoom < label.max_zoom + 1;
}

export const normal = (projection = 'EPSG:3857') => {
  const style = island('style');
  return style ? declared(style, projection) : plain();
};
export const chosen = () => inOne(colors.chosen, colors.chosenFill, colors.chosen, 2.4);

export function outline() {
  return new ol.style.Style({ stroke: new ol.style.Stroke({ color: colors.chosen, width: 1.6, lineDash: [6, 4] }) });
}

/** The ground on which all else lies: the districts. Counties lie over their towns, so borders come after all grounds. */
export function landStyle() {
  return [
    new ol.style.Style({ fill: new ol.style.Fill({ color: colors.land }) }),
    new ol.style.Style({ stroke: new ol.style.Stroke({ color: colors.border, width: 1 }), zIndex: 1 }),
  ];
}

/** Tiles cut a district in pieces: only the largest piece seen is named, and `again` redraws when a larger one comes. */
export function namesStyle(again) {
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
    if (size < known || !name) return null;
    if (size > known) {
      largest.set(key, size);
      if (known) again();
    }
    text.setText(name);
    return named;
  };
}

// SPDX-License-Identifier: Apache-2.0
// What colours mean: rows with a sample in the declared colour, the same for the tree and for the saved picture.
import { make } from './dom.js';

/** The rows of a layer's legend, each with how its sample is drawn. */
export function rowsOf(layer, style) {
  const legend = layer.legend ?? layer.styles.find(({ id }) => id === style)?.legend ?? [];
  return legend.map(({ value, color, title }) => ({ value, title, sample: sampleOf(layer, color) }));
}

function sampleOf({ shape, style = {} }, color) {
  const { outline, width = 1, radius = 4, opacity = 1 } = style;
  return { shape, color, outline, width, radius, opacity: shape === 'area' ? opacity : 1 };
}

/** Draws a sample of 26 by 14 pixels; both pages and pictures are drawn on canvases. */
export function drawSample(context, { shape, color, outline, width, radius, opacity }, x, y) {
  context.save();
  context.lineWidth = Math.min(width, 3);
  context.strokeStyle = shape === 'line' ? color : (outline ?? color);
  context.fillStyle = color;
  context.beginPath();
  if (shape === 'line') {
    context.moveTo(x + 1, y + 7);
    context.lineTo(x + 25, y + 7);
    context.stroke();
  } else {
    if (shape === 'point') context.arc(x + 13, y + 7, Math.min(radius, 6), 0, 2 * Math.PI);
    else context.rect(x + 1.5, y + 1.5, 23, 11);
    context.globalAlpha = opacity;
    context.fill();
    context.globalAlpha = 1;
    if (outline) context.stroke();
  }
  context.restore();
}

export function legendList(layer, style) {
  return make(
    'ul',
    { class: 'legend-rows' },
    rowsOf(layer, style).map(({ title, sample }) => {
      const ratio = window.devicePixelRatio || 1;
      const canvas = make('canvas', { width: 26 * ratio, height: 14 * ratio, 'aria-hidden': 'true' });
      const context = canvas.getContext('2d');
      context.scale(ratio, ratio);
      drawSample(context, sample, 0, 0);
      return make('li', {}, canvas, make('span', {}, title));
    }),
  );
}

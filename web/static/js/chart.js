// SPDX-License-Identifier: Apache-2.0
// A small line chart in SVG; gaps stay gaps.

const SVG = 'http://www.w3.org/2000/svg';
const HEIGHT = 280;
const EDGE = { left: 56, right: 16, top: 14, bottom: 34 };

function shape(tag, attributes, text = '') {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}

export function niceTicks(low, high, wanted = 5) {
  const span = high - low || Math.abs(high) || 1;
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + step * 1e-6; tick += step)
    ticks.push(Number(tick.toPrecision(12)));
  return ticks;
}

function timeText(moment, span) {
  const iso = new Date(moment).toISOString();
  if (span > 5 * 365 * 864e5) return iso.slice(0, 4);
  if (span > 90 * 864e5) return iso.slice(0, 7);
  return span > 2 * 864e5 ? iso.slice(5, 10) : iso.slice(11, 16);
}

function path(points, x, y) {
  let pen = false;
  return points
    .map(([at, value]) => {
      if (value === null) {
        pen = false;
        return '';
      }
      const command = `${pen ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = true;
      return command;
    })
    .join('');
}

/** `points` are [x, y or null]; with `time`, x is a date in ISO form. One unit of `width` is one pixel. */
export function lineChart(points, { time = true, label = '', width = 760 } = {}) {
  const rows = points
    .map(([at, value]) => [time ? Date.parse(at) : Number(at), value === null ? null : Number(value)])
    .filter(([at]) => Number.isFinite(at));
  const values = rows.map(([, value]) => value).filter((value) => value !== null);
  if (!values.length) return null;
  const [first, last] = [Math.min(...rows.map(([at]) => at)), Math.max(...rows.map(([at]) => at))];
  let [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.06;
  [low, high] = [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
  const x = (at) =>
    last === first ? width / 2 : EDGE.left + ((at - first) / (last - first)) * (width - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - ((value - low) / (high - low)) * (HEIGHT - EDGE.top - EDGE.bottom);

  const chart = shape('svg', { viewBox: `0 0 ${width} ${HEIGHT}`, class: 'chart', role: 'img', 'aria-label': label });
  for (const tick of niceTicks(low, high)) {
    chart.append(shape('line', { x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick), class: 'grid' }));
    chart.append(shape('text', { x: EDGE.left - 8, y: y(tick) + 4, 'text-anchor': 'end' }, String(tick)));
  }
  const count = Math.min(Math.max(2, Math.floor(width / 130)), Math.max(1, rows.length - 1));
  for (let index = 0; index <= (last === first ? 0 : count); index += 1) {
    const at = first + ((last - first) * index) / count;
    const anchor = last === first ? 'middle' : index === 0 ? 'start' : index === count ? 'end' : 'middle';
    chart.append(
      shape(
        'text',
        { x: x(at), y: HEIGHT - 12, 'text-anchor': anchor },
        time ? timeText(at, last - first) : String(Number(at.toPrecision(4))),
      ),
    );
  }
  chart.append(shape('path', { d: path(rows, x, y), class: 'line' }));
  if (values.length <= 60) {
    for (const [at, value] of rows)
      if (value !== null) chart.append(shape('circle', { cx: x(at), cy: y(value), r: 2.6 }));
  }
  return chart;
}

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The present map as a picture: with title, legend, scale bar, north arrow, moment, date and source.
import { say } from './page-data.js';
import { distance } from './ellipsoid.js';
import { drawSample, rowsOf } from './map-legend.js';
import { spokenBoth } from './map-time.js';

const lang = document.documentElement.lang;
const FONT = '"Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", sans-serif';
const [INK, SOFT, GOLD, PAPER] = ['#17282d', '#55696f', '#8a5a00', '#ffffff'];
const [MARGIN, HEAD, FOOT, COLUMN, ROW] = [24, 62, 88, 236, 20];
/** A map narrower than this has its legend below, in columns of at least this width. */
const [NARROW, SLIM] = [700, 180];

export function offerPicture(parts) {
  const button = document.getElementById('map-picture');
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      save(await drawPicture(parts));
    } catch (error) {
      parts.warn(say('noPicture', { why: error.message }));
    } finally {
      button.disabled = false;
      button.focus();
    }
  });
}

function save(blob) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `shikong-${new Date().toISOString().slice(0, 10)}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function drawPicture({ map, page, state, stack }) {
  await new Promise((resolve) => {
    map.once('rendercomplete', resolve);
    map.render();
  });
  const [width, height] = map.getSize();
  const ratio = Math.max(1, window.devicePixelRatio || 1);
  const blocks = legendBlocks(page, state, stack);
  const beside = width >= NARROW;
  const columns = Math.max(1, Math.floor(width / SLIM));
  const column = beside ? COLUMN : width / columns;
  const placed = arrange(blocks, beside ? Math.floor((height - 8) / ROW) : Math.ceil(rowsIn(blocks) / columns) + 3);
  const legend = { width: placed.columns * column, height: placed.rows * ROW + 12 };
  const whole = {
    width: 2 * MARGIN + width + (beside && placed.columns ? legend.width + 16 : 0),
    height: HEAD + height + FOOT + (beside ? 0 : legend.height + 12),
  };
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(whole.width * ratio);
  canvas.height = Math.round(whole.height * ratio);
  const context = canvas.getContext('2d');
  context.scale(ratio, ratio);
  context.fillStyle = PAPER;
  context.fillRect(0, 0, whole.width, whole.height);
  drawHead(context, page, state, whole.width);
  drawMap(context, map, ratio);
  drawDivider(context, state, width, height);
  drawScale(context, map, MARGIN + 14, HEAD + height - 16);
  drawNorth(context, MARGIN + width - 30, HEAD + 14);
  drawLegend(context, placed, column, beside ? MARGIN + width + 16 : MARGIN, beside ? HEAD + 4 : HEAD + height + 12);
  drawFoot(context, page, state, whole);
  return new Promise((resolve) => {
    canvas.toBlob(resolve, 'image/png');
  });
}

function write(context, text, x, y, { size = 13, color = INK, bold = false, most } = {}) {
  context.font = `${bold ? '600 ' : ''}${size}px ${FONT}`;
  context.fillStyle = color;
  context.fillText(text, x, y, most);
}

function drawHead(context, page, state, width) {
  write(context, page.title, MARGIN, 28, { size: 19, bold: true, most: width - 2 * MARGIN });
  const { swipe, moment, known } = state;
  const told = swipe
    ? say('twoMoments', { left: spokenBoth(moment, known), right: spokenBoth(swipe.moment, swipe.known) })
    : say('shows', { moment: spokenBoth(moment, known) });
  write(context, told, MARGIN, 50, { color: SOFT, most: width - 2 * MARGIN });
}

/** What OpenLayers has drawn; a layer may have a canvas of its own with an opacity and a transform. */
function drawMap(context, map, ratio) {
  const [width, height] = map.getSize();
  context.save();
  context.beginPath();
  context.rect(MARGIN, HEAD, width, height);
  context.clip();
  context.fillStyle = getComputedStyle(map.getTargetElement()).backgroundColor;
  context.fillRect(MARGIN, HEAD, width, height);
  for (const drawn of map.getViewport().querySelectorAll('.ol-layers canvas')) {
    if (!drawn.width) continue;
    context.save();
    context.globalAlpha = Number(drawn.parentNode.style.opacity || drawn.style.opacity || 1);
    const given = /^matrix\((.*)\)$/.exec(drawn.style.transform);
    const [a, b, c, d, e, f] = given
      ? given[1].split(',').map(Number)
      : [drawn.clientWidth / drawn.width, 0, 0, drawn.clientHeight / drawn.height, 0, 0];
    context.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, (e + MARGIN) * ratio, (f + HEAD) * ratio);
    context.drawImage(drawn, 0, 0);
    context.restore();
  }
  context.restore();
  context.strokeStyle = INK;
  context.lineWidth = 1;
  context.strokeRect(MARGIN - 0.5, HEAD - 0.5, width + 1, height + 1);
}

function drawDivider(context, { swipe }, width, height) {
  if (!swipe) return;
  context.fillStyle = PAPER;
  context.fillRect(MARGIN + width * swipe.at - 1.5, HEAD, 3, height);
}

/** A bar of a round length, east to west at the middle of the map, on the ellipsoid. */
function drawScale(context, map, x, y) {
  const [width, height] = map.getSize();
  const projection = map.getView().getProjection();
  const [from, to] = [-50, 50].map((dx) =>
    ol.proj.toLonLat(map.getCoordinateFromPixel([width / 2 + dx, height / 2]), projection),
  );
  const metres = distance(from, to) / 100;
  const most = metres * 160;
  const power = 10 ** Math.floor(Math.log10(most));
  const round = [5, 2, 1].map((n) => n * power).find((value) => value <= most);
  const long = round / metres;
  context.fillStyle = 'rgb(255 255 255 / 80%)';
  context.fillRect(x - 8, y - 24, long + 16, 34);
  context.strokeStyle = INK;
  context.lineWidth = 1;
  context.strokeRect(x, y - 2, long, 5);
  context.fillStyle = INK;
  context.fillRect(x, y - 2, long / 2, 5);
  write(context, round < 1000 ? `${round} m` : `${round / 1000} km`, x, y - 8, { size: 12 });
}

function drawNorth(context, x, y) {
  context.fillStyle = 'rgb(255 255 255 / 80%)';
  context.fillRect(x - 12, y - 6, 34, 52);
  context.fillStyle = INK;
  context.beginPath();
  for (const [dx, dy] of [
    [5, 14],
    [13, 40],
    [5, 34],
    [-3, 40],
  ])
    context.lineTo(x + dx, y + dy);
  context.fill();
  write(context, 'N', x, y + 9, { bold: true });
}

/** The legends of what is shown; of codes those that are on the map. */
function legendBlocks(page, state, stack) {
  return [...state.shown]
    .map(([id, { style }]) => [id, page.layers[id], style])
    .sort(([, a], [, b]) => b.order - a.order)
    .map(([id, layer, style]) => {
      const rows = rowsOf(layer, style);
      if (!layer.style?.by) return { title: layer.title, rows };
      const seen = stack.valuesSeen(id);
      const coded = new Set(rows.map(({ value }) => value));
      const others = [...seen].some((value) => !coded.has(value));
      return { title: layer.title, rows: rows.filter(({ value }) => (value === null ? others : seen.has(value))) };
    })
    .filter(({ rows }) => rows.length);
}

const rowsIn = (blocks) => blocks.reduce((sum, { rows }) => sum + rows.length + 1.5, 0);

/** Puts the lines of a legend into columns of at most so many rows. */
function arrange(blocks, most) {
  const lines = [];
  let [column, row, rows] = [0, 0, 0];
  const put = (line, needed) => {
    if (row + needed > most && row > 0) [column, row] = [column + 1, 0];
    lines.push({ ...line, column, row });
    row += 1;
    rows = Math.max(rows, row);
  };
  for (const { title, rows: entries } of blocks) {
    if (entries.length === 1) put({ text: title, sample: entries[0].sample }, 1);
    else {
      put({ text: title }, 2);
      for (const { title: text, sample } of entries) put({ text, sample }, 1);
    }
    if (row) row += 0.5;
  }
  return { lines, columns: lines.length ? column + 1 : 0, rows };
}

function drawLegend(context, { lines }, wide, left, top) {
  for (const { text, sample, column, row } of lines) {
    const [x, y] = [left + column * wide, top + row * ROW];
    if (sample) drawSample(context, sample, x, y + 1);
    write(context, text, x + (sample ? 34 : 0), y + 13, { size: 12.5, bold: !sample, most: wide - (sample ? 46 : 12) });
  }
}

/** A text in lines of at most this width; Chinese may break anywhere. */
function wrapped(context, text, most) {
  context.font = `12px ${FONT}`;
  const lines = [''];
  for (const part of text.match(/[\x21-\x7e]+\s*|./gu) ?? []) {
    if (context.measureText(lines.at(-1) + part).width > most) lines.push('');
    lines[lines.length - 1] += part;
  }
  return lines;
}

function drawFoot(context, page, state, { width, height }) {
  const shown = [...state.shown.keys()].map((id) => page.layers[id]);
  const stewards = [...new Set(shown.map(({ steward }) => steward))].join(say('comma'));
  const grid = document.getElementById('map-grid').selectedOptions[0].textContent.trim();
  const printed = new Intl.DateTimeFormat(lang, { dateStyle: 'long' }).format(new Date());
  const most = width - 2 * MARGIN;
  const lines = wrapped(context, say('pictureSource', { publisher: page.publisher, stewards }), most);
  const small = { size: 12, color: SOFT };
  lines.forEach((line, n) => write(context, line, MARGIN, height - 34 - 17 * (lines.length - 1 - n), small));
  const made = say('pictureDate', { date: printed, grid });
  write(context, made, MARGIN, height - 14, { ...small, most: most - 180 });
  if (!shown.some(({ generated }) => generated)) return;
  context.textAlign = 'right';
  write(context, say('sample'), width - MARGIN, height - 14, { color: GOLD, bold: true });
  context.textAlign = 'left';
}

// SPDX-License-Identifier: Apache-2.0
// Tables of figures, as processes answer with them: titles with units, totals, notes, and the chart that they ask for.
import { say } from './page-data.js';
import { make, scrolling } from './dom.js';
import { RAIN, axis, draw, framed, timeAxis, tone, withGaps } from './chart.js';

const lang = document.documentElement.lang.slice(0, 2);
const PALETTE = ['#1E5AB4', '#C8281E', '#E6A23C', '#3C8C5A', '#8A5AC8', '#7A8A99'];

/** Rows beyond which a table with a chart is opened by the reader. */
const MANY = 40;
/** Groups of bars that one chart can tell apart. */
const MOST_BARS = 60;

/** A text in the reader's language; any other value as it is. */
export const said = (value) => (value && typeof value === 'object' && 'zh' in value ? value[lang] : value);

export const isFigures = (value) =>
  Array.isArray(value?.columns) && Array.isArray(value.rows) && Array.isArray(value.totals);

export const headed = ({ title, unit }) => `${said(title)}${unit && unit !== '1' ? ` (${unit})` : ''}`;

function cell(value, { decimals, unit }) {
  const told = said(value);
  if (typeof told !== 'number') return make('td', {}, told === null || told === undefined ? '–' : String(told));
  return make('td', { class: 'number' }, unit ? String(Number(told.toFixed(decimals))) : String(told));
}

/** The table alone. */
export function figureTable({ columns, rows, totals }) {
  const lines = (of) =>
    of.map((row) =>
      make(
        'tr',
        {},
        columns.map((column) => cell(row[column.name], column)),
      ),
    );
  return scrolling(
    make(
      'table',
      {},
      make(
        'thead',
        {},
        make(
          'tr',
          {},
          columns.map((column) => make('th', { scope: 'col' }, headed(column))),
        ),
      ),
      make('tbody', {}, lines(rows)),
      totals.length ? make('tfoot', {}, lines(totals)) : null,
    ),
  );
}

/** Times are told by the city's clock; what follows the minutes is the clock's distance from UTC. */
const shown = (text) => Date.parse(text.length > 16 ? `${text.slice(0, 16)}Z` : text);

function course({ rows, chart, columns }) {
  const named = Object.fromEntries(columns.map((column) => [column.name, column]));
  const units = [...new Set(chart.lines.map((name) => named[name].unit))].slice(0, 2);
  const points = (name) => rows.map((row) => [shown(row[chart.time]), row[name] ?? null]);
  const bars = chart.columns.map((name, index) => ({
    name: headed(named[name]),
    type: 'bar',
    barMaxWidth: 16,
    itemStyle: { color: index ? PALETTE[index % PALETTE.length] : RAIN },
    data: points(name),
  }));
  const lines = chart.lines.map((name, index) => ({
    name: headed(named[name]),
    type: 'line',
    xAxisIndex: bars.length ? 1 : 0,
    yAxisIndex: (bars.length ? 1 : 0) + Math.max(0, units.indexOf(named[name].unit)),
    showSymbol: false,
    itemStyle: { color: PALETTE[index % PALETTE.length] },
    data: withGaps(points(name).filter(([, value]) => value !== null)),
  }));
  const times = rows.map((row) => shown(row[chart.time]));
  const time = { ...timeAxis(), min: Math.min(...times), max: Math.max(...times) };
  const value = { type: 'value', ...axis() };
  const both = chart.lines.length > 0 && bars.length > 0;
  return {
    ...framed(time, both),
    yAxis: [
      ...(bars.length ? [{ ...value, gridIndex: 0, inverse: both, splitNumber: both ? 2 : 5 }] : []),
      ...units.map((unit, index) => ({
        ...value,
        gridIndex: both ? 1 : 0,
        scale: true,
        position: index ? 'right' : 'left',
        splitLine: { show: !index, lineStyle: { color: tone('line-soft') } },
      })),
    ],
    series: [...bars, ...lines],
  };
}

/** Lying bars, one group for each row, for what `panel` names where there are several charts. */
function groups(figures) {
  const { chart, columns } = figures;
  const named = Object.fromEntries(columns.map((column) => [column.name, column]));
  const rows = figures[chart.rows].filter((row) => row[chart.key] !== null && row[chart.key] !== undefined);
  const panels = new Map();
  for (const row of rows) {
    const panel = chart.panel ? String(said(row[chart.panel])) : '';
    panels.set(panel, [...(panels.get(panel) ?? []), row]);
  }
  return [...panels].map(([panel, of]) => ({
    panel,
    height: 60 + Math.min(of.length, MOST_BARS) * Math.max(24, 16 * chart.bars.length),
    option: {
      legend: { top: 4, textStyle: { color: tone('ink') } },
      grid: { left: 8, right: 40, top: 36, bottom: 8, containLabel: true },
      xAxis: { type: 'value', ...axis() },
      yAxis: {
        type: 'category',
        inverse: true,
        ...axis({ axisLabel: { color: tone('soft') } }),
        data: of.slice(0, MOST_BARS).map((row) => String(said(row[chart.label]) ?? '–')),
      },
      series: chart.bars.map((name, index) => ({
        name: headed(named[name]),
        type: 'bar',
        barMaxWidth: 18,
        itemStyle: { color: PALETTE[index % PALETTE.length] },
        data: of.slice(0, MOST_BARS).map((row) => row[name] ?? null),
      })),
    },
  }));
}

/** What is drawn: nothing for charts on probability paper, which the answer has as SVG. */
function charts(figures) {
  if (!figures.chart || typeof echarts === 'undefined') return [];
  if (figures.chart.kind === 'course') return [{ panel: '', height: 320, option: course(figures) }];
  return figures.chart.kind ? [] : groups(figures);
}

export function renderFigures(figures) {
  const drawn = charts(figures).map(({ panel, height, option }) => {
    const element = make('div', { class: 'chart-box', style: `height:${height}px` });
    const name = [said(figures.title), panel].filter(Boolean).join(' · ');
    // A chart measures its element, which has no size until it is in the page.
    requestAnimationFrame(() => draw(element, say('chartOf', { name }), option));
    return make('figure', {}, panel ? make('figcaption', {}, panel) : null, element);
  });
  const table = figureTable(figures);
  const closed = drawn.length && figures.rows.length > MANY;
  return make(
    'div',
    {},
    drawn,
    figures.rows.length || figures.totals.length ? null : make('p', { class: 'muted' }, say('none')),
    closed
      ? make('details', { class: 'more' }, make('summary', {}, say('rows', { n: figures.rows.length })), table)
      : table,
    (figures.notes ?? []).map((note) => make('p', { class: 'muted' }, said(note))),
  );
}

// SPDX-License-Identifier: Apache-2.0
// A station's hydrograph: stage against its levels, discharge beside it, rain from above.
import { island, say } from './page-data.js';
import { dot, make, scrolling, table } from './dom.js';
import { RAIN, axis, draw, framed, timeAxis, tone, withGaps } from './chart.js';
import { forecastAddress, readForecast, readSeries, seriesAddress, stationAddress, stationOf } from './water-data.js';

const page = island('water-data');

/** The parameters of a hydrograph in the order in which the first that was read is taken. */
const STAGES = ['z', 'upz', 'rz'];
const BELOW = ['dwz', 'blrz'];
const FLOWS = ['q', 'tgtq', 'inq', 'otq'];
const RAINS = ['drp', 'pn05'];

/** Of longer periods hourly values are drawn. */
const RAW_DAYS = 3;
const DAY = 864e5;

/** What is forecast, and what it goes on with. */
const AHEAD = { z: 'stage', q: 'flow', arp: 'rain' };

const COLORS = { stage: '#1E6FD9', below: '#7A8A99', flow: '#8A5AC8', rain: RAIN };

const titleOf = (name) => `${page.parameters[name].title} (${page.parameters[name].unit})`;

function chosenOf(read) {
  const first = (names) => names.filter((name) => read.includes(name)).slice(0, 1);
  return {
    stage: first(STAGES),
    below: first(BELOW),
    flow: FLOWS.filter((name) => read.includes(name)).slice(0, 2),
    rain: first(RAINS),
  };
}

/** The station's levels as lines; those far above what is seen would flatten the course, and are told in words. */
function linesOf(station, values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max(3, high - low);
  const told = Object.entries(page.lines)
    .filter(([field]) => station[field] !== null && station[field] !== undefined)
    .map(([field, { title, color }]) => ({ title, color, level: station[field] }));
  return { told, drawn: told.filter(({ level }) => level >= low - room && level <= high + room) };
}

/** What is forecast, in the colours of what was read: dashed lines, pale bars. */
function aheadOf(ahead, rain, clock) {
  const names = Object.keys(AHEAD).filter((name) => ahead[name]?.length && (name !== 'arp' || rain));
  return names.map((name) => {
    const bars = name === 'arp';
    return {
      name: say(`forecast_${AHEAD[name]}`),
      type: bars ? 'bar' : 'line',
      xAxisIndex: rain && !bars ? 1 : 0,
      yAxisIndex: bars ? 0 : (rain ? 1 : 0) + (name === 'q' ? 1 : 0),
      showSymbol: false,
      barMaxWidth: 14,
      lineStyle: { width: name === 'z' ? 2.2 : 1.6, type: 'dotted' },
      itemStyle: { color: COLORS[AHEAD[name]], opacity: bars ? 0.45 : 1 },
      data: ahead[name].map(([at, value]) => [clock.shown(at), value]),
    };
  });
}

function optionOf(chosen, series, ahead, lines, clock, [from, until]) {
  const shown = (name) => withGaps((series[name] ?? []).map(([at, value]) => [clock.shown(at), value]));
  const rain = chosen.rain.length > 0;
  const line = (name, index, color, dashed = false) => ({
    name: titleOf(name),
    type: 'line',
    xAxisIndex: rain ? 1 : 0,
    yAxisIndex: (rain ? 1 : 0) + index,
    showSymbol: false,
    lineStyle: { width: index ? 1.6 : 2.2, type: dashed ? 'dashed' : 'solid' },
    itemStyle: { color },
    data: shown(name),
  });
  const stages = chosen.stage.map((name) => ({
    ...line(name, 0, COLORS.stage),
    markLine: {
      symbol: 'none',
      silent: true,
      data: lines.map(({ title, color, level }) => ({
        yAxis: level,
        lineStyle: { color, width: 1.6, type: 'dashed' },
        label: { formatter: `${title} ${level}`, position: 'insideStartTop', color: tone('ink') },
      })),
    },
  }));
  const levels = lines.map(({ level }) => level);
  const among = (pick) => (value) => pick(pick === Math.min ? value.min : value.max, ...levels);
  const time = { ...timeAxis(), min: clock.shown(from), max: clock.shown(until) };
  const level = {
    ...axis(),
    type: 'value',
    min: round(among(Math.min), Math.floor),
    max: round(among(Math.max), Math.ceil),
  };
  const flow = { ...axis({ splitLine: { show: false } }), type: 'value', position: 'right', min: 0 };
  const fall = { ...axis(), type: 'value', inverse: true, min: 0, splitNumber: 2 };
  const bars = chosen.rain.map((name) => ({
    name: titleOf(name),
    type: 'bar',
    itemStyle: { color: COLORS.rain },
    barMaxWidth: 14,
    data: (series[name] ?? []).map(([at, value]) => [clock.shown(at), value]),
  }));
  return {
    ...framed(time, rain),
    yAxis: [
      ...(rain ? [{ ...fall, gridIndex: 0 }] : []),
      { ...level, gridIndex: rain ? 1 : 0 },
      { ...flow, gridIndex: rain ? 1 : 0 },
    ],
    series: [
      ...bars,
      ...stages,
      ...chosen.below.map((name) => line(name, 0, COLORS.below)),
      ...chosen.flow.map((name, index) => line(name, 1, COLORS.flow, index > 0)),
      ...aheadOf(ahead, rain, clock),
    ],
  };
}

/** Axes that end on tenths of a metre. */
function round(bound, how) {
  return (value) => how(bound(value) * 10 - (how === Math.floor ? 1 : -1)) / 10;
}

export class Hydrograph {
  /** parts: elements by name. clock: the city's. */
  constructor(parts, clock) {
    this.parts = parts;
    this.clock = clock;
    this.asked = 0;
  }

  /** Shows a station of the list over some days until a moment (ISO; empty: now), and what was forecast then.
   * read, forecast: its parameters of either. */
  async show(row, { read, forecast }, days, moment) {
    const turn = ++this.asked;
    const until = moment ? Date.parse(moment) : Date.now();
    const period = [new Date(until - days * DAY).toISOString(), moment || '..'];
    const chosen = chosenOf(read);
    const names = Object.values(chosen).flat();
    const newest = row.time ? Date.parse(row.time) : until;
    const [station, series, ahead] = await Promise.all([
      stationOf(row.code, moment),
      readSeries(row.code, names, period, { step: days > RAW_DAYS ? 'hour' : '' }),
      readForecast(row.code, forecast, newest, moment),
    ]);
    if (turn !== this.asked) return null;
    this.tell(row, station, period, names);
    const seen = names.filter((name) => series[name]?.length);
    const stage = [...chosen.stage.flatMap((name) => series[name] ?? []), ...(ahead.z ?? [])].map(([, value]) => value);
    const lines = stage.length ? linesOf(station, stage) : { told: [], drawn: [] };
    this.parts.empty.hidden = seen.length > 0;
    this.parts.chart.hidden = !seen.length;
    this.tellForecast(ahead.z ?? [], lines.told, row.code, moment);
    if (seen.length) {
      const levels = lines.told.map(({ title, level }) => `${title} ${level} m`).join(say('comma'));
      const label = say('hydrographOf', { name: row.name, n: days, lines: levels });
      const end = Math.max(until, ...Object.values(ahead).flatMap((points) => points.map(([at]) => at)));
      const span = [until - days * DAY, end];
      draw(this.parts.chart, label, optionOf(chosen, series, ahead, lines.drawn, this.clock, span));
    }
    this.list(seen, series);
    return station;
  }

  /** How high the river is forecast to rise, and when it first reaches its levels. */
  tellForecast(stages, lines, code, moment) {
    const host = this.parts.forecast;
    host.replaceChildren();
    if (!stages.length) return;
    const [at, peak] = stages.reduce((best, each) => (each[1] > best[1] ? each : best));
    const told = [say('forecastPeak', { n: peak.toFixed(2), when: this.clock.words(at) })];
    for (const { title, level } of lines) {
      const first = stages.find(([, value]) => value >= level);
      if (first && level > stages[0][1])
        told.push(say('forecastReaches', { name: title, when: this.clock.words(first[0]) }));
    }
    host.append(`${told.join(' · ')} · `, make('a', { href: forecastAddress(code, moment) }, say('forecastMore')));
  }

  /** What the station is, and where its values are. */
  tell(row, station, period, names) {
    const { title, facts, links } = this.parts;
    title.textContent = row.name;
    const state = page.states[row.state];
    const levels = Object.entries(page.lines)
      .filter(([field]) => station[field] !== null && station[field] !== undefined)
      .map(([field, line]) => `${line.title} ${station[field]} m`);
    facts.replaceChildren(
      dot(row.color),
      [
        row.code,
        page.types[row.type]?.title,
        row.river,
        row.kind === 'level' ? state.title : null,
        row.told,
        row.time ? this.clock.words(row.time) : null,
        ...levels,
        station.dtmnm ? say('datum', { name: station.dtmnm }) : say('noDatum'),
      ]
        .filter(Boolean)
        .join(' · '),
    );
    const address = (f) => seriesAddress(row.code, names, period, { f });
    links.replaceChildren(
      make('a', { href: stationAddress(row.code) }, say('aboutStation')),
      ...(names.length
        ? [
            make('a', { href: address('csv'), download: '' }, 'CSV'),
            make('a', { href: address('json') }, 'CoverageJSON'),
          ]
        : []),
    );
  }

  /** The same values to read. */
  list(names, series) {
    const rows = new Map();
    names.forEach((name, index) => {
      for (const [at, value] of series[name]) {
        if (!rows.has(at)) rows.set(at, new Array(names.length).fill(null));
        rows.get(at)[index] = value;
      }
    });
    const newest = [...rows].sort(([a], [b]) => b - a).slice(0, 200);
    const cells = newest.map(([at, values]) => [this.clock.words(at), ...values]);
    this.parts.table.replaceChildren(scrolling(table([say('time'), ...names.map(titleOf)], cells)));
  }
}

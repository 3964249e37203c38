// SPDX-License-Identifier: Apache-2.0
// Rain on the city hour by hour, and where the reservoirs stand.
import { say } from './page-data.js';
import { make } from './dom.js';
import { figureTable, said } from './figures.js';
import { RAIN, axis, draw, timeAxis } from './chart.js';

/** The answer of `areal-rainfall` as bars with their sum. */
export function drawRain(parts, answer, clock) {
  const { rows, totals } = answer.tables.areal_rain;
  const sum = totals[0]?.rain_mm;
  parts.note.textContent = [
    said(answer.subtitle),
    sum === null || sum === undefined ? say('sumUnknown') : say('sumOf', { n: sum }),
  ].join(' · ');
  draw(parts.chart, say('arealRainOf', { when: said(answer.subtitle) }), {
    grid: { left: 48, right: 16, top: 30, bottom: 34 },
    xAxis: timeAxis(),
    yAxis: { type: 'value', ...axis({ name: 'mm' }) },
    series: [
      {
        name: said(answer.title),
        type: 'bar',
        itemStyle: { color: RAIN },
        barMaxWidth: 18,
        data: rows.map(({ time, rain_mm: value }) => [clock.shown(time), value]),
      },
    ],
  });
}

/** A reservoir: how high it stands between its dead level and its crest, with the levels that hold. */
function bar({ dead_m: dead, crest_m: crest, normal_m: normal, limit_m: limit, level_m: level }) {
  const share = (value) => `${Math.min(100, Math.max(0, ((value - dead) / (crest - dead)) * 100)).toFixed(2)}%`;
  const mark = (value, kind) =>
    value === null ? null : make('i', { class: `mark ${kind}`, style: `left:${share(value)}` });
  return make(
    'div',
    { class: 'reservoir-bar', 'aria-hidden': 'true' },
    level === null
      ? null
      : make('span', { class: limit !== null && level > limit ? 'full over' : 'full', style: `width:${share(level)}` }),
    mark(limit, 'limit'),
    mark(normal, 'normal'),
  );
}

/** The answer of `reservoir-room` as one bar for each reservoir, and its rooms in words. */
export function drawReservoirs(host, answer, pick) {
  const { rows, columns } = answer.tables.room;
  const titles = Object.fromEntries(
    columns.map(({ name, title, unit }) => [
      name,
      `${said(title)}${unit ? ` (${unit === 'hm3' ? say('millions') : unit})` : ''}`,
    ]),
  );
  host.replaceChildren(
    ...rows.map((row) => {
      const go = make('button', { type: 'button', 'data-code': row.station }, said(row.name));
      go.addEventListener('click', () => pick(row.station));
      const facts = ['level_m', 'storage', 'limit_m', 'room_limit', 'normal_m', 'room_normal', 'crest_m'];
      return make(
        'li',
        {},
        make('div', { class: 'between' }, go, make('span', { class: 'state' }, said(row.state))),
        bar(row),
        make(
          'dl',
          { class: 'facts' },
          facts
            .filter((name) => row[name] !== null)
            .flatMap((name) => [make('dt', {}, titles[name]), make('dd', {}, String(row[name]))]),
        ),
        make(
          'small',
          { class: 'muted' },
          [said(row.reason), row.datum, row.origin === 'generated' ? say('generatedCurve') : null]
            .filter(Boolean)
            .join(' · '),
        ),
      );
    }),
  );
}

/** What a flood meets, from the answer of `inundation`. */
export function tellFlood(host, answer) {
  const { met, people, places, depths } = answer.tables;
  host.replaceChildren(
    figureTable(met),
    make(
      'details',
      { class: 'more' },
      make('summary', {}, said(depths.title)),
      figureTable(depths),
      people.rows.length ? figureTable(people) : null,
      places.rows.length ? figureTable(places) : null,
    ),
    make(
      'p',
      { class: 'muted' },
      [
        answer.people === null ? say('peopleUnknown', { why: said(answer.people_reason) }) : null,
        said(answer.level.surface),
      ]
        .filter(Boolean)
        .join(' · '),
    ),
  );
}

// SPDX-License-Identifier: Apache-2.0
// The stations as a list, worst first, with the states as switches; and the warnings in force.
import { island, say } from './page-data.js';
import { RAIN } from './chart.js';
import { dot, make } from './dom.js';
import { aheadAddress, warningAddress } from './water-data.js';

const page = island('water-data');
const lang = document.documentElement.lang.slice(0, 2);

/** Draws the list anew; chosen, pick: the code of the chosen station, and what is called with another. hidden: the
 * states that are switched off. */
export function listStations(list, stations, { chosen, hidden, pick }) {
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.code : null;
  list.replaceChildren(
    ...stations
      .filter(({ state }) => !hidden.has(state))
      .map((station) => {
        const button = make(
          'button',
          { type: 'button', 'data-code': station.code, 'aria-pressed': String(station.code === chosen) },
          dot(station.color),
          make('b', {}, station.name),
          make('span', { class: 'muted' }, station.river ?? page.types[station.type]?.title ?? ''),
          make('span', { class: 'figure' }, station.told),
        );
        button.addEventListener('click', () => pick(station.code));
        return make('li', {}, button);
      }),
  );
  if (focused) list.querySelector(`[data-code="${CSS.escape(focused)}"]`)?.focus();
}

/** One switch for each state that occurs, with its number of stations. */
export function listStates(host, stations, hidden, changed) {
  const counts = new Map();
  for (const { state } of stations) counts.set(state, (counts.get(state) ?? 0) + 1);
  host.replaceChildren(
    ...[...Object.entries(page.states), ['rain', { title: say('rainGauges'), color: RAIN }]]
      .filter(([code]) => counts.has(code))
      .map(([code, { title, color }]) => {
        const button = make(
          'button',
          { type: 'button', class: 'chip', 'data-state': code, 'aria-pressed': String(!hidden.has(code)) },
          dot(color),
          `${title} ${counts.get(code)}`,
        );
        button.addEventListener('click', () => {
          if (!hidden.delete(code)) hidden.add(code);
          changed();
          host.querySelector(`[data-state="${code}"]`)?.focus();
        });
        return button;
      }),
  );
}

/** The levels of warnings, worst first. */
const RANK = Object.keys(page.levels).reverse();

/** Warnings, worst first, then newest. */
export function sorted(warnings) {
  return [...warnings].sort(
    (a, b) =>
      RANK.indexOf(a.properties.level) - RANK.indexOf(b.properties.level) ||
      String(b.properties.changed_at).localeCompare(String(a.properties.changed_at)),
  );
}

/** clock: the city's. pick: called with the station that a warning is about. */
export function listWarnings(list, warnings, clock, pick) {
  list.replaceChildren(
    ...sorted(warnings).map(({ properties }) =>
      entry(properties, warningAddress, pick, [
        `${clock.words(properties.changed_at ?? properties.issued_at)} · `,
        properties.state === 'acknowledged' ? `${say('acknowledged')} · ` : '',
        affected(properties.affected),
      ]),
    ),
  );
  if (!warnings.length) list.replaceChildren(make('li', { class: 'none' }, say('noWarnings')));
}

/** Warnings that a forecast brings, by when they do. */
export function listAhead(list, warnings, clock, pick) {
  const first = [...warnings].sort((a, b) => a.properties.expected_at.localeCompare(b.properties.expected_at));
  list.replaceChildren(
    ...first.map(({ properties }) => {
      const { expected_at: from, lifted_at: until } = properties;
      const when = { from: clock.words(from), until: until && clock.words(until) };
      return entry(properties, aheadAddress, pick, [`${say(until ? 'aheadUntil' : 'aheadFrom', when)} · `]);
    }),
  );
}

/** A warning in a list: its headline, which picks its station, what else is told of it, and where more is. */
function entry(properties, address, pick, told) {
  const { title, color } = page.levels[properties.level];
  const headline = lang === 'zh' ? properties.headline_zh : properties.headline_en;
  const [station] = String(properties.stations ?? '').split(',');
  const go = make('button', { type: 'button' }, headline ?? properties.name);
  go.addEventListener('click', () => pick(station));
  return make(
    'li',
    { style: `--level:${color}`, 'data-warning': properties.code },
    make('span', { class: 'unseen' }, title),
    station ? go : headline,
    make('small', { class: 'muted' }, ...told, make('a', { href: address(properties.code) }, say('warningMore'))),
  );
}

/** What a warning's flood reaches, where that is known. */
function affected(text) {
  if (!text) return '';
  const { area_ha: area, people } = JSON.parse(text);
  const told = [];
  if (area !== null && area !== undefined) told.push(say('floodedArea', { n: Math.round(area) }));
  if (people !== null && people !== undefined) told.push(say('people', { n: Math.round(people) }));
  return told.length ? `${told.join(say('comma'))} · ` : '';
}

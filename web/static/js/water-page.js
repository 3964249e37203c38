// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The water map: puts its parts together around one state, and keeps them up to date while it shows the present.
import { island, say } from './page-data.js';
import { dot, make } from './dom.js';
import { Clock } from './clock.js';
import { State } from './state.js';
import { ask, forecastParameters, inForce, listen, readParameters, warningsAhead, warningsAt } from './water-data.js';
import { drawRain, drawReservoirs } from './water-basin.js';
import { Flood } from './water-flood.js';
import { Hydrograph } from './water-hydrograph.js';
import { WaterMap, legendRows, rainColor } from './water-map.js';
import { listAhead, listStates, listStations, listWarnings, sorted } from './water-stations.js';

const page = island('water-data');
const clock = new Clock(page.timezone);
const element = (id) => document.getElementById(id);

/** While the present is shown, values are read again after so many milliseconds. */
const AGAIN = 60_000;
const HOUR = 36e5;
const ORDER = Object.keys(page.states);

function kindOf(type) {
  return Object.keys(page.kinds).find((kind) => page.kinds[kind].includes(type));
}

class WaterPage {
  constructor() {
    // station: its code. moment: an instant, or empty for the present. hours: of rain. days: of the hydrograph.
    this.state = Object.assign(new State(), { station: '', moment: '', hours: 24, days: 7, isolines: true });
    this.rows = [];
    this.rain = new Map();
    this.reservoirs = new Map();
    this.warnings = new Map();
    this.parameters = { read: new Map(), forecast: new Map() };
    this.hidden = new Set();
    this.turn = 0;
    const pick = (code) => this.state.change({ station: code });
    this.pick = pick;
    this.map = new WaterMap(element('water-map'), pick);
    this.hydrograph = new Hydrograph(
      Object.fromEntries(
        ['title', 'facts', 'forecast', 'chart', 'empty', 'table', 'links'].map((name) => [
          name,
          element(`station-${name}`),
        ]),
      ),
      clock,
    );
    this.flood = new Flood(
      Object.fromEntries(
        ['title', 'slider', 'present', 'off', 'told', 'answer'].map((name) => [name, element(`flood-${name}`)]),
      ),
      (shapes) => this.map.showFlood(shapes),
    );
    this.legend();
    this.listen();
  }

  async start() {
    this.restore();
    this.state.when(['station'], () => this.choose(true));
    this.state.when(['days'], () => this.choose(false));
    this.state.when(['moment'], () => this.follow());
    this.state.when(['hours', 'isolines'], () => this.attempt(() => this.readRain()));
    this.state.addEventListener('change', () => this.keep());
    window.addEventListener('hashchange', () => {
      this.restore();
      this.follow();
    });
    setInterval(() => {
      if (!this.state.moment && !document.hidden) this.refresh();
    }, AGAIN);
    document.addEventListener('visibilitychange', () => {
      if (this.state.moment) return;
      this.tune();
      if (!document.hidden) this.refresh();
    });
    await this.follow();
  }

  /** Shows the present and what comes, or a moment of the past. */
  async follow() {
    const { moment } = this.state;
    element('water-now').setAttribute('aria-pressed', String(!moment));
    element('water-moment').value = clock.text(moment || Date.now());
    this.tune();
    this.flood.setStation(null);
    await this.refresh();
  }

  /** Hears of warnings while the page is seen and shows the present. A browser keeps six connections to a host: pages
   * in the background must not hold one each. */
  tune() {
    this.close?.();
    this.close = null;
    element('water-lost').hidden = true;
    if (this.state.moment || document.hidden) return;
    this.warnings.clear();
    this.close = listen(
      (warning) => this.hear(warning),
      (lost) => (element('water-lost').hidden = !lost),
    );
  }

  hear(warning) {
    if (inForce(warning)) this.warnings.set(warning.id, warning);
    else this.warnings.delete(warning.id);
    this.tellWarnings();
    this.show();
    if (this.heard) clearTimeout(this.heard);
    this.heard = setTimeout(() => this.refresh(), 2000);
  }

  /** Reads all that is shown. */
  async refresh() {
    await this.attempt(async () => {
      const turn = ++this.turn;
      const { moment } = this.state;
      const then = moment ? { datetime: moment } : {};
      const [answer, read, forecast, ahead, warnings] = await Promise.all([
        ask('station-state', { days: 0, ...then }),
        readParameters(),
        forecastParameters(),
        warningsAhead(moment),
        moment ? warningsAt(moment) : null,
      ]);
      if (turn !== this.turn) return;
      this.parameters = { read, forecast };
      if (warnings) this.warnings = new Map(warnings.map((each) => [each.id, each]));
      this.rows = answer.stations.filter(({ type }) => kindOf(type));
      element('water-newest').textContent = answer.as_of
        ? say('newest', { when: clock.words(answer.as_of) })
        : say('nothingRead');
      element('water-sample').hidden = !this.rows.some(({ origin }) => origin === 'generated');
      this.tellWarnings();
      this.tellAhead(ahead);
      this.show();
      await Promise.all([this.readRain(), this.readReservoirs(then)]);
      if (turn !== this.turn) return;
      if (!this.state.station) this.choose(false, this.stations()[0]?.code);
      else this.choose(false);
    });
  }

  async readRain() {
    const { hours, isolines, moment } = this.state;
    // The hour that a moment falls in is not over then.
    const end = moment ? { end: new Date(Math.floor(Date.parse(moment) / HOUR) * HOUR).toISOString() } : {};
    const answer = await ask('areal-rainfall', { hours, ...end, method: 'idw', isolines }).catch((error) => error);
    if (moment !== this.state.moment || hours !== this.state.hours) return;
    if (answer instanceof Error) {
      element('rain-note').textContent = answer.message;
      element('rain-chart').hidden = true;
      this.rain = new Map();
      this.map.showIsolines(null);
    } else {
      element('rain-chart').hidden = false;
      drawRain({ note: element('rain-note'), chart: element('rain-chart') }, answer, clock);
      this.rain = new Map(answer.tables.gauges.rows.map((row) => [row.station, row.gauge_mm]));
      this.map.showIsolines(answer.isolines ?? null);
    }
    this.show();
  }

  async readReservoirs(then) {
    const answer = await ask('reservoir-room', then).catch((error) => error);
    const host = element('reservoirs');
    if (answer instanceof Error) {
      host.replaceChildren(make('li', {}, answer.message));
      return;
    }
    this.reservoirs = new Map(answer.tables.room.rows.map((row) => [row.station, row]));
    drawReservoirs(host, answer, this.pick);
    this.show();
  }

  /** The stations as the map and the list show them, worst first. */
  stations() {
    const ringed = new Map();
    for (const { properties } of sorted(this.warnings.values()).reverse())
      for (const code of String(properties.stations ?? '').split(','))
        ringed.set(code, page.levels[properties.level].color);
    return this.rows
      .map((row) => ({
        ...this.described(row),
        ring: ringed.get(row.station),
        chosen: row.station === this.state.station,
      }))
      .sort((a, b) => b.rank - a.rank || a.code.localeCompare(b.code));
  }

  described(row) {
    const kind = kindOf(row.type);
    const found = { ...row, code: row.station, kind, level: row.level_m };
    if (kind === 'rain') {
      const fallen = this.rain.get(row.station);
      const known = fallen !== null && fallen !== undefined;
      return {
        ...found,
        state: 'rain',
        color: rainColor(fallen),
        value: known ? `${fallen} mm` : '',
        told: known ? `${fallen} mm` : say('noRainKnown'),
        rank: known ? fallen / 1000 : 0,
      };
    }
    let { state, level_m: level } = row;
    if (kind === 'reservoir') {
      const room = this.reservoirs.get(row.station);
      level = room?.level_m ?? null;
      const limit = room?.limit_m ?? null;
      state =
        level === null ? 'no_level' : limit === null ? 'not_rateable' : level > limit ? 'above_warning' : 'normal';
    }
    const text = level === null ? '' : `${level.toFixed(2)} m`;
    const rank = ORDER.length - ORDER.indexOf(state);
    return {
      ...found,
      state,
      level,
      color: page.states[state].color,
      value: text,
      told: text || page.states[state].title,
      rank,
    };
  }

  show() {
    const stations = this.stations();
    this.map.showStations(stations.filter(({ state }) => !this.hidden.has(state)));
    const listed = { chosen: this.state.station, hidden: this.hidden, pick: this.pick };
    listStations(element('stations'), stations, listed);
    listStates(element('station-states'), stations, this.hidden, () => this.show());
  }

  tellWarnings() {
    element('warning-count').textContent = String(this.warnings.size);
    listWarnings(element('warnings'), [...this.warnings.values()], clock, this.pick);
  }

  tellAhead(warnings) {
    element('ahead').hidden = !warnings.length;
    if (!warnings.length) return;
    const when = clock.words(warnings[0].properties.issue);
    element('ahead-count').textContent = say('aheadOf', { n: warnings.length, when });
    listAhead(element('ahead-warnings'), warnings, clock, this.pick);
  }

  /** Shows the chosen station. move: whether the map goes there. */
  async choose(move, code = this.state.station) {
    await this.attempt(async () => {
      const row = this.stations().find((each) => each.code === code);
      element('station').hidden = !row;
      if (!row) return;
      if (this.state.station !== code) {
        this.state.station = code;
        this.keep();
      }
      this.show();
      if (move) this.map.goTo(row.lon, row.lat);
      const { days, moment } = this.state;
      const of = { read: this.parameters.read.get(code) ?? [], forecast: this.parameters.forecast.get(code) ?? [] };
      const station = await this.hydrograph.show(row, of, days, moment);
      if (station) this.flood.setStation({ row, station, moment });
    });
  }

  /** Does what may fail, and says why it did. */
  async attempt(action) {
    const note = element('water-note');
    try {
      await action();
      note.hidden = true;
    } catch (error) {
      note.textContent = error instanceof TypeError ? say('unreachable') : error.message;
      note.hidden = false;
    }
  }

  legend() {
    element('water-legend').replaceChildren(
      ...legendRows().map(({ kind, color, title }) => make('li', {}, dot(color, kind), title)),
    );
  }

  listen() {
    const moment = element('water-moment');
    moment.addEventListener('change', () => {
      if (moment.value) this.state.change({ moment: clock.instant(moment.value) });
    });
    element('water-now').addEventListener('click', () => this.state.change({ moment: '' }));
    for (const [id, hours] of [
      ['water-earlier', -1],
      ['water-later', 1],
    ]) {
      element(id).addEventListener('click', () => {
        const at = Date.parse(this.state.moment || new Date(Math.floor(Date.now() / HOUR) * HOUR).toISOString());
        this.state.change({ moment: new Date(at + hours * HOUR).toISOString() });
      });
    }
    const hours = element('water-hours');
    hours.addEventListener('change', () => this.state.change({ hours: Number(hours.value) }));
    const isolines = element('water-isolines');
    isolines.addEventListener('change', () => this.state.change({ isolines: isolines.checked }));
    for (const button of document.querySelectorAll('[data-days]'))
      button.addEventListener('click', () => this.state.change({ days: Number(button.dataset.days) }));
  }

  /** The state in the page's address, so that a link shows the same. */
  keep() {
    const { station, moment, hours, days, isolines } = this.state;
    const parts = new URLSearchParams({ station, hours, days });
    if (moment) parts.set('moment', moment);
    if (!isolines) parts.set('isolines', '0');
    const hash = `#${parts}`;
    window.history.replaceState(null, '', hash);
    for (const link of document.querySelectorAll('[data-lang]')) link.hash = hash;
    this.controls();
  }

  restore() {
    const given = new URLSearchParams(window.location.hash.slice(1));
    const among = (name, allowed, otherwise) =>
      allowed.includes(Number(given.get(name))) ? Number(given.get(name)) : otherwise;
    const moment = given.get('moment') ?? '';
    Object.assign(this.state, {
      station: given.get('station') ?? '',
      moment: Number.isFinite(Date.parse(moment)) ? moment : '',
      hours: among(
        'hours',
        [...element('water-hours').options].map(({ value }) => Number(value)),
        24,
      ),
      days: among(
        'days',
        [...document.querySelectorAll('[data-days]')].map(({ dataset }) => Number(dataset.days)),
        7,
      ),
      isolines: given.get('isolines') !== '0',
    });
    this.controls();
  }

  controls() {
    const { hours, days, isolines } = this.state;
    element('water-hours').value = String(hours);
    element('water-isolines').checked = isolines;
    for (const button of document.querySelectorAll('[data-days]'))
      button.setAttribute('aria-pressed', String(Number(button.dataset.days) === days));
  }
}

if (typeof ol === 'undefined') element('water-map').replaceChildren(make('p', { class: 'notice' }, say('noMap')));
else new WaterPage().start();

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// What is known at a point over all layers, shown or not: asked of the process what-is-here.
import { localized, say } from './page-data.js';
import { make } from './dom.js';

const base = document.body.dataset.base;
const english = document.documentElement.lang.startsWith('en');
const HIDDEN = new Set(['layer', 'distance_m', 'origin', 'release', 'valid_from', 'valid_to']);

export class PointPanel {
  constructor({ map, page, state, marks, warn }) {
    Object.assign(this, { map, page, state, marks, warn });
    this.panel = document.getElementById('map-answer');
    this.body = document.getElementById('map-answer-body');
    this.asking = null;
    document.getElementById('map-answer-close').addEventListener('click', () => this.close());
    state.when(['moment', 'known'], () => {
      if (this.at && !this.panel.hidden) this.ask(this.at, { focus: false });
    });
  }

  get open() {
    return !this.panel.hidden;
  }

  close() {
    this.asking?.abort();
    this.at = null;
    this.panel.hidden = true;
    this.marks.clear();
    this.map.getTargetElement().focus({ preventScroll: true });
  }

  /** lonlat: where. focus: whether the reader goes to the answer. */
  async ask(lonlat, { focus = true } = {}) {
    this.asking?.abort();
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.at = lonlat;
    this.marks.clear();
    this.marks.point(lonlat);
    this.panel.hidden = false;
    this.panel.setAttribute('aria-busy', 'true');
    document.getElementById('map-answer-place').textContent = lonlat.map((value) => value.toFixed(5)).join(', ');
    if (focus) this.panel.focus({ preventScroll: true });
    try {
      this.fill(await this.fetchAnswer(lonlat, signal));
      this.uncover();
    } catch (error) {
      if (error.name === 'AbortError') return;
      const text = error instanceof TypeError ? say('unreachable') : error.message;
      this.body.replaceChildren(make('p', { class: 'problem' }, text));
      this.warn(text);
    } finally {
      if (!signal.aborted) this.panel.removeAttribute('aria-busy');
    }
  }

  async fetchAnswer([lon, lat], signal) {
    const inputs = { lon: Number(lon.toFixed(7)), lat: Number(lat.toFixed(7)), radius: this.reach() };
    if (this.state.moment) inputs.datetime = this.state.moment;
    if (this.state.known) inputs.asOf = this.state.known;
    const response = await fetch(localized(`${base}/processes/what-is-here/execution`), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ inputs }),
      signal,
    });
    const content = await response.json();
    if (!response.ok) throw new Error(content.detail ?? content.description ?? say('notOk', { n: response.status }));
    return content.answer ?? content;
  }

  /** How far from the click points and lines are looked for: what a finger covers. */
  reach() {
    const view = this.map.getView();
    const metres = ol.proj.getPointResolution(view.getProjection(), view.getResolution(), view.getCenter(), 'm');
    return Math.min(5000, Math.max(20, Math.round(metres * 12)));
  }

  fill({ answers, features }) {
    const found = new Map(features.features.map((feature) => [feature.id, feature]));
    const groups = new Map();
    for (const row of answers) {
      if (!groups.has(row.collection)) groups.set(row.collection, []);
      groups.get(row.collection).push(row);
    }
    const parts = [...groups].map(([id, rows]) => this.group(id, rows, found));
    const summary = parts.length ? say('foundHere', { n: answers.length, layers: parts.length }) : say('empty');
    this.body.replaceChildren(make('p', { role: 'status', class: 'muted' }, summary), ...parts);
  }

  /** Moves the map where the panel hides the place that was clicked. */
  uncover() {
    const view = this.map.getView();
    const [x, y] = this.map.getPixelFromCoordinate(ol.proj.fromLonLat(this.at, view.getProjection()));
    const { left, top, right, bottom } = this.panel.getBoundingClientRect();
    const stage = this.map.getTargetElement().getBoundingClientRect();
    const [fromLeft, fromTop] = [left - stage.left, top - stage.top];
    if (x < fromLeft || y < fromTop || x > right - stage.left || y > bottom - stage.top) return;
    const beside = fromLeft > 80;
    const [dx, dy] = beside ? [x - fromLeft + 40, 0] : [0, y - fromTop / 2];
    const [cx, cy] = view.getCenter();
    view.setCenter([cx + dx * view.getResolution(), cy - dy * view.getResolution()]);
  }

  group(id, rows, found) {
    const layer = this.page.layers[id];
    const title = english ? rows[0].layer_en : rows[0].layer;
    const entries = rows.map((row) => {
      const feature = found.get(`${id}/${row.id}`);
      return feature ? this.feature(id, layer, row, feature) : valueOf(row);
    });
    const sample = layer?.generated ? make('span', { class: 'sample' }, say('sample')) : null;
    const list = make('ul', { class: 'plain' }, entries);
    return make('section', { 'data-found': id }, make('h3', {}, title, ' ', sample), list);
  }

  feature(id, layer, row, { properties, geometry }) {
    const address = `${base}/collections/${id}/items/${encodeURIComponent(row.id)}`;
    const name = properties[layer?.style?.label?.field] || row.id;
    const link = make('a', { href: localized(`${address}?f=html`), 'data-feature': row.id }, name);
    const near = row.distance_m ? make('span', { class: 'muted' }, ` ${say('away', { n: row.distance_m })}`) : null;
    const facts = Object.entries(properties)
      .filter(([field, value]) => value !== null && !HIDDEN.has(field) && field !== layer?.style?.label?.field)
      .map(([field, value]) => [
        make('dt', {}, layer?.fields?.[field] ?? field),
        make('dd', {}, this.told(layer, field, value)),
      ]);
    const versions = make('a', { href: localized(`${address}/versions`) }, say('versions'));
    const list = make('dl', { class: 'facts' }, facts.flat());
    const entry = make('li', {}, make('p', { class: 'found-name' }, link, near), list, versions);
    const point = () => this.marks.outline([geometry]);
    entry.addEventListener('pointerenter', point);
    entry.addEventListener('focusin', point);
    return entry;
  }

  told(layer, field, value) {
    const meaning = layer?.codes?.[field]?.[value];
    if (meaning) return `${meaning} (${value})`;
    if (typeof value === 'boolean') return say(value ? 'yes' : 'no');
    if (typeof value === 'number') return value.toLocaleString(undefined, { maximumFractionDigits: 2 });
    if (/^\d{4}-\d\d-\d\dT/.test(value)) return new Date(value).toLocaleString(document.documentElement.lang);
    return String(value);
  }
}

function valueOf(row) {
  const time = row.id && new Date(row.id).toLocaleString(document.documentElement.lang);
  const when = time ? make('span', { class: 'muted' }, ` ${time}`) : null;
  return make('li', {}, english ? row.what_en : row.what, when);
}

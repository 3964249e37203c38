// SPDX-License-Identifier: Apache-2.0
// The search box: names of places over several layers, and coordinates.
import { localized, say } from './page-data.js';
import { make } from './dom.js';
import { timeOf } from './map-state.js';

const base = document.body.dataset.base;
const WAIT = 250;
const DEGREES = '(-?\\d+(?:\\.\\d+)?)\\s*°?\\s*[EN东北]?\\s*';
const PER_LAYER = 50;
const SHOWN = 12;

/** Longitude and latitude from "115.98, 36.45", in either order where only one can be meant. */
export function coordinates(text) {
  const found = new RegExp(`^\\s*${DEGREES}[,，;\\s]\\s*${DEGREES}$`, 'i').exec(text);
  if (!found) return null;
  const [a, b] = [Number(found[1]), Number(found[2])];
  if (Math.abs(b) <= 90 && Math.abs(a) <= 180) return [a, b];
  return Math.abs(a) <= 90 && Math.abs(b) <= 180 ? [b, a] : null;
}

/** How far down a place comes: names that begin so first, of equals the shorter one. */
function rankFor(text) {
  const wanted = text.toLowerCase();
  return ({ title }) => {
    const at = title.toLowerCase().indexOf(wanted);
    return (at === 0 ? 0 : at > 0 ? 1000 : 2000) + title.length;
  };
}

export class SearchBox {
  /** go: shows what was chosen: {lonlat} or {geometries}. */
  constructor(page, state, go, warn) {
    Object.assign(this, { page, state, go, warn, options: [], active: -1, asking: null });
    this.input = document.getElementById('map-search');
    this.list = document.getElementById('map-found');
    this.told = document.getElementById('map-found-note');
    this.input.addEventListener('input', () => this.later());
    this.input.addEventListener('keydown', (event) => this.key(event));
    this.input.addEventListener('blur', () => this.close());
    this.input.form.addEventListener('submit', (event) => event.preventDefault());
    // A press must not take the focus from the box before the click is heard.
    this.list.addEventListener('pointerdown', (event) => event.preventDefault());
  }

  later() {
    clearTimeout(this.timer);
    this.asking?.abort();
    const text = this.input.value.trim();
    if (!text) return this.close();
    const place = coordinates(text);
    if (place) return this.show([{ title: place.join(', '), group: say('coordinates'), lonlat: place }]);
    this.timer = setTimeout(() => this.find(text), WAIT);
    return undefined;
  }

  async find(text) {
    this.asking = new AbortController();
    const { signal } = this.asking;
    this.told.textContent = say('working');
    const ids = this.page.themes.flatMap(({ layers }) => layers);
    const named = ids.map((id) => [id, this.page.layers[id]]).filter(([, layer]) => layer.names);
    const answers = await Promise.allSettled(named.map(([id, layer]) => this.ask(id, layer, text, signal)));
    if (signal.aborted) return;
    const failed = answers.find(({ status }) => status === 'rejected');
    if (failed) this.warn(say('searchFailed', { why: failed.reason.message }));
    const rank = rankFor(text);
    const found = answers.flatMap(({ value }) => value ?? []);
    this.show(found.sort((a, b) => rank(a) - rank(b)).slice(0, SHOWN));
  }

  /** The places of one layer; the parts of a street are one place. */
  async ask(id, layer, text, signal) {
    const wanted = { f: 'json', q: text, limit: PER_LAYER, properties: layer.names, 'zoom-level': 12 };
    const asked = new URLSearchParams({ ...wanted, ...timeOf(layer, this.state.moment, this.state.known) });
    const response = await fetch(localized(`${base}/collections/${id}/items?${asked}`), { signal });
    if (!response.ok) throw new Error(say('notOk', { n: response.status }));
    const { features } = await response.json();
    const places = new Map();
    for (const { properties, geometry } of features) {
      const name = properties[layer.names];
      if (!name || !geometry) continue;
      if (!places.has(name)) places.set(name, { title: name, group: layer.title, geometries: [] });
      places.get(name).geometries.push(geometry);
    }
    return [...places.values()];
  }

  show(options) {
    this.options = options;
    this.list.replaceChildren(
      ...options.map(({ title, group }, n) => {
        const role = { role: 'option', id: `found-${n}`, 'aria-selected': 'false' };
        const entry = make('li', role, title, make('small', {}, group));
        entry.addEventListener('click', () => this.choose(n));
        return entry;
      }),
    );
    this.list.hidden = !options.length;
    this.input.setAttribute('aria-expanded', String(Boolean(options.length)));
    this.told.textContent = options.length ? say('foundPlaces', { n: options.length }) : say('empty');
    this.point(options.length ? 0 : -1);
  }

  close() {
    this.asking?.abort();
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.options = [];
    this.told.textContent = '';
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
  }

  point(n) {
    this.active = n;
    [...this.list.children].forEach((entry, at) => entry.setAttribute('aria-selected', String(at === n)));
    if (n < 0) return this.input.removeAttribute('aria-activedescendant');
    this.input.setAttribute('aria-activedescendant', `found-${n}`);
    return this.list.children[n].scrollIntoView({ block: 'nearest' });
  }

  key(event) {
    const count = this.options.length;
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && count) {
      event.preventDefault();
      this.point((this.active + moves[event.key] + count) % count);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (this.active >= 0 && count) this.choose(this.active);
    } else if (event.key === 'Escape' && count) {
      event.stopPropagation();
      this.close();
    }
  }

  choose(n) {
    const chosen = this.options[n];
    this.input.value = chosen.title;
    this.close();
    this.go(chosen);
  }
}

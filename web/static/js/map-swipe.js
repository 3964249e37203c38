// SPDX-License-Identifier: Apache-2.0
// Two moments or releases side by side, with a divider that is drawn along or moved with the arrow keys.
import { fetchJson, say } from './page-data.js';
import { spokenBoth } from './map-time.js';

const base = document.body.dataset.base;
const english = document.documentElement.lang.startsWith('en');

export class Swipe {
  constructor(map, state, warn) {
    Object.assign(this, { map, state, warn, listed: null });
    const get = (id) => document.getElementById(id);
    this.button = get('map-compare');
    this.bar = get('map-sides');
    this.handle = get('map-divider');
    this.labels = [get('map-left'), get('map-right')];
    this.moment = get('map-right-moment');
    this.release = get('map-right-release');
    this.button.addEventListener('click', () => this.toggle());
    this.moment.addEventListener('change', () => this.take({ moment: this.moment.value }));
    this.release.addEventListener('change', () => this.take({ known: this.release.value }));
    this.handle.addEventListener('keydown', (event) => this.key(event));
    this.handle.addEventListener('pointerdown', (event) => this.grip(event));
    state.when(['sides', 'moment', 'known', 'swipe'], () => this.show());
    this.show();
  }

  toggle() {
    const right = { at: 0.5, moment: '', known: '' };
    this.state.change({ swipe: this.state.swipe ? null : right, sides: true });
    if (this.state.swipe) this.moment.focus();
  }

  take(values) {
    this.state.change({ swipe: { ...this.state.swipe, ...values }, sides: true });
  }

  move(at) {
    this.state.change({ swipe: { ...this.state.swipe, at: Math.min(1, Math.max(0, at)) } });
    this.map.render();
  }

  key(event) {
    const moves = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(this.state.swipe.at + moves[event.key]);
  }

  grip(event) {
    event.preventDefault();
    this.handle.focus();
    this.handle.setPointerCapture(event.pointerId);
    const { left, width } = this.map.getTargetElement().getBoundingClientRect();
    const drag = ({ clientX }) => this.move((clientX - left) / width);
    this.handle.addEventListener('pointermove', drag);
    for (const end of ['pointerup', 'pointercancel'])
      this.handle.addEventListener(end, () => this.handle.removeEventListener('pointermove', drag), { once: true });
  }

  show() {
    const { swipe, moment, known } = this.state;
    this.button.setAttribute('aria-pressed', String(Boolean(swipe)));
    for (const part of [this.bar, this.handle, ...this.labels]) part.hidden = !swipe;
    if (!swipe) return;
    if (!this.listed) this.listed = this.list();
    const share = `${(swipe.at * 100).toFixed(1)}%`;
    this.handle.style.left = share;
    this.handle.setAttribute('aria-valuenow', String(Math.round(swipe.at * 100)));
    this.moment.value = swipe.moment.slice(0, 10);
    this.release.value = swipe.known;
    this.labels[0].textContent = spokenBoth(moment, known);
    this.labels[1].textContent = spokenBoth(swipe.moment, swipe.known);
    this.labels[0].style.right = `calc(100% - ${share} + 26px)`;
    this.labels[1].style.left = `calc(${share} + 26px)`;
  }

  /** The releases to choose from, the newest first: what was known when each was published. */
  async list() {
    try {
      const { features } = await fetchJson(`${base}/collections/releases/items?f=json&limit=200`);
      for (const { id, properties } of features) {
        const name = english ? properties.layer_en : properties.title.split(' · ')[0];
        const when = new Date(properties.created).toLocaleString(document.documentElement.lang);
        this.release.add(new Option(say('release', { id, name, when }), properties.created));
      }
    } catch (error) {
      this.listed = null;
      this.warn(error.message);
    }
    this.show();
  }
}

// SPDX-License-Identifier: Apache-2.0
// The time slider: years of a survey, days of events, hours of rain; and "as known on".
import { island, say } from './page-data.js';

const lang = document.documentElement.lang;
const { timezone } = island('map-data', {});
const HOUR = 3600e3;

const dayOf = (time) => new Intl.DateTimeFormat('en-CA', { timeZone: timezone, dateStyle: 'short' }).format(time);


/** A moment as the reader says it. */
export function spoken(moment) {
  if (!moment) return say('now');
  if (!moment.includes('T')) {
    const day = new Date(`${moment}T00:00:00Z`);
    return new Intl.DateTimeFormat(lang, { timeZone: 'UTC', dateStyle: 'long' }).format(day);
  }
  const style = { timeZone: timezone, dateStyle: 'long', timeStyle: 'short' };
  return new Intl.DateTimeFormat(lang, style).format(new Date(moment));
}

/** What is shown, in words: the moment, and as known when. */
export function spokenBoth(moment, known) {
  return known ? say('asKnown', { moment: spoken(moment), known: spoken(known) }) : spoken(moment);
}

/** The moments that a slider goes through: how many there are, the one of a number, the number next to one. */
function stepsOf({ step, from, to }) {
  const last = to ? new Date(to) : new Date();
  if (step === 'year') {
    const first = Number(dayOf(new Date(from)).slice(0, 4));
    const count = Number(dayOf(last).slice(0, 4)) - first + 1;
    return {
      count,
      at: (n) => `${first + n}-12-31`,
      name: (n) => String(first + n),
      near: (moment) => Number(dayOf(new Date(moment)).slice(0, 4)) - first,
    };
  }
  const size = step === 'day' ? 24 * HOUR : HOUR;
  const start = step === 'day' ? Date.parse(`${dayOf(new Date(from))}T00:00:00Z`) : Date.parse(from);
  const end = step === 'day' ? Date.parse(`${dayOf(last)}T00:00:00Z`) : last.getTime();
  const at = (n) => {
    const text = new Date(start + n * size).toISOString();
    return step === 'day' ? text.slice(0, 10) : `${text.slice(0, 19)}Z`;
  };
  return {
    count: Math.round((end - start) / size) + 1,
    at,
    name: (n) => spoken(at(n)),
    near: (moment) => Math.round((Date.parse(moment) - start) / size),
  };
}

export class TimeBar {
  constructor(map, page, state) {
    Object.assign(this, { map, page, state, steps: null, playing: false });
    const get = (id) => document.getElementById(id);
    this.bar = get('map-time');
    this.slider = get('map-slider');
    this.follow = get('map-follow');
    this.playButton = get('map-play');
    this.nowButton = get('map-now');
    this.known = get('map-known');
    this.told = get('map-moment');
    this.slider.addEventListener('input', () => this.choose(Number(this.slider.value)));
    this.follow.addEventListener('change', () => {
      this.pause();
      this.take();
    });
    this.playButton.addEventListener('click', () => (this.playing ? this.pause() : this.play()));
    this.nowButton.addEventListener('click', () => {
      this.pause();
      state.change({ moment: '' });
    });
    this.known.addEventListener('change', () => state.change({ known: this.known.value }));
    state.when(['shown'], () => this.offer());
    state.when(['moment', 'known'], () => this.tell());
    this.offer();
    this.tell();
  }

  /** Offers the times of the layers that are shown, the finest first. */
  offer() {
    const fine = ['hour', 'day', 'year'];
    const timed = [...this.state.shown.keys()]
      .map((id) => [id, this.page.layers[id]])
      .filter(([, layer]) => layer.time?.from)
      .sort(([, a], [, b]) => fine.indexOf(a.time.step) - fine.indexOf(b.time.step));
    const names = timed.map(([id]) => id).join();
    if (names === this.offered) return;
    this.offered = names;
    const before = this.follow.value;
    this.follow.replaceChildren(
      ...timed.map(([id, layer]) => new Option(say(`by_${layer.time.step}`, { name: layer.title }), id)),
    );
    if (timed.some(([id]) => id === before)) this.follow.value = before;
    this.follow.hidden = !timed.length;
    for (const part of [this.slider, this.playButton]) part.disabled = !timed.length;
    if (!timed.length) this.pause();
    this.take();
  }

  take() {
    const layer = this.page.layers[this.follow.value];
    this.steps = layer ? stepsOf(layer.time) : null;
    this.slider.max = String((this.steps?.count ?? 1) - 1);
    this.tell();
  }

  choose(n) {
    this.state.change({ moment: this.steps.at(n) });
  }

  tell() {
    const { moment, known } = this.state;
    if (this.steps) {
      const last = this.steps.count - 1;
      const n = moment ? Math.min(last, Math.max(0, this.steps.near(moment))) : last;
      this.slider.value = String(n);
      this.slider.setAttribute('aria-valuetext', moment ? this.steps.name(n) : say('now'));
    }
    this.nowButton.setAttribute('aria-pressed', String(!moment));
    this.known.value = known.slice(0, 10);
    this.told.textContent = say('shows', { moment: spokenBoth(moment, known) });
  }

  play() {
    this.playing = true;
    this.label();
    // From the end it begins again.
    const next = this.state.moment ? Number(this.slider.value) + 1 : 0;
    this.step(next < this.steps.count ? next : 0);
  }

  step(n) {
    this.choose(n);
    // The next moment waits until this one is drawn and has been seen.
    this.map.once('rendercomplete', () => {
      this.timer = setTimeout(() => {
        if (!this.playing) return;
        if (n + 1 < this.steps.count) this.step(n + 1);
        else this.pause();
      }, 900);
    });
  }

  pause() {
    this.playing = false;
    clearTimeout(this.timer);
    this.label();
  }

  label() {
    const text = say(this.playing ? 'pause' : 'play');
    this.playButton.setAttribute('aria-label', text);
    this.playButton.title = text;
    this.playButton.textContent = this.playing ? '❚❚' : '▶';
  }
}

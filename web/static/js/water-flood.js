// SPDX-License-Identifier: Apache-2.0
// The slider of inundation: how high the water stands above the bed at the chosen station, and what is under it then.
import { say } from './page-data.js';
import { ask } from './water-data.js';
import { tellFlood } from './water-basin.js';

/** Milliseconds that a slider rests before the service is asked. */
const REST = 150;

export class Flood {
  /** parts: elements by name. shown: called with the shapes, or null. */
  constructor(parts, shown) {
    this.parts = parts;
    this.shown = shown;
    this.about = null;
    this.pending = null;
    this.timer = 0;
    parts.slider.addEventListener('input', () => this.slide(Number(parts.slider.value)));
    parts.present.addEventListener('click', () => this.stand({ level_m: this.about.row.level }));
    parts.off.addEventListener('click', () => this.clear());
  }

  /** The floods are now those of another station, or moment; null: of none. */
  setStation(about) {
    const other = about?.row.code !== this.about?.row.code || about?.moment !== this.about?.moment;
    this.about = about;
    const { title, slider, present } = this.parts;
    const usable = about !== null && about.row.kind !== 'reservoir';
    title.textContent = about ? say('floodAt', { name: about.row.name }) : say('floodNowhere');
    slider.disabled = !usable;
    present.disabled = !usable || about.row.level === null;
    if (other) this.clear();
    if (about && !usable) this.parts.told.textContent = say('floodNotHere');
  }

  clear() {
    this.pending?.abort();
    clearTimeout(this.timer);
    this.parts.answer.replaceChildren();
    this.parts.told.textContent = '';
    this.parts.slider.value = 0;
    this.parts.off.hidden = true;
    this.shown(null);
  }

  slide(above) {
    clearTimeout(this.timer);
    this.parts.told.textContent = say('aboveBed', { n: above.toFixed(1) });
    if (above === 0) this.clear();
    else this.timer = setTimeout(() => this.stand({ above_drain_m: above }), REST);
  }

  /** Lets the water stand so high: `above_drain_m`, or `level_m` in the heights of the elevation model. */
  async stand(height) {
    this.pending?.abort();
    const mine = new AbortController();
    this.pending = mine;
    const { about, parts } = this;
    parts.answer.setAttribute('aria-busy', 'true');
    const inputs = { station: about.row.code, ...height };
    if (about.moment) inputs.datetime = about.moment;
    try {
      const answer = await ask('inundation', inputs, mine.signal);
      if (mine.signal.aborted) return;
      parts.slider.value = answer.level.above_drain_m;
      parts.told.textContent = this.words(answer);
      parts.off.hidden = false;
      this.shown(answer.features);
      tellFlood(parts.answer, answer);
    } catch (error) {
      if (mine.signal.aborted) return;
      this.clear();
      parts.told.textContent = error.message;
    } finally {
      if (this.pending === mine) parts.answer.removeAttribute('aria-busy');
    }
  }

  /** The height in words, with the station's warning level where both are in one datum. */
  words({ level, area_ha: area, people, tables }) {
    const { station } = this.about;
    const told = [say('aboveBed', { n: level.above_drain_m.toFixed(2) })];
    if (level.level_m !== undefined) told.push(say('levelIs', { n: level.level_m.toFixed(2), name: level.datum }));
    if (station.wrz !== null && station.dtmnm === level.datum) {
      const over = level.level_m - station.wrz;
      told.push(say(over >= 0 ? 'overWarning' : 'underWarning', { n: Math.abs(over).toFixed(2) }));
    }
    told.push(say('floodedArea', { n: area.toFixed(1) }));
    const known = tables.people.rows.reduce((sum, row) => sum + (row.people ?? 0), 0);
    if (people !== null) told.push(say('people', { n: people }));
    else if (known > 0) told.push(say('peopleAtLeast', { n: known }));
    return told.join(' · ');
  }
}

// SPDX-License-Identifier: Apache-2.0
// The city's clock, whatever that of the reader is.

const DAY = 864e5;

export class Clock {
  constructor(zone) {
    this.zone = zone;
    this.offsets = new Map();
    this.parts = new Intl.DateTimeFormat('en-CA', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      second: '2-digit',
    });
  }

  /** Milliseconds by which the city's clock is ahead of UTC at an instant; told once for each day. */
  offset(instant) {
    const day = Math.floor(instant / DAY);
    if (!this.offsets.has(day)) {
      const at = Object.fromEntries(
        this.parts.formatToParts(day * DAY).map(({ type, value }) => [type, Number(value)]),
      );
      const shown = Date.UTC(at.year, at.month - 1, at.day, at.hour, at.minute, at.second);
      this.offsets.set(day, shown - day * DAY);
    }
    return this.offsets.get(day);
  }

  /** An instant (milliseconds, or ISO text) as what the city's clock shows, counted as if that were UTC. */
  shown(instant) {
    const at = typeof instant === 'string' ? Date.parse(instant) : instant;
    return at + this.offset(at);
  }

  /** `2026-07-01T08:00`, as the city's clock shows it. */
  text(instant) {
    return new Date(this.shown(instant)).toISOString().slice(0, 16);
  }

  /** The same to be read: `2026-07-01 08:00`. */
  words(instant) {
    return this.text(instant).replace('T', ' ');
  }

  /** The instant (ISO) at which the city's clock shows `2026-07-01T08:00`. */
  instant(text) {
    const shown = Date.parse(`${text}Z`);
    return new Date(shown - this.offset(shown - this.offset(shown))).toISOString();
  }
}

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// Measuring lengths and areas on the ellipsoid of CGCS2000, by pointer or with the keyboard at the middle of the map.
import { say } from './page-data.js';
import { area, length } from './ellipsoid.js';
import { chosen } from './map-style.js';
import { overlay } from './map-marks.js';

const lang = document.documentElement.lang;
const figure = (value, digits) => value.toLocaleString(lang, { maximumFractionDigits: digits });
const MU = 10000 / 15;

export function spokenLength(metres) {
  return metres < 1000 ? `${figure(metres, 1)} m` : `${figure(metres / 1000, 3)} km`;
}

export function spokenArea(metres) {
  const large = metres < 1e6 ? `${figure(metres / 1e4, 3)} ha` : `${figure(metres / 1e6, 3)} km²`;
  return `${figure(metres, 0)} m² = ${figure(metres / MU, 2)} ${say('mu')} = ${large}`;
}

export class MeasureTool {
  constructor(map) {
    Object.assign(this, { map, kind: null, points: [] });
    this.source = overlay(map, chosen(), 2002);
    this.told = document.getElementById('map-measured');
    this.value = document.getElementById('map-measured-value');
    this.buttons = new Map(['length', 'area'].map((kind) => [kind, document.getElementById(`map-${kind}`)]));
    for (const [kind, button] of this.buttons)
      button.addEventListener('click', () => (this.kind === kind ? this.end() : this.begin(kind)));
    document.getElementById('map-measured-close').addEventListener('click', () => this.end());
    map.on('click', ({ coordinate }) => this.active && this.add(coordinate));
    map.on('pointermove', ({ coordinate, dragging }) => this.active && !dragging && this.draw(coordinate));
    map.getTargetElement().addEventListener('keydown', (event) => this.key(event));
    map.on('change:view', () => this.active && this.draw());
    this.doubleClick = map.getInteractions().getArray().find((each) => each instanceof ol.interaction.DoubleClickZoom);
  }

  get active() {
    return this.kind !== null;
  }

  begin(kind) {
    this.kind = kind;
    this.points = [];
    this.doubleClick.setActive(false);
    this.draw();
    this.map.getTargetElement().focus({ preventScroll: true });
  }

  end() {
    this.kind = null;
    this.points = [];
    this.source.clear();
    this.doubleClick.setActive(true);
    this.press();
    this.map.getTargetElement().focus({ preventScroll: true });
  }

  key(event) {
    if (!this.active) return;
    if (event.key === 'Enter') this.add(this.map.getView().getCenter());
    else if (event.key === 'Backspace') {
      event.preventDefault();
      this.points.pop();
      this.draw();
    }
  }

  add(coordinate) {
    this.points.push(ol.proj.toLonLat(coordinate, this.map.getView().getProjection()));
    this.draw();
  }

  /** pointer: where the next point would be. */
  draw(pointer) {
    const projection = this.map.getView().getProjection();
    const next = pointer && this.points.length ? [ol.proj.toLonLat(pointer, projection)] : [];
    const points = [...this.points, ...next];
    const drawn = points.map((point) => ol.proj.fromLonLat(point, projection));
    const closed = this.kind === 'area' && drawn.length > 2;
    const shape = closed ? new ol.geom.Polygon([[...drawn, drawn[0]]]) : new ol.geom.LineString(drawn);
    this.source.clear();
    if (drawn.length > 1) this.source.addFeature(new ol.Feature(shape));
    const corners = drawn.slice(0, this.points.length);
    this.source.addFeatures(corners.map((point) => new ol.Feature(new ol.geom.Point(point))));
    this.press();
    this.told.dataset.points = String(this.points.length);
    if (this.kind === 'length') {
      this.told.dataset.metres = String(length(points));
      this.value.textContent = spokenLength(length(points));
    } else {
      this.told.dataset.metres = String(area(points));
      this.value.textContent = points.length > 2 ? spokenArea(area(points)) : say('threePoints');
    }
  }

  press() {
    this.told.hidden = !this.active;
    for (const [kind, button] of this.buttons) button.setAttribute('aria-pressed', String(kind === this.kind));
    this.map.getTargetElement().classList.toggle('measuring', this.active);
  }
}

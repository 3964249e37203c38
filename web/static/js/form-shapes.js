// SPDX-License-Identifier: Apache-2.0
/* global ol */
// Surfaces as an input: drawn on a map or pasted as GeoJSON; the text is what is sent, and the map shows it.
import { island, localized, say } from './page-data.js';
import { area } from './ellipsoid.js';
import { make } from './dom.js';
import { makeMap } from './map.js';
import { spokenArea } from './map-measure.js';
import { chosen } from './map-style.js';

const LONLAT = 'EPSG:4326';
const base = document.body.dataset.base;

/** Digits of a degree that are kept: a millimetre. */
const DIGITS = 8;

/** The field's element for `text`, a textarea that holds GeoJSON. layers: what the map shows beneath, by id. */
export function withShapes(name, text, layers = []) {
  const target = make('div', { class: 'map map-shape', tabindex: '0', role: 'application', 'aria-label': say('drawHere') });
  const told = make('span', { class: 'muted', role: 'status', id: `told-${name}` });
  const buttons = Object.fromEntries(
    ['draw', 'corner', 'undo', 'finish', 'clear'].map((key) => [
      key,
      make('button', { type: 'button', class: 'button', 'data-shape': key }, say(`shape_${key}`)),
    ]),
  );
  const element = make(
    'div',
    { class: 'shapes' },
    make('div', { class: 'actions' }, Object.values(buttons), told),
    make('div', { class: 'map-stage-small' }, target, make('div', { class: 'map-cross' }), samples(layers)),
    make('small', { class: 'muted' }, say('drawHow')),
    text,
  );
  // The map measures its element, which has no size until it is in the page.
  requestAnimationFrame(() => {
    const map = makeMap(target);
    if (!map) Object.values(buttons).forEach((button) => (button.hidden = true));
    else new Shapes(map, text, buttons, told, layers);
  });
  return element;
}

/** The label that data is a sample, where it is. */
function samples(layers) {
  const known = island('process', {}).layers ?? {};
  return layers.some((id) => known[id]?.generated) ? make('span', { class: 'sample' }, say('sample')) : null;
}

class Shapes {
  constructor(map, text, buttons, told, layers) {
    Object.assign(this, { map, text, buttons, told });
    this.format = new ol.format.GeoJSON({ dataProjection: LONLAT, featureProjection: map.getView().getProjection() });
    this.source = new ol.source.Vector();
    layers.forEach((id) => map.addLayer(pictures(id)));
    map.addLayer(new ol.layer.Vector({ source: this.source, style: chosen(), zIndex: 2000 }));
    this.draw = new ol.interaction.Draw({ type: 'Polygon', source: this.source, style: chosen(), stopClick: true });
    this.modify = new ol.interaction.Modify({ source: this.source });
    for (const each of [this.modify, this.draw]) map.addInteraction(each);
    this.draw.on('drawstart', () => this.note());
    this.draw.on('drawend', () => setTimeout(() => this.end()));
    this.modify.on('modifyend', () => this.write());
    this.corners = 0;
    this.draw.on('drawstart', ({ feature }) => {
      feature.getGeometry().on('change', ({ target }) => {
        this.corners = Math.max(0, target.getCoordinates()[0].length - 2);
        this.press();
      });
    });
    buttons.draw.addEventListener('click', () => (this.drawing ? this.stop() : this.begin()));
    buttons.corner.addEventListener('click', () => this.corner());
    buttons.undo.addEventListener('click', () => this.draw.removeLastPoint());
    buttons.finish.addEventListener('click', () => this.draw.finishDrawing());
    buttons.clear.addEventListener('click', () => this.clear());
    text.addEventListener('input', () => this.read());
    map.getTargetElement().addEventListener('keydown', (event) => this.key(event));
    this.stop();
    this.read();
  }

  get drawing() {
    return this.draw.getActive();
  }

  begin() {
    this.draw.setActive(true);
    this.modify.setActive(false);
    this.press();
    this.map.getTargetElement().focus({ preventScroll: true });
  }

  stop() {
    this.draw.abortDrawing();
    this.draw.setActive(false);
    this.modify.setActive(true);
    this.corners = 0;
    this.press();
  }

  end() {
    this.stop();
    this.write();
  }

  clear() {
    this.stop();
    this.source.clear();
    this.write();
  }

  /** A corner where the cross is, for who draws without a pointer. */
  corner() {
    if (!this.drawing) this.begin();
    this.draw.appendCoordinates([this.map.getView().getCenter()]);
  }

  key(event) {
    if (!this.drawing) return;
    if (event.key === 'Enter') this.corner();
    else if (event.key === 'Backspace') this.draw.removeLastPoint();
    else if (event.key === 'Escape') this.stop();
    else return;
    event.preventDefault();
  }

  /** From the map into the text. */
  write() {
    const parts = this.source
      .getFeatures()
      .map((feature) => this.format.writeGeometryObject(feature.getGeometry(), { decimals: DIGITS, rightHanded: true }))
      .flatMap(({ type, coordinates }) => (type === 'MultiPolygon' ? coordinates : [coordinates]));
    const several = { type: 'MultiPolygon', coordinates: parts };
    const geometry = parts.length === 1 ? { type: 'Polygon', coordinates: parts[0] } : several;
    this.text.value = parts.length ? JSON.stringify(geometry) : '';
    this.note();
  }

  /** From the text onto the map, where it is a surface in degrees; whether it can be one is for the server to say. */
  read() {
    this.source.clear();
    try {
      const features = this.format.readFeatures(JSON.parse(this.text.value));
      const surfaces = features.filter((feature) => feature.getGeometry()?.getType().endsWith('Polygon'));
      const extent = ol.extent.createEmpty();
      surfaces.forEach((feature) => ol.extent.extend(extent, feature.getGeometry().getExtent()));
      if (surfaces.length && extent.every((value) => Number.isFinite(value) && Math.abs(value) < 2.1e7)) {
        this.source.addFeatures(surfaces);
        this.map.getView().fit(extent, { padding: [40, 40, 40, 40], maxZoom: 17 });
      }
    } catch {
      // It is being written.
    }
    this.note();
  }

  note() {
    const total = this.source.getFeatures().reduce((sum, feature) => sum + areaOf(feature, this.map), 0);
    this.told.textContent = total ? spokenArea(total) : '';
    this.press();
  }

  press() {
    this.buttons.draw.setAttribute('aria-pressed', String(this.drawing));
    this.buttons.undo.disabled = !this.drawing || this.corners < 1;
    this.buttons.finish.disabled = !this.drawing || this.corners < 3;
    this.buttons.clear.disabled = !this.drawing && !this.source.getFeatures().length;
    this.map.getTargetElement().classList.toggle('drawing', this.drawing);
    this.map.getTargetElement().dataset.corners = String(this.corners);
  }
}

function areaOf(feature, map) {
  const geometry = feature.getGeometry().clone().transform(map.getView().getProjection(), LONLAT);
  const polygons = geometry.getType() === 'Polygon' ? [geometry.getCoordinates()] : geometry.getCoordinates();
  // Rings come closed, and the measure closes them itself.
  const ofRing = (ring) => area(ring.slice(0, -1));
  return polygons.reduce(
    (sum, [outer, ...holes]) => sum + ofRing(outer) - holes.reduce((hole, ring) => hole + ofRing(ring), 0),
    0,
  );
}

/** A layer as the service draws it. Seen from farther away a map of the city is no place to draw a site. */
function pictures(id) {
  const url = localized(`${base}/collections/${id}/map/tiles/WebMercatorQuad/{z}/{y}/{x}?f=png`);
  const source = new ol.source.XYZ({ url: url.replaceAll('%7B', '{').replaceAll('%7D', '}'), maxZoom: 18 });
  return new ol.layer.Tile({ source, opacity: 0.7, minZoom: 9.5 });
}

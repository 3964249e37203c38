// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The map page: puts the parts together around one state.
import { fetchJson, island, say } from './page-data.js';
import { make } from './dom.js';
import { gridFrom } from './map.js';
import { LayerStack } from './map-layers.js';
import { Marks } from './map-marks.js';
import { MeasureTool } from './map-measure.js';
import { PointPanel } from './map-point.js';
import { offerPicture } from './map-print.js';
import { SearchBox } from './map-search.js';
import { MapState } from './map-state.js';
import { restore, shareView } from './map-share.js';
import { Swipe } from './map-swipe.js';
import { TimeBar } from './map-time.js';
import { buildTree } from './map-tree.js';

const base = document.body.dataset.base;
const page = island('map-data');
const target = document.getElementById('map');
const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;
const MERCATOR = { projection: 'EPSG:3857', first: 0 };

function warn(text) {
  document.getElementById('map-note-text').textContent = text;
  document.getElementById('map-note').hidden = !text;
}

function viewOf(projection, { center, zoom }) {
  return new ol.View({
    projection,
    center: ol.proj.fromLonLat(center, projection),
    zoom,
    minZoom: 7,
    maxZoom: 20,
    enableRotation: false,
  });
}

function makeMap() {
  const [west, south, east, north] = page.bbox;
  const tips = { zoomInTipLabel: say('zoomInTip'), zoomOutTipLabel: say('zoomOutTip') };
  return new ol.Map({
    target,
    controls: ol.control.defaults
      .defaults({ attribution: false, rotate: false, zoomOptions: tips })
      .extend([new ol.control.ScaleLine()]),
    view: viewOf(MERCATOR.projection, { center: [(west + east) / 2, (south + north) / 2], zoom: 9 }),
  });
}

class MapPage {
  constructor() {
    this.state = new MapState(page.layers);
    this.map = makeMap();
    this.grid = MERCATOR;
    this.stack = new LayerStack(this.map, page, warn);
    this.marks = new Marks(this.map);
    this.panel = new PointPanel({ map: this.map, page, state: this.state, marks: this.marks, warn });
    this.measure = new MeasureTool(this.map);
    this.swipe = new Swipe(this.map, this.state, warn);
    this.time = new TimeBar(this.map, page, this.state);
    this.search = new SearchBox(page, this.state, (chosen) => this.go(chosen), warn);
    const hint = buildTree(document.getElementById('map-tree'), page, this.state, {
      zoomTo: (box) => this.fit(ol.proj.transformExtent(box, 'EPSG:4326', this.grid.projection)),
      zoomOf: () => this.map.getView().getZoom(),
    });
    this.map.on('moveend', hint);
    this.listen();
  }

  async start() {
    const view = restore(this.state, page);
    await this.takeGrid();
    if (view) this.map.setView(viewOf(this.grid.projection, view));
    else this.fit(ol.proj.transformExtent(page.bbox, 'EPSG:4326', this.grid.projection), 0);
    this.draw();
    this.state.when(['grid'], () => this.takeGrid());
    this.state.when(['shown', 'moment', 'known', 'sides'], () => this.draw());
    shareView(this.map, this.state, () => this.again());
    offerPicture({ map: this.map, page, state: this.state, stack: this.stack, warn });
  }

  /** Another link was opened on the page. */
  async again() {
    const view = restore(this.state, page);
    await this.takeGrid();
    if (view) this.map.setView(viewOf(this.grid.projection, view));
  }

  draw() {
    target.dataset.ready = 'false';
    this.stack.sync(this.state, this.grid);
    const drawn = ['districts', ...this.state.shown.keys()];
    const generated = drawn.some((id) => page.layers[id]?.generated);
    document.getElementById('map-sample').hidden = !generated;
  }

  /** The same place in the chosen grid, whose levels the service tells. */
  async takeGrid() {
    const { grid } = this.state;
    try {
      const other = grid !== 'WebMercatorQuad';
      const taken = other ? gridFrom(await fetchJson(`${base}/tileMatrixSets/${grid}?f=json`)) : MERCATOR;
      const view = this.map.getView();
      const center = ol.proj.toLonLat(view.getCenter(), view.getProjection());
      this.grid = taken;
      if (taken.projection !== view.getProjection().getCode())
        this.map.setView(viewOf(taken.projection, { center, zoom: view.getZoom() }));
      this.stack.layBackdrop(this.state, taken);
      this.draw();
    } catch (error) {
      warn(error.message);
      this.state.change({ grid: 'WebMercatorQuad' });
    }
    document.getElementById('map-grid').value = this.state.grid;
  }

  fit(extent, duration = still ? 0 : 300) {
    this.map.getView().fit(extent, { padding: [40, 40, 40, 40], maxZoom: 15, duration });
  }

  /** Goes to what was found and marks it. */
  go({ lonlat, geometries }) {
    this.marks.clear();
    if (lonlat) {
      this.marks.point(lonlat);
      const place = ol.proj.fromLonLat(lonlat, this.grid.projection);
      const view = this.map.getView();
      view.animate({ center: place, zoom: Math.max(14, view.getZoom()), duration: still ? 0 : 300 });
    } else {
      this.fit(this.marks.outline(geometries));
    }
    closeSide();
    target.focus({ preventScroll: true });
  }

  listen() {
    this.map.on('rendercomplete', () => {
      target.dataset.ready = 'true';
    });
    this.map.on('movestart', () => {
      target.dataset.ready = 'false';
    });
    this.map.on('singleclick', ({ coordinate }) => {
      if (!this.measure.active) this.ask(coordinate);
    });
    // The keyboard asks at the cross in the middle of the map.
    target.addEventListener('keydown', (event) => {
      if (event.key === 'Enter' && event.target === target && !this.measure.active)
        this.ask(this.map.getView().getCenter());
    });
    document.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      if (this.measure.active) this.measure.end();
      else if (this.panel.open) this.panel.close();
      else closeSide();
    });
    const grid = document.getElementById('map-grid');
    grid.addEventListener('change', () => this.state.change({ grid: grid.value }));
    document.getElementById('map-note-close').addEventListener('click', () => warn(''));
  }

  ask(coordinate) {
    this.panel.ask(ol.proj.toLonLat(coordinate, this.grid.projection));
  }
}

const sideButton = document.getElementById('map-side-button');
const side = document.getElementById('map-side');

function openSide(open) {
  side.dataset.open = String(open);
  sideButton.setAttribute('aria-expanded', String(open));
}

function closeSide() {
  if (side.dataset.open !== 'true') return;
  openSide(false);
  if (sideButton.offsetParent) sideButton.focus();
}

sideButton.addEventListener('click', () => openSide(side.dataset.open !== 'true'));
document.getElementById('map-side-close').addEventListener('click', closeSide);

if (typeof ol === 'undefined') target.replaceChildren(make('p', { class: 'notice' }, say('noMap')));
else new MapPage().start();

// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The shown layers as layers of OpenLayers: only these are loaded, each for the moment that is chosen.
import { say } from './page-data.js';
import { backdropLayers, tileLayer } from './map.js';
import { declared } from './map-style.js';
import { timeOf } from './map-state.js';

const base = document.body.dataset.base;

/** What is to be drawn: one entry for each layer, two while two moments are compared. */
function plan(state, layers) {
  const sides = state.swipe
    ? [
        ['left', state.moment, state.known],
        ['right', state.swipe.moment, state.swipe.known],
      ]
    : [['whole', state.moment, state.known]];
  return [...state.shown].flatMap(([id, how]) =>
    sides.map(([side, moment, known]) => {
      const layer = layers[id];
      const asked = new URLSearchParams({ f: layer.styles ? 'png' : 'mvt' });
      if (layer.styles) asked.set('style', how.style);
      for (const [name, value] of Object.entries(timeOf(layer, moment, known))) asked.set(name, value);
      const path = `collections/${id}/${layer.styles ? 'map/tiles' : 'tiles'}/${state.grid}/{z}/{y}/{x}`;
      return { id, side, how, url: `${base}/${path}?${asked}`, place: `${id} ${side}` };
    }),
  );
}

export class LayerStack {
  /** warn: hears of tiles that could not be loaded. */
  constructor(map, page, warn) {
    this.map = map;
    this.page = page;
    this.warn = warn;
    this.drawn = new Map();
    this.backdrop = [];
  }

  sync(state, grid) {
    const wanted = plan(state, this.page.layers);
    const urls = new Set(wanted.map(({ url, side }) => `${side} ${url}`));
    const places = new Set(wanted.map(({ place }) => place));
    const stale = [];
    for (const [key, { layer, place }] of this.drawn) {
      if (urls.has(key)) continue;
      this.drawn.delete(key);
      // The old moment stays until the new one is there, so that nothing flickers.
      if (places.has(place)) stale.push(layer);
      else this.map.removeLayer(layer);
    }
    for (const each of wanted) this.place(each, state, grid);
    if (stale.length) this.map.once('rendercomplete', () => stale.forEach((layer) => this.map.removeLayer(layer)));
    this.map.render();
  }

  place({ id, side, how, url, place }, state, grid) {
    const key = `${side} ${url}`;
    if (!this.drawn.has(key)) {
      const layer = this.make(id, url, state, grid);
      layer.setZIndex(this.page.layers[id].order);
      layer.set('id', id);
      layer.set('side', side);
      if (side !== 'whole') clip(layer, side, state, this.map);
      this.drawn.set(key, { layer, place });
      this.map.addLayer(layer);
    }
    this.drawn.get(key).layer.setOpacity(how.opacity);
  }

  make(id, url, state, grid) {
    const told = this.page.layers[id];
    const [first, last] = told.zooms[state.grid];
    const zoom = { min: first - grid.first, max: last - grid.first };
    let layer;
    if (told.styles) {
      layer = pictures(url, zoom, grid);
    } else {
      // Names of districts are the backdrop's, which writes each once.
      const style = id === 'districts' ? { ...told.style, label: undefined } : told.style;
      // What is decluttered is written after all layers, beyond the edge at which sides are cut.
      const declutter = !state.swipe;
      layer = tileLayer(url, { ...grid, zoom, declutter, style: declared(style, grid.projection) });
    }
    layer.setExtent(ol.proj.transformExtent(wider(this.page.bbox), 'EPSG:4326', grid.projection));
    layer.getSource().on('tileloaderror', () => this.warn(say('tilesFailed', { name: told.title })));
    return layer;
  }

  /** The districts below all others; there is no outside base map. */
  layBackdrop(state, grid) {
    for (const layer of this.backdrop) this.map.removeLayer(layer);
    const districts = this.page.layers.districts;
    if (!districts) return;
    const [first, last] = districts.zooms[state.grid];
    const url = `${base}/collections/districts/tiles/${state.grid}/{z}/{y}/{x}?f=mvt`;
    this.backdrop = backdropLayers(url, { ...grid, zoom: { min: first - grid.first, max: last - grid.first } });
    for (const layer of this.backdrop) this.map.addLayer(layer);
  }

  /** The values of the style's field that a layer shows in the window now. */
  valuesSeen(id) {
    const field = this.page.layers[id].style?.by;
    const extent = this.map.getView().calculateExtent(this.map.getSize());
    const seen = new Set();
    for (const { layer } of this.drawn.values()) {
      if (layer.get('id') !== id) continue;
      for (const feature of layer.getFeaturesInExtent(extent)) seen.add(feature.get(field));
    }
    return seen;
  }
}

function pictures(url, zoom, grid) {
  const whole = grid.tileGrid ?? ol.tilegrid.createXYZ({ maxZoom: 22 });
  const resolutions = whole.getResolutions().slice(0, zoom.max + 1);
  return new ol.layer.Tile({
    minZoom: zoom.min ? zoom.min - 0.5 : undefined,
    source: new ol.source.TileImage({
      projection: grid.projection,
      tileGrid: new ol.tilegrid.TileGrid({
        origins: resolutions.map((_, z) => whole.getOrigin(z)),
        resolutions,
        tileSize: 256,
        minZoom: zoom.min,
      }),
      tileUrlFunction: ([z, x, y]) =>
        url
          .replace('{z}', z + grid.first)
          .replace('{x}', x)
          .replace('{y}', y),
    }),
  });
}

function wider([west, south, east, north]) {
  return [west - 0.1, south - 0.1, east + 0.1, north + 0.1];
}

/** Draws a layer left or right of the divider only. */
function clip(layer, side, state, map) {
  layer.on('prerender', (event) => {
    const [width, height] = map.getSize();
    const at = width * (state.swipe?.at ?? 1);
    const [from, to] = side === 'left' ? [0, at] : [at, width];
    const { context } = event;
    context.save();
    context.beginPath();
    for (const corner of [
      [from, 0],
      [to, 0],
      [to, height],
      [from, height],
    ])
      context.lineTo(...ol.render.getRenderPixel(event, corner));
    context.closePath();
    context.clip();
  });
  layer.on('postrender', ({ context }) => context.restore());
}

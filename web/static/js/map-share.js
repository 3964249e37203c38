// SPDX-License-Identifier: Apache-2.0
/* global ol */
// The view as a part of the page's address, so that a link shows the same.
import { say } from './page-data.js';
import { asDeclared } from './map-state.js';

const GRIDS = ['WebMercatorQuad', 'c'];

/** The state as text: `layers` as id.style@opacity, `at` as longitude, latitude, zoom. */
function written(map, state) {
  const view = map.getView();
  const [lon, lat] = ol.proj.toLonLat(view.getCenter(), view.getProjection());
  const layers = [...state.shown].map(
    ([id, { opacity, style }]) => `${id}${style ? `.${style}` : ''}${opacity < 1 ? `@${opacity}` : ''}`,
  );
  const parts = { layers: layers.join(), at: `${lon.toFixed(5)},${lat.toFixed(5)},${view.getZoom().toFixed(2)}` };
  if (state.grid !== GRIDS[0]) parts.grid = state.grid;
  if (state.moment) parts.moment = state.moment;
  if (state.known) parts.known = state.known;
  if (state.swipe) {
    parts.split = state.swipe.at.toFixed(3);
    if (state.swipe.moment) parts.rightMoment = state.swipe.moment;
    if (state.swipe.known) parts.rightKnown = state.swipe.known;
  }
  return Object.entries(parts)
    .map(([name, value]) => `${name}=${encodeURIComponent(value).replace(/%(2C|3A|40)/g, decodeURIComponent)}`)
    .join('&');
}

const isTime = (text) => Boolean(text) && Number.isFinite(Date.parse(text));

/** Puts what the address says into the state; gives centre and zoom, or null where it says none. */
export function restore(state, page) {
  const given = new URLSearchParams(window.location.hash.slice(1));
  const values = {};
  if (given.has('layers')) {
    values.shown = new Map();
    for (const entry of given.get('layers').split(',')) {
      const [, id, style, opacity] = /^(\w+)(?:\.(\w+))?(?:@([\d.]+))?$/.exec(entry) ?? [];
      const layer = page.layers[id];
      if (!layer) continue;
      const how = asDeclared(layer);
      if (layer.styles?.some((each) => each.id === style)) how.style = style;
      if (opacity) how.opacity = Math.min(1, Math.max(0.1, Number(opacity) || 1));
      values.shown.set(id, how);
    }
  }
  const time = (name) => (isTime(given.get(name)) ? given.get(name) : '');
  Object.assign(values, { moment: time('moment'), known: time('known') });
  values.grid = GRIDS.includes(given.get('grid')) ? given.get('grid') : GRIDS[0];
  const at = Number.parseFloat(given.get('split'));
  values.swipe = Number.isFinite(at)
    ? { at: Math.min(1, Math.max(0, at)), moment: time('rightMoment'), known: time('rightKnown') }
    : null;
  state.change({ ...values, sides: true });
  const [lon, lat, zoom] = (given.get('at') ?? '').split(',').map(Number);
  const sound = Math.abs(lon) <= 180 && Math.abs(lat) <= 85 && zoom > 0;
  return sound ? { center: [lon, lat], zoom } : null;
}

/** Keeps the address up to date, and copies it on request. again: called where another one is opened. */
export function shareView(map, state, again) {
  const update = () => {
    const hash = `#${written(map, state)}`;
    window.history.replaceState(null, '', hash);
    for (const link of document.querySelectorAll('[data-lang]')) link.hash = hash;
  };
  map.on('moveend', update);
  state.addEventListener('change', update);
  window.addEventListener('hashchange', again);
  update();
  const button = document.getElementById('map-copy');
  const said = document.getElementById('map-copied');
  button.addEventListener('click', async () => {
    update();
    const link = new URL(window.location.href);
    link.searchParams.set('lang', document.documentElement.lang);
    await copy(link.href);
    said.textContent = say('copied');
    setTimeout(() => {
      said.textContent = '';
    }, 4000);
  });
}

/** Copies a text. The clipboard is for pages with https only; elsewhere the text is selected and copied. */
async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) {
    try {
      await navigator.clipboard.writeText(text);
      return;
    } catch {
      // The reader has not allowed it: the old way needs no leave.
    }
  }
  const field = document.createElement('textarea');
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
  document.getElementById('map-copy').focus();
}

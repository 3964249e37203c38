// SPDX-License-Identifier: Apache-2.0
// The tree of layers by theme: what is shown, how strongly, in which style, and what its colours mean.
import { localized, say } from './page-data.js';
import { make } from './dom.js';
import { asDeclared } from './map-state.js';
import { legendList } from './map-legend.js';

const base = document.body.dataset.base;

export function buildTree(target, page, state, { zoomTo, zoomOf }) {
  const items = new Map();
  for (const theme of page.themes) {
    const heading = make('h2', {}, theme.title);
    const rows = theme.layers.map((id) => {
      const item = layerItem(id, page.layers[id], state, zoomTo);
      items.set(id, item);
      return item.row;
    });
    target.append(make('section', { class: 'theme' }, heading, make('ul', { class: 'tree' }, rows)));
  }
  const update = () => {
    for (const [id, item] of items) item.update(state.shown.get(id));
  };
  const hint = () => {
    for (const [id, { far }] of items) {
      const { zooms, styles } = page.layers[id];
      // Vector tiles have 512 pixels in Web Mercator: they come one zoom later.
      const needed = zooms.WebMercatorQuad[0] + (styles ? 0 : 1);
      far.hidden = !state.shown.has(id) || zoomOf() >= needed - 0.1;
      far.textContent = say('zoomIn', { n: needed });
    }
  };
  state.when(['shown'], () => {
    update();
    hint();
  });
  update();
  hint();
  return hint;
}

function layerItem(id, layer, state, zoomTo) {
  const box = make('input', { type: 'checkbox', id: `show-${id}` });
  const far = make('small', { class: 'far' });
  const sample = layer.generated ? make('span', { class: 'sample' }, say('sample')) : null;
  const opacity = make('input', { type: 'range', min: '0.1', max: '1', step: '0.05', value: '1' });
  const style = layer.styles ? make('select', {}, layer.styles.map((each) => new Option(each.title, each.id))) : null;
  const legend = make('div', {});
  const zoom = make('button', { type: 'button', class: 'button' }, say('zoomTo'));
  const how = () => state.shown.get(id) ?? asDeclared(layer);

  box.addEventListener('change', () => state.show(id, box.checked ? asDeclared(layer) : null));
  opacity.addEventListener('input', () => state.show(id, { ...how(), opacity: Number(opacity.value) }));
  style?.addEventListener('change', () => state.show(id, { ...how(), style: style.value }));
  zoom.addEventListener('click', () => zoomTo(layer.extent));

  const called = say('moreOf', { name: layer.title });
  const more = make(
    'details',
    { class: 'layer-more' },
    make('summary', { 'aria-label': called, title: called }),
    make(
      'div',
      {},
      make('p', { class: 'muted' }, layer.description, ' ', sample),
      make('label', { class: 'slide' }, say('opacity'), opacity),
      style ? make('label', { class: 'slide' }, say('style'), style) : null,
      legend,
      make(
        'p',
        { class: 'actions' },
        zoom,
        make('a', { class: 'button', href: localized(`${base}/collections/${id}?f=html`) }, say('aboutLayer')),
      ),
    ),
  );
  let drawn = null;
  const drawLegend = () => {
    const { style: chosen } = how();
    if (!more.open || drawn === chosen) return;
    drawn = chosen;
    legend.replaceChildren(legendList(layer, chosen));
  };
  more.addEventListener('toggle', drawLegend);
  const label = make('label', { for: `show-${id}` }, layer.title, far);
  const row = make('li', { 'data-layer': id }, box, label, more);
  return {
    row,
    far,
    update(shown) {
      box.checked = Boolean(shown);
      opacity.value = String(shown?.opacity ?? 1);
      if (style) style.value = how().style;
      drawLegend();
    },
  };
}

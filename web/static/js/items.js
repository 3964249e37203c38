// SPDX-License-Identifier: Apache-2.0
// The pages of features and of one feature: map, labels from the schema, filter form.
import { island, learnLabels } from './page-data.js';
import { featureLayer, makeMap, showAttributes, viewBox } from './map.js';

const page = island('items-page');
const data = island('items-data');
const form = document.querySelector('[data-items-filter]');
const labels = {};
const target = document.getElementById('items-map') ?? document.getElementById('item-map');

function drawMap() {
  if (!target || !data) return null;
  if (typeof ol === 'undefined') return makeMap(target);
  const layer = featureLayer(data);
  const empty = layer.getSource().isEmpty();
  const map = makeMap(target, { layers: [layer], extent: empty ? null : layer.getSource().getExtent() });
  if (target.id === 'items-map') linkRows(map, layer);
  return map;
}

function linkRows(map, layer) {
  const rows = new Map([...document.querySelectorAll('#items tbody tr')].map((row) => [row.dataset.id, row]));
  const select = (id) => {
    for (const [key, row] of rows) row.classList.toggle('chosen', key === id);
  };
  const show = showAttributes(map, document.getElementById('items-map-note'), [layer], {
    labels,
    onPick: (feature) => {
      const id = feature ? String(feature.getId()) : null;
      select(id);
      rows.get(id)?.scrollIntoView({ block: 'nearest' });
    },
  });
  for (const [id, row] of rows) {
    row.addEventListener('click', (event) => {
      if (event.target.closest('a')) return;
      const feature = layer
        .getSource()
        .getFeatures()
        .find((one) => String(one.getId()) === id);
      if (!feature) return;
      select(id);
      show(feature);
      map.getView().fit(feature.getGeometry().getExtent(), { padding: [40, 40, 40, 40], maxZoom: 15, duration: 250 });
    });
  }
}

async function labelColumns() {
  const cells = document.querySelectorAll('[data-name]');
  if (!cells.length) return;
  await learnLabels(page.collection, labels);
  for (const cell of cells) {
    const label = labels[cell.dataset.name];
    if (!label || label === cell.dataset.name) continue;
    cell.textContent = label;
    cell.title = cell.dataset.name;
  }
}

function prepareFilter(map) {
  const given = new URLSearchParams(window.location.search);
  const columns = new Set([...document.querySelectorAll('#items th[data-name]')].map((cell) => cell.dataset.name));
  const kept = new Set(['filter', 'filter-lang', 'filter-crs', 'crs', 'sortby', 'properties', 'q']);
  for (const [name, value] of given) {
    const field = form.elements[name];
    if (field && name !== 'f' && name !== 'lang') {
      if (field.tagName === 'SELECT' && ![...field.options].some((option) => option.value === value))
        field.add(new Option(value));
      field.value = value;
    } else if (kept.has(name) || columns.has(name)) {
      const input = document.createElement('input');
      Object.assign(input, { type: 'hidden', name, value });
      form.append(input);
    }
  }
  const button = form.querySelector('[data-bbox]');
  button.disabled = !map;
  button.addEventListener('click', () => {
    form.elements.bbox.value = viewBox(map)
      .map((number) => number.toFixed(4))
      .join(',');
  });
}

const map = drawMap();
if (form) prepareFilter(map);
labelColumns();

// SPDX-License-Identifier: Apache-2.0
import { fetchJson, island } from './page-data.js';
import { boxLayer, gridFrom, makeMap, tileLayer } from './map.js';

const page = island('tiles');
const select = document.getElementById('grid');
const target = document.getElementById('tiles-map');
const note = document.getElementById('tiles-map-note');
const base = document.body.dataset.base;
let map = null;

async function draw() {
  const grid = select.value;
  const url = page.template.replace('{tileMatrixSetId}', grid);
  document.getElementById('tile-address').textContent = url;
  document.querySelector('[data-metadata]').href = `${page.collection}/tiles/${grid}`;
  map?.setTarget(null);
  target.replaceChildren();
  delete target.dataset.ready;
  note.textContent = '';
  if (typeof ol === 'undefined') {
    makeMap(target);
    return;
  }
  const pattern = url.replace('{tileMatrix}', '{z}').replace('{tileRow}', '{y}').replace('{tileCol}', '{x}');
  const [min, max] = page.zooms[grid];
  const [box] = page.bounds;
  try {
    const other = grid === 'WebMercatorQuad' ? {} : gridFrom(await fetchJson(`${base}/tileMatrixSets/${grid}?f=json`));
    const first = other.first ?? 0;
    const layer = tileLayer(pattern, { ...other, zoom: { min: min - first, max: max - first } });
    map = makeMap(target, { layers: [layer, boxLayer(box, other.projection)], box, projection: other.projection });
  } catch (error) {
    note.textContent = error.message;
  }
}

select.addEventListener('change', draw);
draw();

// SPDX-License-Identifier: Apache-2.0
import { fetchJson, island } from './page-data.js';
import { boxLayer, gridFrom, makeMap, tileLayer } from './map.js';

const page = island('tiles');
const select = document.getElementById('grid');
const target = document.getElementById('tiles-map');
const note = document.getElementById('tiles-map-note');
const base = document.body.dataset.base;
let map = null;

function address(grid) {
  const template = page.template || `${page.collection}/tiles/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}?f=mvt`;
  return template.replace('{dataset}', page.collection.split('/').pop()).replace('{tileMatrixSetId}', grid);
}

async function draw() {
  const grid = select.value;
  const url = address(grid);
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
  const zoom = { min: page.minzoom, max: page.maxzoom };
  const box = Array.isArray(page.bounds[0]) ? page.bounds[0] : page.bounds;
  try {
    const other = grid === 'WebMercatorQuad' ? {} : gridFrom(await fetchJson(`${base}/TileMatrixSets/${grid}?f=json`));
    const layer =
      page.kind === 'vector'
        ? tileLayer(pattern, { ...other, zoom })
        : new ol.layer.Tile({ source: new ol.source.XYZ({ url: pattern, ...other, maxZoom: zoom.max }) });
    map = makeMap(target, { layers: [layer, boxLayer(box, other.projection)], box, projection: other.projection });
  } catch (error) {
    note.textContent = error.message;
  }
}

select.addEventListener('change', draw);
draw();

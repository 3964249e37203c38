// SPDX-License-Identifier: Apache-2.0
import { fetchJson, island, learnLabels, say } from './page-data.js';
import { boxLayer, featureLayer, makeMap, showAttributes, tileLayer } from './map.js';

const layer = island('layer');
const note = document.getElementById('collection-map-note');

async function start() {
  if (typeof ol === 'undefined') return makeMap('collection-map');
  const layers = [boxLayer(layer.bbox)];
  const data = [];
  if (layer.tiles) {
    data.push(tileLayer(layer.tiles, { zoom: layer.zoom }));
  } else if (layer.items) {
    try {
      data.push(featureLayer(await fetchJson(`${layer.items}?f=json&limit=100`)));
    } catch (error) {
      note.textContent = error.message;
    }
  }
  const map = makeMap('collection-map', { layers: [...data, ...layers], box: layer.bbox });
  if (map && data.length) {
    const labels = {};
    showAttributes(map, note, data, { labels });
    if (layer.schema) learnLabels(layer.schema, labels);
  }
  if (map && layer.zoom?.min) hintZoom(map, layer.zoom.min + 1);
  return map;
}

function hintZoom(map, needed) {
  const hint = document.createElement('p');
  hint.className = 'map-hint';
  hint.textContent = say('zoomIn', { n: needed });
  map.getTargetElement().append(hint);
  const update = () => {
    hint.hidden = map.getView().getZoom() >= needed - 0.1;
  };
  map.getView().on('change:resolution', update);
  update();
}

start();

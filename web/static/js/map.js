// SPDX-License-Identifier: Apache-2.0
/* global ol */
// OpenLayers maps of this service's own data; there is no outside base map.
import { island, say } from './page-data.js';
import { make } from './dom.js';
import { chosen, landStyle, namesStyle, normal, outline } from './map-style.js';

const LONLAT = 'EPSG:4326';
const MERCATOR = 'EPSG:3857';

export function tileLayer(url, options = {}) {
  const zoom = options.zoom ?? {};
  return new ol.layer.VectorTile({
    style: options.style ?? normal(options.projection),
    declutter: options.declutter ?? true,
    // A 512-pixel tile of level z is drawn at view zoom z + 1.
    minZoom: zoom.min ? zoom.min + 0.9 : undefined,
    source: new ol.source.VectorTile({
      // OpenLayers counts levels from 0; some sets begin with another number.
      tileUrlFunction: (tile) =>
        tile
          ? url.replace('{z}', tile[0] + (options.first ?? 0)).replace('{x}', tile[1]).replace('{y}', tile[2])
          : undefined,
      format: new ol.format.MVT(),
      projection: options.projection ?? MERCATOR,
      tileGrid: options.tileGrid,
      // Between two levels OpenLayers takes the coarser one, which may not be there.
      minZoom: zoom.min ?? 0,
      maxZoom: zoom.max ?? 18,
    }),
  });
}

export function featureLayer(collection, projection = MERCATOR) {
  const format = new ol.format.GeoJSON({ dataProjection: LONLAT, featureProjection: projection });
  const usable = collection.features.filter((feature) => feature.geometry);
  return new ol.layer.Vector({
    style: normal(projection),
    declutter: true,
    source: new ol.source.Vector({ features: format.readFeatures({ ...collection, features: usable }) }),
  });
}

function flat(box) {
  return box.length === 6 ? [box[0], box[1], box[3], box[4]] : box;
}

export function boxLayer(box, projection = MERCATOR) {
  const polygon = ol.geom.Polygon.fromExtent(flat(box)).transform(LONLAT, projection);
  return new ol.layer.Vector({
    style: outline(),
    source: new ol.source.Vector({ features: [new ol.Feature(polygon)] }),
  });
}

/** The districts as the ground of a map, and their names above all that lies on it. */
export function backdropLayers(url, options) {
  let pending = 0;
  const again = () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(() => names.changed());
  };
  const land = tileLayer(url, { ...options, style: landStyle() });
  const names = new ol.layer.VectorTile({ source: land.getSource(), style: namesStyle(again), declutter: true });
  land.setZIndex(-1);
  names.setZIndex(1000);
  return [land, names];
}

function backdrop(projection) {
  const { tiles, zoom } = island('backdrop', {});
  if (!tiles || projection !== MERCATOR) return [];
  return backdropLayers(tiles, { zoom: { max: zoom?.max } });
}

/** A map in the element `id`, or null (with a note in its place) where OpenLayers did not load. */
export function makeMap(
  id,
  { layers = [], box = null, extent = null, projection = MERCATOR, keepBackdrop = true } = {},
) {
  const target = typeof id === 'string' ? document.getElementById(id) : id;
  if (!target) return null;
  if (typeof ol === 'undefined') {
    target.replaceChildren(make('p', { class: 'notice' }, say('noMap')));
    return null;
  }
  const map = new ol.Map({
    target,
    layers: [...(keepBackdrop ? backdrop(projection) : []), ...layers],
    controls: ol.control.defaults.defaults({ attribution: false, rotate: false }).extend([new ol.control.ScaleLine()]),
    view: new ol.View({ projection, center: ol.proj.fromLonLat([115.98, 36.45], projection), zoom: 9, maxZoom: 20 }),
  });
  const view = extent ?? (box && ol.proj.transformExtent(flat(box), LONLAT, projection));
  if (view && view.every(Number.isFinite)) {
    map.getView().fit(ol.extent.buffer(view, 1e-9), { padding: [24, 24, 24, 24], maxZoom: 16 });
  }
  map.once('rendercomplete', () => {
    target.dataset.ready = 'true';
  });
  return map;
}

/** The attributes of a clicked feature under the map, named by `labels`; `onPick` hears the feature, or null. */
export function showAttributes(map, note, layers, { onPick = () => {}, labels = {} } = {}) {
  const mark = new ol.layer.Vector({ source: new ol.source.Vector(), style: chosen(), zIndex: 10 });
  map.addLayer(mark);
  const show = (feature) => {
    mark.getSource().clear();
    note.replaceChildren();
    if (!feature) return;
    const geometry =
      feature instanceof ol.Feature ? feature.getGeometry() : ol.render.Feature.toFeature(feature).getGeometry();
    if (geometry) mark.getSource().addFeature(new ol.Feature(geometry.clone()));
    const properties = Object.entries(feature.getProperties()).filter(
      ([name]) => !['geometry', 'layer'].includes(name),
    );
    const close = make('button', { type: 'button', class: 'button' }, say('close'));
    close.addEventListener('click', () => {
      show(null);
      map.getTargetElement().focus();
    });
    note.append(
      make('div', { class: 'between' }, make('b', {}, say('attributes')), close),
      make(
        'dl',
        { class: 'facts' },
        properties.flatMap(([name, value]) => [
          make('dt', {}, labels[name] ?? name),
          make('dd', {}, String(value ?? '–')),
        ]),
      ),
    );
  };
  map.on('singleclick', (event) => {
    const feature = map.forEachFeatureAtPixel(event.pixel, (found) => found, {
      layerFilter: (layer) => layers.includes(layer),
      hitTolerance: 4,
    });
    show(feature ?? null);
    onPick(feature ?? null);
  });
  map.on('pointermove', (event) => {
    if (event.dragging) return;
    const hit = map.hasFeatureAtPixel(event.pixel, { layerFilter: (layer) => layers.includes(layer), hitTolerance: 4 });
    map.getTargetElement().style.cursor = hit ? 'pointer' : '';
  });
  return show;
}

/** A small map on which a click sets two number inputs, and the inputs move the mark. */
export function pointMap(target, lon, lat, box = null) {
  const source = typeof ol === 'undefined' ? null : new ol.source.Vector();
  const map = makeMap(target, {
    layers: source ? [new ol.layer.Vector({ source, style: chosen() })] : [],
    box: box?.length ? box : null,
  });
  if (!map) return null;
  const draw = () => {
    source.clear();
    if (lon.value === '' || lat.value === '') return;
    const place = ol.proj.fromLonLat([Number(lon.value), Number(lat.value)]);
    source.addFeature(new ol.Feature(new ol.geom.Point(place)));
  };
  map.on('singleclick', (event) => {
    const [x, y] = ol.proj.toLonLat(event.coordinate);
    lon.value = x.toFixed(5);
    lat.value = y.toFixed(5);
    for (const input of [lon, lat]) input.dispatchEvent(new Event('change', { bubbles: true }));
    draw();
  });
  lon.addEventListener('input', draw);
  lat.addEventListener('input', draw);
  draw();
  return map;
}

export function viewBox(map) {
  const extent = map.getView().calculateExtent(map.getSize());
  return ol.proj.transformExtent(extent, map.getView().getProjection(), LONLAT);
}

/** An OpenLayers grid from a tile matrix set as OGC writes it, and the number of its first level; x = longitude. */
export function gridFrom(set) {
  const geographic = /CRS84|\/(4326|4490)$/.test(String(set.crs?.uri ?? set.crs));
  const matrices = [...set.tileMatrices].sort((a, b) => Number(a.id) - Number(b.id));
  const swap =
    geographic &&
    String(set.orderedAxes ?? '')
      .toLowerCase()
      .startsWith('lat');
  return {
    first: Number(matrices[0].id),
    projection: geographic ? LONLAT : MERCATOR,
    tileGrid: new ol.tilegrid.TileGrid({
      origins: matrices.map(({ pointOfOrigin: [a, b] }) => (swap && Math.abs(a) === 90 ? [b, a] : [a, b])),
      resolutions: matrices.map(({ cellSize }) => cellSize),
      sizes: matrices.map(({ matrixWidth, matrixHeight }) => [matrixWidth, matrixHeight]),
      tileSizes: matrices.map(({ tileWidth, tileHeight }) => [tileWidth, tileHeight]),
    }),
  };
}

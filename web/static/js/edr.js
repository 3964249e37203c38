// SPDX-License-Identifier: Apache-2.0
// EDR: the form for a place and period, and the answer as charts with their tables.
import { island, say } from './page-data.js';
import { make, scrolling, table } from './dom.js';
import { axis, draw, timeAxis, tone, withGaps } from './chart.js';
import { seriesFrom } from './covjson.js';
import { featureLayer, makeMap, pointMap } from './map.js';
import { render } from './render.js';

const data = island('edr-data');
const lang = document.documentElement.lang.slice(0, 2);

function prepareForm(form) {
  const given = new URLSearchParams(window.location.search);
  const [lon, lat] = [form.querySelector('[data-lon]'), form.querySelector('[data-lat]')];
  const place = /POINT\s*Z?\s*\(\s*([-\d.]+)\s+([-\d.]+)/i.exec(given.get('coords') ?? '');
  if (place) [lon.value, lat.value] = [place[1], place[2]];
  for (const name of ['datetime', 'parameter-name']) {
    if (given.get(name) && form.elements[name]) form.elements[name].value = given.get(name);
  }
  form.addEventListener('submit', () => {
    form.elements.coords.value = `POINT(${lon.value} ${lat.value})`;
  });
  const target = form.querySelector('[data-point-map]');
  const box = island('edr-extent', []);
  const around = form.closest('details');
  if (!around || around.open) pointMap(target, lon, lat, box);
  else around.addEventListener('toggle', () => pointMap(target, lon, lat, box), { once: true });
}

const titleOf = ({ name, unit }) => `${name}${unit ? ` (${unit})` : ''}`;

function figure(series) {
  const title = titleOf(series);
  const rows = series.points.map(([at, value]) => [String(at), value ?? say('gapMissing')]);
  return make(
    'figure',
    {},
    make(
      'figcaption',
      {},
      make('h2', {}, title),
      make(
        'p',
        { class: 'muted' },
        series.place.every(Number.isFinite) ? series.place.map((one) => one.toFixed(4)).join(', ') : '',
      ),
    ),
    make('div', { class: 'chart-box low' }),
    make(
      'details',
      { class: 'more', open: rows.length <= 24 },
      make('summary', {}, say('rows', { n: rows.length })),
      scrolling(table([series.axis === 't' ? say('time') : series.axis, title], rows)),
    ),
  );
}

/** Times are told in UTC, as the table has them. */
function drawSeries(element, series) {
  const timed = series.axis === 't';
  const points = series.points
    .map(([at, value]) => [timed ? Date.parse(at) : Number(at), value])
    .filter(([at, value]) => Number.isFinite(at) && value !== null);
  draw(element, say('chartOf', { name: titleOf(series) }), {
    grid: { left: 64, right: 24, top: 16, bottom: 30 },
    xAxis: timed ? timeAxis() : { type: 'value', scale: true, ...axis() },
    yAxis: { type: 'value', scale: true, ...axis() },
    series: [
      {
        name: titleOf(series),
        type: 'line',
        showSymbol: points.length <= 60,
        itemStyle: { color: tone('accent') },
        data: timed ? withGaps(points) : points,
      },
    ],
  });
}

function drawPlaces(places) {
  if (typeof ol === 'undefined') {
    makeMap('edr-map');
    return;
  }
  const features = [...new Set(places.map(String))].map((place) => ({
    type: 'Feature',
    properties: {},
    geometry: { type: 'Point', coordinates: place.split(',').map(Number) },
  }));
  const layer = featureLayer({ type: 'FeatureCollection', features });
  const map = makeMap('edr-map', { layers: [layer], extent: layer.getSource().getExtent() });
  map.getView().setZoom(Math.min(map.getView().getZoom(), 10));
}

function showAnswer() {
  const host = document.getElementById('series');
  const map = document.getElementById('edr-map');
  if (data.type === 'FeatureCollection' || data.type === 'Feature') {
    map.remove();
    host.append(
      render({ type: data.type, features: data.features, geometry: data.geometry, properties: data.properties }),
    );
    return;
  }
  const series = seriesFrom(data, lang);
  host.append(...(series.length ? series.map(figure) : [make('p', { class: 'notice' }, say('noSeries'))]));
  host.querySelectorAll('.chart-box').forEach((element, index) => drawSeries(element, series[index]));
  const places = series.map((one) => one.place).filter((place) => place.every(Number.isFinite));
  if (places.length) drawPlaces(places);
  else map.remove();
}

const form = document.querySelector('[data-edr]');
if (form) prepareForm(form);
if (data) showAnswer();

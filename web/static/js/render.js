// SPDX-License-Identifier: Apache-2.0
// Any JSON answer as something to read: maps, tables, pictures, lists. A JSON schema, where there is one, gives the titles.
import { say } from './page-data.js';
import { make, scrolling, table } from './dom.js';
import { isFigures, renderFigures, said } from './figures.js';
import { featureLayer, makeMap, showAttributes } from './map.js';

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
/** A text in the service's two languages, of which the page's is shown. */
const isSpoken = (value) => isObject(value) && Object.keys(value).sort().join() === 'en,zh';
const isScalar = (value) => value === null || typeof value !== 'object' || isSpoken(value);
const isGeoJson = (value) =>
  isObject(value) &&
  ((value.type === 'FeatureCollection' && Array.isArray(value.features)) ||
    (value.type === 'Feature' && 'geometry' in value));
const isGeometry = (value) =>
  isObject(value) && /^(Multi)?(Point|LineString|Polygon)$/.test(value.type) && Array.isArray(value.coordinates);
const isPicture = (value) =>
  typeof value === 'string' && (/^data:image\//.test(value) || /^\s*(<\?xml[^>]*>\s*)?<svg[\s>]/.test(value));

export function picture(text, label = say('picture')) {
  const source = text.startsWith('data:image/')
    ? text
    : `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text.trim())}`;
  return make('img', { src: source, alt: label, class: 'picture' });
}

function scalar(value) {
  if (value === null || value === undefined) return make('span', { class: 'muted' }, '–');
  if (typeof value === 'boolean') return document.createTextNode(say(value ? 'yes' : 'no'));
  if (typeof value === 'number') return document.createTextNode(number(value));
  if (isSpoken(value)) return document.createTextNode(said(value));
  return document.createTextNode(value);
}

function number(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(8)));
}

function titleOf(schema, name) {
  const field = schema?.properties?.[name];
  const unit = field?.['x-ogc-unit'];
  return `${field?.title ?? name}${unit ? ` (${unit})` : ''}`;
}

function cell(value, key, schema) {
  if (typeof value === 'number') return make('span', { class: 'figure' }, number(value));
  if ((key === 'image' && typeof value === 'string') || isPicture(value)) return picture(value);
  return isScalar(value) ? scalar(value) : render(value, schema);
}

function records(rows, schema) {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = rows.map((row) => columns.map((name) => cell(row[name], name, schema?.properties?.[name])));
  return scrolling(
    table(
      columns.map((name) => titleOf(schema, name)),
      cells,
      { caption: say('rows', { n: rows.length }) },
    ),
  );
}

function geo(value, schema) {
  const features = schema?.properties?.features?.items ?? schema;
  const collection = value.type === 'Feature' ? { type: 'FeatureCollection', features: [value] } : value;
  if (!collection.features.length) return make('p', { class: 'notice' }, say('empty'));
  const parts = [];
  if (collection.features.some((feature) => feature.geometry))
    parts.push(geoMap(collection, features?.properties?.properties));
  const rows = collection.features.map((feature) => ({
    ...(feature.id === undefined ? {} : { id: feature.id }),
    ...feature.properties,
  }));
  if (rows.some((row) => Object.keys(row).length)) parts.push(records(rows, features?.properties?.properties));
  return make('div', {}, parts);
}

function geoMap(collection, schema) {
  const labels = Object.fromEntries(Object.keys(schema?.properties ?? {}).map((name) => [name, titleOf(schema, name)]));
  const target = make('div', { class: 'map', tabindex: '0', 'aria-label': say('answer') });
  const note = make('div', { class: 'map-note', 'aria-live': 'polite' });
  // The map measures its element, which has no size until it is in the page.
  requestAnimationFrame(() => {
    if (typeof ol === 'undefined') {
      makeMap(target);
      return;
    }
    const layer = featureLayer(collection);
    const map = makeMap(target, { layers: [layer], extent: layer.getSource().getExtent() });
    showAttributes(map, note, [layer], { labels });
  });
  return make('div', {}, target, note);
}

export function render(value, schema) {
  if (isPicture(value)) return picture(value);
  if (isScalar(value)) return make('p', { class: 'plain-value' }, scalar(value));
  if (isGeoJson(value)) return geo(value, schema);
  if (isGeometry(value)) return geo({ type: 'Feature', geometry: value, properties: {} }, schema);
  if (Array.isArray(value)) return list(value, schema);
  if (isFigures(value)) return renderFigures(value);
  if ('value' in value && ('mediaType' in value || Object.keys(value).length === 1)) return qualified(value, schema);
  return pairs(value, schema);
}

function list(values, schema) {
  if (!values.length) return make('p', { class: 'muted' }, say('none'));
  if (values.every(isGeoJson))
    return render({ type: 'FeatureCollection', features: values.flatMap((one) => one.features ?? [one]) });
  if (values.every(isObject)) return records(values, schema?.items);
  if (values.every(isScalar) && values.length <= 40)
    return make('p', {}, values.map((one) => (one === null ? '–' : String(one))).join(', '));
  return make(
    'ol',
    { class: 'plain' },
    values.map((one) => make('li', {}, render(one, schema?.items))),
  );
}

function qualified({ value, mediaType = '' }, schema) {
  const encoded = mediaType.startsWith('image/') && typeof value === 'string' && !isPicture(value);
  return render(encoded ? `data:${mediaType};base64,${value}` : value, schema);
}

function pairs(value, schema) {
  const entries = Object.entries(value);
  const small = entries.filter(([, part]) => isScalar(part) && !isPicture(part));
  const large = entries.filter(([, part]) => !isScalar(part) || isPicture(part));
  return make(
    'div',
    {},
    small.length
      ? make(
          'dl',
          { class: 'facts' },
          small.flatMap(([name, part]) => [make('dt', {}, titleOf(schema, name)), make('dd', {}, scalar(part))]),
        )
      : null,
    large.map(([name, part]) => {
      const title = titleOf(schema, name);
      return make(
        'section',
        { class: 'part' },
        make('h3', {}, title),
        isPicture(part) ? picture(part, title) : render(part, schema?.properties?.[name]),
      );
    }),
  );
}

/** The schema of an output in JSON, where it comes in other forms too. */
function asJson(schema) {
  return schema?.oneOf?.find((one) => one.contentMediaType === 'application/json') ?? schema;
}

/** A process answers with its outputs by name, or, where there is one only, often with that output itself. */
export function outputSchema(outputs, value) {
  const named = Object.entries(outputs ?? {}).map(([name, output]) => [
    name,
    { title: output.title, ...asJson(output.schema) },
  ]);
  const byName = isObject(value) && named.some(([name]) => name in value);
  return named.length === 1 && !byName ? named[0][1] : { properties: Object.fromEntries(named) };
}

export function withSource(value, schema) {
  return [
    render(value, schema),
    make(
      'details',
      { class: 'more' },
      make('summary', {}, say('raw')),
      make('pre', { tabindex: '0' }, JSON.stringify(value, null, 2)),
    ),
  ];
}

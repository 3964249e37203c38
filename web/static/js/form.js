// SPDX-License-Identifier: Apache-2.0
// A real form from the JSON schemas of a process's inputs: each field knows how to read itself.
import { say } from './page-data.js';
import { make } from './dom.js';
import { fileField } from './form-file.js';
import { withShapes } from './form-shapes.js';
import { pointMap } from './map.js';

const text = (value) => (value === undefined || value === null ? '' : String(value));

function typeOf(schema) {
  const type = Array.isArray(schema.type) ? schema.type.find((one) => one !== 'null') : schema.type;
  return type ?? (schema.properties || schema.$ref || schema.allOf ? 'object' : 'string');
}

function choices(schema) {
  if (schema.enum)
    return schema.enum.map((value, index) => ({ value, label: schema['x-enum-titles']?.[index] ?? text(value) }));
  const options = schema.oneOf ?? schema.anyOf;
  return options?.every((one) => 'const' in one)
    ? options.map((one) => ({ value: one.const, label: one.title ?? text(one.const) }))
    : null;
}

function selectField(name, schema, options, state) {
  const select = make('select', { id: `in-${name}`, name, required: state.required });
  if (!state.required || state.value === undefined) select.add(new Option(say('choose'), ''));
  options.forEach((option, index) => select.add(new Option(option.label, index)));
  const at = options.findIndex((option) => text(option.value) === text(state.value));
  if (at >= 0) select.value = String(at);
  return { element: select, read: () => (select.value === '' ? undefined : options[Number(select.value)].value) };
}

function checkField(name, schema, state) {
  const input = make('input', { id: `in-${name}`, name, type: 'checkbox' });
  input.checked = state.value === true || state.value === 'true' || state.value === '1';
  return { element: input, read: () => input.checked, inline: true };
}

function manyField(name, options, state) {
  const wanted = [state.value ?? []].flat().flatMap((value) => text(value).split(','));
  const boxes = options.map((option) => {
    const input = make('input', { type: 'checkbox', name });
    input.checked = wanted.includes(text(option.value));
    return { input, option };
  });
  const element = make(
    'div',
    { class: 'many' },
    boxes.map(({ input, option }) => make('label', {}, input, ' ', option.label)),
  );
  const read = () => {
    const values = boxes.filter(({ input }) => input.checked).map(({ option }) => option.value);
    return values.length ? values : undefined;
  };
  return { element, read, grouped: true };
}

function numberField(name, schema, state) {
  const input = make('input', {
    id: `in-${name}`,
    name,
    type: 'number',
    required: state.required,
    min: schema.minimum,
    max: schema.maximum,
    step: typeOf(schema) === 'integer' ? (schema.multipleOf ?? 1) : 'any',
    placeholder: text(schema.examples?.[0]) || null,
  });
  input.value = text(state.value);
  return { element: input, input, read: () => (input.value === '' ? undefined : Number(input.value)) };
}

function offset(date) {
  const minutes = -date.getTimezoneOffset();
  const part = (number) => String(Math.floor(Math.abs(number))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${part(minutes / 60)}:${part(minutes % 60)}`;
}

function textField(name, schema, state) {
  const kinds = { date: 'date', 'date-time': 'datetime-local', email: 'email', uri: 'url', time: 'time' };
  const kind = kinds[schema.format] ?? 'text';
  const long = schema['x-multiline'] || schema.maxLength > 200;
  const shared = {
    id: `in-${name}`,
    name,
    required: state.required,
    minlength: schema.minLength,
    maxlength: schema.maxLength,
    placeholder: text(schema.examples?.[0]) || null,
  };
  const input = long
    ? make('textarea', { ...shared, rows: '4' })
    : make('input', { ...shared, type: kind, pattern: kind === 'text' ? schema.pattern : null });
  input.value = kind === 'datetime-local' ? text(state.value).slice(0, 16) : text(state.value);
  const read = () => {
    if (input.value === '') return undefined;
    if (kind !== 'datetime-local') return input.value;
    return `${input.value.length === 16 ? `${input.value}:00` : input.value}${offset(new Date(input.value))}`;
  };
  return { element: input, read };
}

function pointField(name, schema, state) {
  const given =
    state.point ?? (Array.isArray(state.value) ? state.value : text(state.value).split(/[ ,]+/).filter(Boolean));
  const [lon, lat] = [
    ['longitude', 180],
    ['latitude', 90],
  ].map(([key, limit], index) => {
    const input = make('input', {
      type: 'number',
      step: 'any',
      min: -limit,
      max: limit,
      required: state.required,
      'data-axis': key,
    });
    input.value = text(given[index]);
    return { input, label: make('label', {}, say(key), ' ', input) };
  });
  const element = make('div', {}, make('div', { class: 'pair' }, lon.label, lat.label));
  if (schema['x-point']) addPointMap(element, lon.input, lat.input);
  const read = () =>
    lon.input.value === '' || lat.input.value === '' ? undefined : [Number(lon.input.value), Number(lat.input.value)];
  return { element, read, grouped: true };
}

export function addPointMap(element, lon, lat) {
  const target = make('div', { class: 'map map-small', 'aria-label': say('pickPoint') });
  element.append(target, make('small', { class: 'muted' }, say('pickPoint')));
  requestAnimationFrame(() => pointMap(target, lon, lat));
}

function linesField(name, schema, state) {
  const input = make('textarea', { id: `in-${name}`, name, rows: '3', required: state.required });
  input.value = [state.value ?? []].flat().join('\n');
  const numeric = ['number', 'integer'].includes(schema.items?.type);
  const read = () => {
    const lines = input.value
      .split(/[\n,，]+/)
      .map((line) => line.trim())
      .filter(Boolean);
    return lines.length ? lines.map((line) => (numeric ? Number(line) : line)) : undefined;
  };
  return { element: input, read, hint: say('onePerLine') };
}

function jsonField(name, schema, state) {
  const input = make('textarea', {
    id: `in-${name}`,
    name,
    rows: '5',
    class: 'code',
    required: state.required,
    spellcheck: 'false',
  });
  input.value =
    state.value === undefined
      ? ''
      : typeof state.value === 'string'
        ? state.value
        : JSON.stringify(state.value, null, 1);
  const read = () => {
    if (!input.value.trim()) return undefined;
    try {
      return JSON.parse(input.value);
    } catch (error) {
      throw new Error(`${name}: ${say('badJson')}${error.message}`);
    }
  };
  const element = schema['x-geometry'] ? withShapes(name, input, schema['x-map']) : input;
  return { element, input, read, hint: say('asJson') };
}

function control(name, schema, state) {
  const type = typeOf(schema);
  const options = choices(schema);
  if (options) return selectField(name, schema, options, state);
  if (schema['x-file']) return fileField(name, schema, state);
  if (
    schema['x-point'] ||
    (type === 'array' && schema.minItems === 2 && schema.maxItems === 2 && schema.items?.type === 'number')
  )
    return pointField(name, schema, state);
  if (type === 'array') {
    const many = choices(schema.items ?? {});
    if (many) return manyField(name, many, state);
    return ['object', 'array'].includes(schema.items?.type)
      ? jsonField(name, schema, state)
      : linesField(name, schema, state);
  }
  if (type === 'boolean') return checkField(name, schema, state);
  if (type === 'number' || type === 'integer') return numberField(name, schema, state);
  return type === 'object' ? jsonField(name, schema, state) : textField(name, schema, state);
}

/** One field with its label; `given` are the address's query parameters, `example` the process's own example. */
export function makeField(name, input, given, example) {
  const schema = input.schema ?? {};
  const required = (input.minOccurs ?? 1) > 0 && schema.default === undefined;
  const value = given.get(name) ?? schema.default ?? (required ? example?.[name] : undefined);
  const point = !given.has(name) && given.has('lon') && given.has('lat') ? [given.get('lon'), given.get('lat')] : null;
  const field = control(name, schema, { value, required, point });
  const star = required ? make('abbr', { class: 'required', title: say('required') }, '*') : null;
  const unit = schema['x-ogc-unit'] ? make('small', { class: 'muted' }, ` (${schema['x-ogc-unit']})`) : null;
  const title = [input.title ?? name, unit, star];
  const label = field.grouped ? make('legend', {}, title) : make('label', { for: `in-${name}` }, title);
  const help = [input.description, field.hint].filter(Boolean).join(' · ');
  if (help && !field.grouped) (field.input ?? field.element).setAttribute('aria-describedby', `help-${name}`);
  const note = help ? make('small', { class: 'muted', id: `help-${name}` }, help) : null;
  const parts = field.inline ? [make('div', { class: 'inline' }, field.element, label)] : [label, field.element];
  const box = make(field.grouped ? 'fieldset' : 'div', { class: 'field' }, parts, note);
  return { ...field, name, box };
}

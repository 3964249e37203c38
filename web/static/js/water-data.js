// SPDX-License-Identifier: Apache-2.0
// What the water map asks the service: its processes, EDR queries and stream of warnings.
import { fetchJson, island, localized, say } from './page-data.js';
import { seriesFrom } from './covjson.js';

const base = document.body.dataset.base;
const { layers } = island('water-data');

/** Runs a process at once. A refusal is an Error that says what was wrong. signal: ends the request. */
export async function ask(process, inputs, signal) {
  const response = await fetch(localized(`${base}/processes/${process}/execution`), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    body: JSON.stringify({ inputs }),
    signal,
  });
  if (response.ok) return response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? say('notOk', { n: response.status }));
}

/** Which parameters there are at which station: what was read, or what is forecast. */
async function parametersOf(layer) {
  const { features } = await fetchJson(`${base}/collections/${layer}/locations?f=json`);
  return new Map(features.map(({ id, properties }) => [String(id), properties['parameter-name'] ?? []]));
}
export const readParameters = () => parametersOf(layers.observations);
export const forecastParameters = () => parametersOf(layers.forecasts);

/** A station's attributes; moment: as they were then. */
export async function stationOf(code, moment) {
  const asked = new URLSearchParams({ f: 'json' });
  if (moment) asked.set('datetime', moment);
  const item = `${base}/collections/${layers.stations}/items/${encodeURIComponent(code)}`;
  return (await fetchJson(`${item}?${asked}`)).properties;
}

/** The address of a station's series in a period of two instants. step: hourly values; asOf: as known then. */
export function seriesAddress(
  code,
  parameters,
  [from, until],
  { layer = layers.observations, f = 'json', ...more } = {},
) {
  const asked = new URLSearchParams({ 'parameter-name': parameters.join(), datetime: `${from}/${until}`, f });
  for (const [name, value] of Object.entries(more)) if (value) asked.set(name, value);
  return `${base}/collections/${layer}/locations/${encodeURIComponent(code)}?${asked}`;
}

/** The series themselves: name of the parameter to [[instant in ms, value], ...] without what was not read. */
export async function readSeries(code, parameters, period, more) {
  if (!parameters.length) return {};
  const lang = document.documentElement.lang.slice(0, 2);
  const found = seriesFrom(await fetchJson(seriesAddress(code, parameters, period, more)), lang);
  return Object.fromEntries(
    found.map(({ key, points }) => [
      key,
      points.filter(([, value]) => value !== null).map(([at, value]) => [Date.parse(at), value]),
    ]),
  );
}

/** What the newest run (at a moment: the newest then) forecasts from an instant on. */
export function readForecast(code, parameters, from, moment) {
  const start = new Date(from).toISOString();
  return readSeries(code, parameters, [start, '..'], { layer: layers.forecasts, asOf: moment });
}

/** The page of the process that forecasts, with the station filled in. */
export function forecastAddress(code, moment) {
  const asked = new URLSearchParams({ f: 'html', station: code });
  if (moment) asked.set('issue', moment);
  return localized(`${base}/processes/water-forecast?${asked}`);
}

export const inForce = ({ properties }) => ['active', 'acknowledged'].includes(properties.state);

/** The warnings that were in force at a moment. */
export async function warningsAt(moment) {
  const asked = new URLSearchParams({ datetime: moment, limit: '1000', f: 'json' });
  return (await fetchJson(`${base}/collections/${layers.warnings}/items?${asked}`)).features;
}

/** The warnings that the newest run (at a moment: the newest then) brings and that are not over by then. */
export async function warningsAhead(moment) {
  const asked = new URLSearchParams({ limit: '1000', f: 'json' });
  if (moment) asked.set('asOf', moment);
  const { features } = await fetchJson(`${base}/collections/${layers.ahead}/items?${asked}`);
  const now = moment ? Date.parse(moment) : Date.now();
  return features.filter(({ properties: { lifted_at: end } }) => end === null || Date.parse(end) > now);
}

/** The warnings in force and each change of them; heard: called with each, lost: with whether the stream is broken. */
export function listen(heard, lost) {
  const source = new EventSource(`${base}/warnings/events`);
  source.addEventListener('warning', ({ data }) => heard(JSON.parse(data)));
  source.addEventListener('open', () => lost(false));
  source.addEventListener('error', () => lost(true));
  return () => source.close();
}

const featureAddress = (layer, code) =>
  localized(`${base}/collections/${layer}/items/${encodeURIComponent(code)}?f=html`);
export const warningAddress = (code) => featureAddress(layers.warnings, code);
export const aheadAddress = (code) => featureAddress(layers.ahead, code);
export const stationAddress = (code) => featureAddress(layers.stations, code);

// SPDX-License-Identifier: Apache-2.0
// A question: its form, the request, and the answer.
import { island, localized, say } from './page-data.js';
import { make } from './dom.js';
import { addPointMap, makeField } from './form.js';
import { dataUrl } from './form-file.js';
import { outputSchema, withSource } from './render.js';

const process = island('process');
const form = document.getElementById('ask');
const progress = document.getElementById('progress');
const answer = document.getElementById('answer');
const given = new URLSearchParams(window.location.search);

const fields = Object.entries(process.inputs).map(([name, input]) => makeField(name, input, given, process.example));
document.getElementById('fields').replaceChildren(...fields.map((field) => field.box));

const byName = Object.fromEntries(fields.map((field) => [field.name, field]));
if (byName.lon?.input && byName.lat?.input) addPointMap(byName.lat.box, byName.lon.input, byName.lat.input);

async function inputs() {
  const values = await Promise.all(fields.map(async (field) => [field.name, await field.read()]));
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function allowedText(allowed) {
  return Array.isArray(allowed) ? allowed.join(', ') : String(allowed);
}

function showProblem(problem) {
  const lines = [problem.detail, problem.description].filter((line, at, all) => line && all.indexOf(line) === at);
  answer.replaceChildren(
    make(
      'div',
      { class: 'problem', role: 'alert' },
      make('h2', {}, problem.title ?? say('failed')),
      lines.map((line) => make('p', {}, String(line))),
      problem.allowed ? make('p', {}, say('allowed'), allowedText(problem.allowed)) : null,
      problem.code ? make('p', { class: 'muted' }, problem.code) : null,
    ),
  );
}

async function body(response) {
  const type = response.headers.get('Content-Type') ?? '';
  if (type.startsWith('image/')) return { mediaType: type.split(';')[0], value: await dataUrl(await response.blob()) };
  const content = await response.text();
  if (!content) return null;
  try {
    return JSON.parse(content);
  } catch {
    return content;
  }
}

function tick(started) {
  progress.textContent = say('working');
  const timer = setInterval(() => {
    progress.textContent = `${say('working')} ${say('seconds', { n: Math.round((performance.now() - started) / 1000) })}`;
  }, 1000);
  return () => clearInterval(timer);
}

/** Asks, and tells what is wrong where it is refused. outputs: as the standard has them. */
async function send(headers, outputs) {
  const response = await fetch(localized(process.execute), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ inputs: await inputs(), ...outputs }),
  });
  if (response.ok) return response;
  const content = await body(response);
  showProblem(
    content && typeof content === 'object' ? content : { detail: content || say('notOk', { n: response.status }) },
  );
  return null;
}

async function ask(asJob) {
  const headers = { Accept: 'application/json, application/problem+json, image/*, */*;q=0.1' };
  if (asJob) headers.Prefer = 'respond-async';
  const response = await send(headers, {});
  if (!response) return false;
  const content = await body(response);
  const job = response.headers.get('Location');
  if (response.status === 201 && job) {
    answer.replaceChildren(
      make('p', { class: 'notice' }, say('job'), make('a', { href: localized(job) }, job.split('/').pop())),
    );
  } else {
    answer.replaceChildren(
      make('h2', {}, say('answer')),
      ...withSource(content, outputSchema(process.outputs, content)),
    );
  }
  return true;
}

/** Has the answer of an output as a file, and hands it to the reader. */
async function save(output, mediaType) {
  const outputs = { outputs: { [output]: { format: { mediaType } } } };
  const response = await send({ Accept: `${mediaType}, application/problem+json` }, outputs);
  if (!response) return false;
  const name = /filename="([^"]+)"/.exec(response.headers.get('Content-Disposition') ?? '')?.[1] ?? output;
  const address = URL.createObjectURL(await response.blob());
  const link = make('a', { href: address, download: name, class: 'button' }, say('saveFile', { name }));
  answer.replaceChildren(make('p', { class: 'notice' }, link));
  link.click();
  return true;
}

const NAMES = {
  'text/html': say('asPage'),
  'application/vnd.openxmlformats-officedocument.wordprocessingml.document': 'Word (DOCX)',
  'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet': 'Excel (XLSX)',
  'image/svg+xml': 'SVG',
};

/** A button for each form that an output's description lists beside JSON. */
function files() {
  return Object.entries(process.outputs).flatMap(([output, { schema }]) =>
    (schema?.oneOf ?? [])
      .map((one) => one.contentMediaType)
      .filter((type) => type && type !== 'application/json')
      .map((type) => {
        const plain = type.split(';')[0];
        const title = NAMES[plain] ?? plain.split('/').pop().toUpperCase();
        const button = make('button', { type: 'button', class: 'button', 'data-form': type }, title);
        button.addEventListener('click', () => form.reportValidity() && run(() => save(output, type)));
        return button;
      }),
  );
}

const forms = files();
if (forms.length) {
  const label = make('span', { class: 'muted', id: 'as-file' }, say('asFile'));
  form.append(make('div', { class: 'actions', role: 'group', 'aria-labelledby': 'as-file' }, label, forms));
}

/** Does what the reader wants, which takes a while. */
async function run(action) {
  const buttons = [form.querySelector('[type="submit"]'), ...forms];
  const started = performance.now();
  const stop = tick(started);
  buttons.forEach((button) => (button.disabled = true));
  answer.setAttribute('aria-busy', 'true');
  try {
    const good = await action();
    progress.textContent = good ? say('done', { n: ((performance.now() - started) / 1000).toFixed(1) }) : '';
  } catch (error) {
    progress.textContent = '';
    showProblem({ detail: error instanceof TypeError ? say('unreachable') : error.message });
  } finally {
    stop();
    buttons.forEach((button) => (button.disabled = false));
    answer.removeAttribute('aria-busy');
    answer.focus({ preventScroll: true });
    answer.scrollIntoView({ block: 'nearest' });
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  run(() => ask(document.getElementById('as-job')?.checked));
});

// SPDX-License-Identifier: Apache-2.0
// A question: its form, the request, and the answer.
import { island, localized, say } from './page-data.js';
import { make } from './dom.js';
import { addPointMap, makeField } from './form.js';
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

function inputs() {
  return Object.fromEntries(
    fields.map((field) => [field.name, field.read()]).filter(([, value]) => value !== undefined),
  );
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

function dataUrl(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(reader.result));
    reader.readAsDataURL(blob);
  });
}

function tick(started) {
  progress.textContent = say('working');
  const timer = setInterval(() => {
    progress.textContent = `${say('working')} ${say('seconds', { n: Math.round((performance.now() - started) / 1000) })}`;
  }, 1000);
  return () => clearInterval(timer);
}

async function ask(asJob) {
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json, application/problem+json, image/*, */*;q=0.1',
  };
  if (asJob) headers.Prefer = 'respond-async';
  const response = await fetch(localized(process.execute), {
    method: 'POST',
    headers,
    body: JSON.stringify({ inputs: inputs() }),
  });
  const content = await body(response);
  if (!response.ok) {
    showProblem(
      content && typeof content === 'object' ? content : { detail: content || say('notOk', { n: response.status }) },
    );
    return false;
  }
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

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = form.querySelector('[type="submit"]');
  const started = performance.now();
  const stop = tick(started);
  button.disabled = true;
  answer.setAttribute('aria-busy', 'true');
  try {
    const good = await ask(document.getElementById('as-job')?.checked);
    progress.textContent = good ? say('done', { n: ((performance.now() - started) / 1000).toFixed(1) }) : '';
  } catch (error) {
    progress.textContent = '';
    showProblem({ detail: error instanceof TypeError ? say('unreachable') : error.message });
  } finally {
    stop();
    button.disabled = false;
    answer.removeAttribute('aria-busy');
    answer.focus({ preventScroll: true });
    answer.scrollIntoView({ block: 'nearest' });
  }
});

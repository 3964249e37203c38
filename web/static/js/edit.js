// SPDX-License-Identifier: Apache-2.0
// The form by which a feature's attributes are changed: only what was changed is sent, with the tag of what was read.
import { island, localized, say } from './page-data.js';
import { make } from './dom.js';
import { makeField } from './form.js';

const edit = island('edit-data');
const form = document.getElementById('edit-form');
const told = document.getElementById('edit-told');
const button = form.querySelector('[type="submit"]');

/** A time as this browser's clock has it, which is what a field for times shows and reads. */
function shown(schema, value) {
  if (schema.format !== 'date-time' || !value) return value;
  const moment = new Date(value);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

const given = new Map();
for (const [name, input] of Object.entries(edit.fields)) {
  const value = shown(input.schema, edit.values[name]);
  if (value !== null && value !== undefined) given.set(name, String(value));
}
const fields = Object.entries(edit.fields).map(([name, input]) => makeField(name, input, given));
const before = new Map(fields.map((field) => [field.name, JSON.stringify(field.read())]));
document.getElementById('fields').replaceChildren(...fields.map((field) => field.box));

function changes() {
  const changed = fields.filter((field) => JSON.stringify(field.read()) !== before.get(field.name));
  return Object.fromEntries(changed.map((field) => [field.name, field.read() ?? null]));
}

function tell(role, title, lines) {
  told.replaceChildren(
    make(
      'div',
      { class: role === 'alert' ? 'problem' : 'notice', role },
      make('p', {}, make('strong', {}, title)),
      lines.length
        ? make(
            'ul',
            {},
            lines.map((line) => make('li', {}, line)),
          )
        : null,
    ),
  );
}

function line(finding) {
  const title = edit.fields[finding.field]?.title ?? finding.field;
  return [title, finding.rule, finding.value].filter(Boolean).join(' · ');
}

function mark(findings) {
  for (const field of fields) {
    const wrong = findings.some((finding) => finding.field === field.name);
    field.box.classList.toggle('wrong', wrong);
    for (const control of field.box.querySelectorAll('input, select, textarea')) {
      if (wrong) control.setAttribute('aria-invalid', 'true');
      else control.removeAttribute('aria-invalid');
    }
  }
  form.querySelector('[aria-invalid="true"]')?.focus();
}

function refuse(status, problem) {
  if (status === 412) {
    tell('alert', say('changedSince'), []);
    told.firstElementChild.append(make('p', {}, make('a', { href: window.location.href }, say('readAgain'))));
    return;
  }
  const findings = problem.findings ?? [];
  tell('alert', say('notSaved'), findings.length ? findings.map(line) : [problem.detail ?? say('notOk', { n: status })]);
  mark(findings);
}

async function save() {
  const properties = changes();
  mark([]);
  if (!Object.keys(properties).length) {
    tell('status', say('nothingChanged'), []);
    return;
  }
  const response = await fetch(localized(edit.href), {
    method: 'PATCH',
    headers: { 'Content-Type': 'application/merge-patch+json', 'If-Match': edit.etag, Accept: 'application/json' },
    body: JSON.stringify({ properties }),
  });
  const answer = await response.json();
  if (!response.ok) {
    refuse(response.status, answer);
    return;
  }
  edit.etag = answer.etag;
  for (const field of fields) before.set(field.name, JSON.stringify(field.read()));
  tell('status', say('saved', { n: answer.release }), answer.warnings.map(line));
  told.firstElementChild.append(make('p', {}, make('a', { href: window.location.href }, say('readAgain'))));
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  told.setAttribute('aria-busy', 'true');
  try {
    await save();
  } catch (error) {
    tell('alert', say('notSaved'), [error instanceof TypeError ? say('unreachable') : error.message]);
  } finally {
    button.disabled = false;
    told.removeAttribute('aria-busy');
  }
});

// SPDX-License-Identifier: Apache-2.0
// Steps of cases and opinions: each form asks the process that takes them, then the page is read again.
import { island, localized, say } from './page-data.js';
import { make } from './dom.js';

const { execute } = island('coordination');

function inBase64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(reader.result.split(',')[1]));
    reader.addEventListener('error', () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

async function inputsOf(form, button) {
  const sets = button.dataset.sets.split(',');
  const given = { code: form.dataset.code, step: button.value };
  for (const control of form.querySelectorAll('textarea, input:not([type="file"])')) {
    const wanted = control.name === 'note' || sets.includes(control.name);
    if (wanted && control.value.trim()) given[control.name] = control.value.trim();
  }
  const [file] = form.elements.file.files;
  if (file) given.file = { name: file.name, value: await inBase64(file) };
  return given;
}

async function take(form, button) {
  const response = await fetch(localized(execute), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ inputs: await inputsOf(form, button) }),
  });
  if (response.ok) {
    window.location.hash = form.dataset.code;
    window.location.reload();
    return;
  }
  const problem = await response.json();
  throw new Error(problem.detail ?? say('notOk', { n: response.status }));
}

for (const form of document.querySelectorAll('form.step')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const told = form.querySelector('.told');
    const buttons = form.querySelectorAll('button');
    told.textContent = say('working');
    for (const button of buttons) button.disabled = true;
    try {
      await take(form, event.submitter ?? buttons[0]);
    } catch (error) {
      const detail = error instanceof TypeError ? say('unreachable') : error.message;
      told.replaceChildren(make('p', { class: 'problem', role: 'alert' }, detail));
      for (const button of buttons) button.disabled = false;
    }
  });
}

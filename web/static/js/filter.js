// SPDX-License-Identifier: Apache-2.0
import { say } from './page-data.js';

const form = document.querySelector('[data-filter]');
const rows = [...document.querySelectorAll(`#${form.dataset.filter} tbody tr[data-words]`)];
const input = form.querySelector('input');
const output = form.querySelector('output');

function narrow() {
  const wanted = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.dataset.words.toLowerCase();
    row.hidden = !wanted.every((word) => text.includes(word));
    if (!row.hidden) shown += 1;
  }
  output.textContent = say('matches', { n: shown });
}

input.addEventListener('input', narrow);
form.addEventListener('submit', (event) => event.preventDefault());

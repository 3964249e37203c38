// SPDX-License-Identifier: Apache-2.0
// A file as an input: its name and its bytes in base64, as the process wants them.
import { say } from './page-data.js';
import { make } from './dom.js';

export function fileField(name, schema, state) {
  const { accept, maxBytes } = schema['x-file'];
  const input = make('input', { id: `in-${name}`, name, type: 'file', accept, required: state.required });
  const forget = make('button', { type: 'button', class: 'button', hidden: true }, say('noFile'));
  input.addEventListener('change', () => {
    forget.hidden = !input.files.length;
  });
  forget.addEventListener('click', () => {
    input.value = '';
    forget.hidden = true;
    input.focus();
  });
  const read = async () => {
    const file = input.files[0];
    if (!file) return undefined;
    if (file.size > maxBytes) throw new Error(`${file.name}: ${say('tooLarge', { n: (maxBytes / 1e6).toFixed(1) })}`);
    return { name: file.name, value: (await dataUrl(file)).split(',')[1] ?? '' };
  };
  return { element: make('div', { class: 'chosen-file' }, input, forget), read };
}

/** The bytes of a file as an address that holds them. */
export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener('load', () => resolve(reader.result));
    reader.addEventListener('error', () => reject(reader.error));
    reader.readAsDataURL(blob);
  });
}

// SPDX-License-Identifier: Apache-2.0
// Every page: language links, the reader's language on internal links, the current section.
import { localized } from './page-data.js';

const here = new URL(window.location.href);
const base = document.body.dataset.base;

for (const link of document.querySelectorAll('[data-lang]')) {
  const url = new URL(here);
  url.searchParams.set('lang', link.dataset.lang);
  link.href = url.href;
}

for (const link of document.querySelectorAll('[data-format]')) {
  const url = new URL(here);
  url.searchParams.set('f', 'json');
  link.href = url.href;
}

for (const link of document.querySelectorAll('[data-page]')) {
  const url = new URL(link.href);
  url.searchParams.set('f', 'html');
  link.href = url.href;
}

if (here.searchParams.has('lang')) {
  for (const link of document.querySelectorAll('a[href]')) {
    if (link.href.startsWith(base) && !link.dataset.lang) link.href = localized(link.href);
  }
  for (const form of document.querySelectorAll('form[method="get"]')) {
    const input = document.createElement('input');
    Object.assign(input, { type: 'hidden', name: 'lang', value: here.searchParams.get('lang') });
    form.append(input);
  }
}

for (const link of document.querySelectorAll('.sections a')) {
  if (here.pathname.startsWith(new URL(link.href).pathname)) link.setAttribute('aria-current', 'true');
}

// Empty fields would reach the server as empty parameters, which it has to refuse.
for (const form of document.querySelectorAll('form[method="get"]')) {
  form.addEventListener('formdata', (event) => {
    for (const [name, value] of [...event.formData.entries()]) {
      if (value === '') event.formData.delete(name);
    }
  });
}

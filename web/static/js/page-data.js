// SPDX-License-Identifier: Apache-2.0
// What the page hands to its scripts: JSON islands and translated words.

export function island(id, otherwise = null) {
  const element = document.getElementById(id);
  return element ? JSON.parse(element.textContent) : otherwise;
}

// Some pages have many words that no other page needs.
const words = { ...island('words', {}), ...island('page-words', {}) };

export function say(key, values = {}) {
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** The address in the reader's language: a `lang` chosen on this page goes along. */
export function localized(address) {
  const url = new URL(address, window.location.href);
  const lang = new URLSearchParams(window.location.search).get('lang');
  if (lang && url.origin === window.location.origin && !url.searchParams.has('lang')) {
    url.searchParams.set('lang', lang);
  }
  return url.href;
}

/** Fills `labels` with the titles that the layer's schema gives to its attributes; without a schema the names stay. */
export async function learnLabels(collection, labels) {
  try {
    const { properties = {} } = await fetchJson(`${collection}/schema?f=json`);
    for (const [name, field] of Object.entries(properties)) {
      const unit = field['x-ogc-unit'] ? ` (${field['x-ogc-unit']})` : '';
      if (field.title || unit) labels[name] = `${field.title ?? name}${unit}`;
    }
  } catch {
    // Labels are a kindness.
  }
  return labels;
}

export async function fetchJson(address) {
  const response = await fetch(localized(address), { headers: { Accept: 'application/json' } });
  if (!response.ok) throw new Error(say('notOk', { n: response.status }));
  return response.json();
}

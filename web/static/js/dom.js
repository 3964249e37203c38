// SPDX-License-Identifier: Apache-2.0

/** An element with attributes and children; strings become text, so no markup is ever injected. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A spot in the colour of a state; the words beside it say the same. */
export function dot(color, kind = '') {
  return make('span', { class: `dot ${kind}`.trim(), style: `background:${color}`, 'aria-hidden': 'true' });
}

export function scrolling(...children) {
  return make('div', { class: 'scroll', tabindex: '0' }, ...children);
}

export function table(columns, rows, options = {}) {
  const head = make(
    'thead',
    {},
    make(
      'tr',
      {},
      columns.map((name) => make('th', { scope: 'col' }, name)),
    ),
  );
  const body = make(
    'tbody',
    {},
    rows.map((row) =>
      make(
        'tr',
        {},
        row.map((cell) =>
          make(
            'td',
            { class: typeof cell === 'number' ? 'number' : null },
            cell instanceof Node ? cell : String(cell ?? '–'),
          ),
        ),
      ),
    ),
  );
  const result = make('table', { class: options.class }, head, body);
  if (options.caption) result.prepend(make('caption', {}, options.caption));
  return result;
}

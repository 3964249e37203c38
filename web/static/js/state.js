// SPDX-License-Identifier: Apache-2.0
// What a page shows. Whoever changes it says what; whoever draws it listens.

export class State extends EventTarget {
  change(values) {
    Object.assign(this, values);
    this.dispatchEvent(new CustomEvent('change', { detail: Object.keys(values) }));
  }

  when(names, listener) {
    this.addEventListener('change', ({ detail }) => {
      if (detail.some((name) => names.includes(name))) listener();
    });
  }
}

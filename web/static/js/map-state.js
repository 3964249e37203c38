// SPDX-License-Identifier: Apache-2.0
// What the map shows.
import { State } from './state.js';

/** How a layer is shown before anybody chooses: as it is declared. */
export const asDeclared = (layer) => ({ opacity: 1, style: layer.styles?.[0]?.id ?? '' });

export class MapState extends State {
  constructor(layers) {
    super();
    this.shown = new Map(
      Object.entries(layers)
        .filter(([, layer]) => layer.shown)
        .map(([id, layer]) => [id, asDeclared(layer)]),
    );
    // Of valid time (empty: now), and as known at (empty: as known now).
    this.moment = '';
    this.known = '';
    // While two moments are compared: those of the right side, and where it begins, as a share of the width.
    this.swipe = null;
    this.grid = 'WebMercatorQuad';
  }

  show(id, how) {
    const shown = new Map(this.shown);
    if (how) shown.set(id, how);
    else shown.delete(id);
    this.change({ shown });
  }
}

/** The parameters that ask a layer for a moment. A layer without times is the same at all of them. */
export function timeOf(layer, moment, known) {
  const asked = {};
  if (moment && layer.time) asked.datetime = moment;
  if (known) asked.asOf = known;
  return asked;
}

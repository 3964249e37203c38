// SPDX-License-Identifier: Apache-2.0
// CoverageJSON to plain series: [{name, unit, axis, points: [[label, value], ...], place}].

function axisValues(axis) {
  if (!axis) return [];
  if (axis.values) return axis.values;
  const step = axis.num > 1 ? (axis.stop - axis.start) / (axis.num - 1) : 0;
  return Array.from({ length: axis.num }, (_, index) => axis.start + step * index);
}

function label(text, lang) {
  if (!text || typeof text === 'string') return text ?? '';
  return text[lang] ?? text.zh ?? text.en ?? Object.values(text)[0] ?? '';
}

function unitOf(parameter) {
  const symbol = parameter?.unit?.symbol;
  return typeof symbol === 'object' ? (symbol?.value ?? '') : (symbol ?? '');
}

function nameOf(key, parameter, lang) {
  return label(parameter?.observedProperty?.label, lang) || label(parameter?.description, lang) || key;
}

/** The values along one axis; of every other axis the first place is taken. */
function along(range, axis, length) {
  const names = range.axisNames ?? [axis];
  const shape = range.shape ?? [length];
  const at = names.indexOf(axis);
  const stride = at < 0 ? 0 : shape.slice(at + 1).reduce((product, size) => product * size, 1);
  return Array.from({ length }, (_, index) => range.values[index * stride] ?? null);
}

function fromCoverage(coverage, parameters, lang) {
  const axes = coverage.domain?.axes ?? {};
  const lengths = ['t', 'z', 'x', 'y']
    .map((name) => [name, axisValues(axes[name])])
    .filter(([, values]) => values.length);
  const [axis, steps] = lengths.find(([name, values]) => values.length > 1 && 'tz'.includes(name)) ??
    lengths[0] ?? ['t', []];
  const known = { ...parameters, ...coverage.parameters };
  const place = [axisValues(axes.x)[0], axisValues(axes.y)[0]];
  return Object.entries(coverage.ranges ?? {})
    .filter(([, range]) => Array.isArray(range.values))
    .map(([key, range]) => {
      const values = along(range, axis, steps.length);
      return {
        key,
        axis,
        name: nameOf(key, known[key], lang),
        unit: unitOf(known[key]),
        place,
        points: steps.map((step, index) => [step, values[index]]),
      };
    });
}

export function seriesFrom(document_, lang) {
  const coverages = document_.type === 'CoverageCollection' ? (document_.coverages ?? []) : [document_];
  return coverages.flatMap((coverage) => fromCoverage(coverage, document_.parameters ?? {}, lang));
}

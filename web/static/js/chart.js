// SPDX-License-Identifier: Apache-2.0
/* global echarts */
// Charts in the page's colours and fonts, drawn by ECharts; gaps stay gaps.
import { say } from './page-data.js';
import { make } from './dom.js';

const still = window.matchMedia('(prefers-reduced-motion: reduce)').matches;

export function tone(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What all axes look like. */
export function axis(options = {}) {
  return {
    axisLine: { lineStyle: { color: tone('line') } },
    axisTick: { lineStyle: { color: tone('line') } },
    axisLabel: { color: tone('soft'), hideOverlap: true, showMinLabel: false, showMaxLabel: false },
    splitLine: { lineStyle: { color: tone('line-soft') } },
    nameTextStyle: { color: tone('soft') },
    ...options,
  };
}

const TIMES = { year: '{yyyy}', month: '{MM}-{dd}', day: '{MM}-{dd}', hour: '{HH}:{mm}', minute: '{HH}:{mm}' };

/** An axis of the city's time. */
export function timeAxis() {
  const plain = axis({ splitLine: { show: false } });
  return { type: 'time', ...plain, axisLabel: { ...plain.axisLabel, formatter: TIMES } };
}

/** The colour of rain, and how charts leave room for axes at both sides. */
export const RAIN = '#4FA3DC';
const SIDES = { left: 64, right: 68 };

/** The frame of a course over time: one plot, or with rain two that share their time, the rain above (plot 0). */
export function framed(time, rain) {
  const below = { ...SIDES, top: rain ? 128 : 44, bottom: 34 };
  return {
    legend: { top: 8, type: 'scroll', textStyle: { color: tone('ink') } },
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    grid: rain ? [{ ...SIDES, top: 44, height: 70 }, below] : [below],
    xAxis: rain
      ? [
          { ...time, gridIndex: 0, axisLabel: { show: false } },
          { ...time, gridIndex: 1 },
        ]
      : [time],
  };
}

/** Draws into an element that has a height, or says there why not; a chart that is there already takes the new option.
 * label: what it shows, for those who do not see it. */
export function draw(element, label, option) {
  if (typeof echarts === 'undefined') {
    element.replaceChildren(make('p', { class: 'notice' }, say('noChart')));
    return null;
  }
  let chart = echarts.getInstanceByDom(element);
  if (!chart) {
    chart = echarts.init(element);
    new ResizeObserver(() => chart.resize()).observe(element);
  }
  element.setAttribute('role', 'img');
  element.setAttribute('aria-label', label);
  const text = { color: tone('ink'), fontFamily: tone('font') };
  const tooltip = {
    trigger: 'axis',
    confine: true,
    backgroundColor: tone('sheet'),
    borderColor: tone('line'),
    textStyle: { color: tone('ink'), fontSize: 13 },
  };
  const whole = { textStyle: text, animation: !still, animationDuration: 250, useUTC: true, ...option };
  chart.setOption({ ...whole, tooltip: { ...tooltip, ...option.tooltip } }, { notMerge: true });
  return chart;
}

/** Points [time, value] in their order with a gap wherever a value of the usual step is missing. */
export function withGaps(points) {
  const steps = points.slice(1).map(([at], index) => at - points[index][0]);
  const usual = steps.length ? [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] : 0;
  return points.flatMap((point, index) =>
    index && usual && steps[index - 1] > 1.9 * usual ? [[points[index - 1][0] + usual, null], point] : [point],
  );
}

import { expect, it } from 'vitest';
import { statisticsCharts } from '../../../cli/src/reports/training-report.ts';
import type { Metrics } from '../../../src/zeroseg/training/metrics.ts';

const step = (number: number, more: Partial<Metrics> = {}) => ({ step: number, loss: 1, ...more }) as Metrics;
const grouping = (groups: number, nearest: Record<string, number>) => ({
  groupsFirst: 2 * groups,
  groups,
  entropyFirst: 0.5,
  entropySecond: 0.25,
  nearest,
});

it('draws what was looked at over the steps in which it was, and a chart for each number of a probe', () => {
  const charts = statisticsCharts([
    step(1, { grouping: grouping(3, { '2x2': 0.4, '3x3': 0.6 }) }),
    step(2),
    step(3, { probe: { 'object mIoU': 0.1 } }),
    step(4, { grouping: grouping(4, { '2x2': 1, '3x3': 0 }), probe: { 'object mIoU': 0.2, named: 0.5 } }),
  ]);
  expect(
    charts.map(({ title, step: steps, lines }) => [title, steps, ...lines.map(({ name, values }) => [name, values])]),
  ).toEqual([
    ['Groups in use, a photo', [1, 4], ['first stage', [6, 8]], ['segments', [3, 4]]],
    ['Entropy of the assignment, nats', [1, 4], ['first stage', [0.5, 0.5]], ['second stage', [0.25, 0.25]]],
    ["Grids of the segments' nearest views", [1, 4], ['2 × 2', [0.4, 1]], ['3 × 3', [0.6, 0]]],
    ['object mIoU', [3, 4], ['object mIoU', [0.1, 0.2]]],
    ['named', [3, 4], ['named', [null, 0.5]]],
  ]);
});

it('draws nothing of a run that was not looked at', () => {
  expect(statisticsCharts([step(1), step(2)])).toEqual([]);
});

import { centreRegion, keepCount, keepRatioSize, shortSideSize } from '@zeroseg/core/internal';
import { learningRate } from '@zeroseg/core/nn';
import { gridBoxes, SegmentationScore, slidingWindows } from '@zeroseg/core/zeroseg';
import { Fields } from './manifest.ts';
import { FixtureError, type Report } from './report.ts';

/** A rule: what it takes from a case, and what it must give, as pairs of ours and the fixture's. */
type Rule = (one: Fields) => Readonly<Record<string, readonly [ours: unknown, theirs: unknown]>>;

/** Doubles that went through another language's library of functions. */
const ROUNDING = 1e-12;

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  [
    'keep_ratio_resize',
    (one) => {
      const size = keepRatioSize(one.number('w'), one.number('h'), one.number('short'), one.number('long'));
      return { out: [size, one.numbers('out')] };
    },
  ],
  [
    'short_side_resize',
    (one) => {
      const size = one.number('size');
      const [width, height] = shortSideSize(one.number('w'), one.number('h'), size);
      const { x, y } = centreRegion(width, height, size, size);
      return { out: [[width, height], one.numbers('out')], crop: [[x, y], one.numbers('crop')] };
    },
  ],
  [
    'windows',
    (one) => {
      const boxes = slidingWindows(one.number('h'), one.number('w'), one.number('crop'), one.number('stride'));
      return { out: [boxes, one.list('out')] };
    },
  ],
  ['grid_boxes', (one) => ({ out: [gridBoxes(one.number('size'), one.numbers('grids')), one.list('out')] })],
  ['mask_keep', (one) => ({ keep: [keepCount(one.number('n'), one.number('ratio')), one.number('keep')] })],
  [
    'learning_rate',
    (one) => {
      const lr = learningRate({
        epoch: one.number('epoch'),
        base: one.number('base'),
        batch: one.number('batch'),
        warmup: one.number('warmup'),
        epochs: one.number('epochs'),
        min: one.number('min'),
      });
      return { lr: [lr, one.number('lr')] };
    },
  ],
  [
    'iou',
    (one) => {
      const score = new SegmentationScore(one.whole('classes'), one.whole('ignore'));
      const flat = (name: string) => one.list(name).map((map) => (map as number[][]).flat());
      const [preds, labels] = [flat('preds'), flat('labels')];
      if (preds.length !== labels.length) throw new FixtureError("'preds' and 'labels' must hold as many maps");
      preds.forEach((pred, i) => {
        score.add(pred, labels[i] as number[]);
      });
      return {
        intersection: [[...score.intersection], one.list('intersection')],
        union: [[...score.union()], one.list('union')],
        iou: [score.iou(), one.list('iou')],
        mean: [score.meanIou(), one.raw('mean')],
      };
    },
  ],
]);

/** Whether a manifest is a list of rules. */
export function isRules(json: object): boolean {
  return Object.keys(json).some((key) => rules.has(key));
}

/** Integer and scalar rules: sizes, windows, boxes, counts, learning rates, the metric. */
export async function verifyRules(manifest: Fields, report: Report): Promise<void> {
  for (const name of manifest.keys()) {
    const rule = rules.get(name);
    await report.part(name, name, async () => {
      if (!rule) throw new FixtureError(`the rule '${name}' is not known`);
      const cases = manifest.list(name);
      if (cases.length === 0) throw new FixtureError(`the rule '${name}' has no cases`);
      for (const [i, json] of cases.entries()) {
        await report.part(name, `case ${i}`, () => {
          const one = new Fields(json, `${name}, case ${i}`);
          for (const [what, [ours, theirs]] of Object.entries(rule(one))) {
            checkPair(report, name, `case ${i} ${what}`, ours, theirs);
          }
          one.complainAboutUnused();
        });
      }
    });
  }
}

/** Whole numbers must be equal; others up to the last digits of a double. */
function checkPair(report: Report, family: string, name: string, ours: unknown, theirs: unknown): void {
  const numbers = (value: unknown): number[] =>
    Array.isArray(value) ? value.flatMap(numbers) : typeof value === 'number' ? [value] : [];
  const [a, b] = [numbers(ours), numbers(theirs)];
  const shape = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(shape) : typeof value === 'number' ? 0 : value;
  const equalCaptions = JSON.stringify(shape(ours)) === JSON.stringify(shape(theirs));
  const fractions = b.some((value) => !Number.isInteger(value));
  if (!equalCaptions || !fractions) report.equal(family, name, ours, theirs);
  else report.scaled(family, name, a, b, { tolerance: ROUNDING, magnitude: Math.max(...b.map(Math.abs)) });
}

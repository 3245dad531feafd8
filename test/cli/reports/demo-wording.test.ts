import { expect, test } from 'vitest';
import { liveScoreTable, objectsFound, stateWords } from '../../../cli/src/reports/demo/wording.ts';

const words = (objects: [number, number], grounds: [number, number]): string => {
  const [a, b] = [objects, grounds].map(([found, there]) => ({ found, there }));
  return objectsFound({ objects: a, grounds: b } as Parameters<typeof objectsFound>[0]);
};

test('what was found of a scene, in words', () => {
  expect(words([1, 2], [1, 1])).toBe('1 of 2 objects found, ground right');
  expect(words([0, 1], [1, 2])).toBe('0 of 1 object found, 1 of 2 grounds right');
  expect(words([3, 3], [2, 2])).toBe('3 of 3 objects found, grounds right');
  expect(words([2, 2], [0, 1])).toBe('2 of 2 objects found, 0 of 1 ground right');
  expect(words([0, 0], [1, 1])).toBe('no object there, ground right');
  expect(words([1, 1], [0, 0])).toBe('1 of 1 object found');
});

test('what became of a name', () => {
  expect((['found', 'missed', 'extra', undefined] as const).map((state) => stateWords({ state }))).toEqual([
    '✓',
    'in part',
    'not there',
    '',
  ]);
});

test('scores as a table, with intervals', () => {
  const at = (value: number) => ({ value, low: value - 0.05, high: value + 0.05 });
  const own = { objects: at(0.4), ground: null, accuracy: at(0.8), found: at(0.5), objectsFound: 10, objectsThere: 20 };
  const statistics = { groupsUsed: 1, things: 1, entropy: { rollout: 0, first: 0, second: 0 }, namesPresent: null };
  const scores = { scenes: 12, students: { shipped: { ...own, statistics } } };
  expect(liveScoreTable(scores, { shipped: 'shipped student' }).join('\n')).toMatchInlineSnapshot(`
    "                 objects found           objects (mean IoU)  ground (mean IoU)  pixels right
    shipped student  10 of 20, 50 % (45–55)  40 % (35–45)        –                  80 % (75–85)
    on 12 scenes; in brackets 95 % intervals. Found: IoU of 50 % or more"
  `);
});

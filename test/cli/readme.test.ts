import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildProgram, runProgram } from '../support/programs.ts';

const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
  .map(([, text = '']) => text)
  .find((text) => text.includes("from 'zeroseg'"));
const program = await buildProgram({ text: example ?? '' });

test("README's photo is segmented by words", async () => {
  const { code, out } = await runProgram([program]);
  const [size = '', ...segments] = out.trim().split('\n');
  expect([code, /^512 410 (boat|water|sky)$/.test(size) || size]).toEqual([0, true]);
  expect(segments.length).toBeGreaterThan(0);
  for (const line of segments) expect(line).toMatch(/^(boat|water|sky) [01]\.\d\d \d+$/);
});

/** Every block of TypeScript and JavaScript in the documentation is compiled, and runs. */
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { checkFirstExample } from '../package/first-example.ts';
import { buildPrograms, runProgram } from '../support/programs.ts';
import { blocksIn, repository } from './markdown.ts';

/** What is compiled here and not run, by a text that it contains. */
const notRun: readonly { readonly contains: string; readonly because: string }[] = [
  { contains: 'document.', because: 'needs a page: test/package/bundles.test.ts opens it in a browser' },
];

const blocks = blocksIn('ts', 'js');
const run = blocks.filter(({ text }) => !notRun.some(({ contains }) => text.includes(contains)));
const titleOf = new Map(blocks.map((block, i) => [block, `${block.page.replaceAll(/\W/g, '-')}-${i + 1}`]));
const files = await buildPrograms(Object.fromEntries(run.map((block) => [titleOf.get(block), block.text])));

/** What each printed, by its title. */
const printed = new Map<string, string>();

beforeAll(async () => {
  // One process for all: each is loaded once the one before is done.
  const program = Object.entries(files)
    .map(([title, file]) => `console.log('=== ${title}'); await import(${JSON.stringify(file)});`)
    .join('\n');
  const { code, out, err } = await runProgram(['--input-type=module', '--eval', program]);
  for (const part of out.split('=== ').slice(1)) {
    const [title = '', ...lines] = part.split('\n');
    printed.set(title, lines.join('\n').trim());
  }
  expect([code, code === 0 ? '' : `${[...printed.keys()].at(-1)}: ${err}`]).toEqual([0, '']);
});

const outputOf = (page: string, containing: string): string => {
  const block = run.find((one) => one.page === page && one.text.includes(containing));
  return printed.get(titleOf.get(block as (typeof blocks)[number]) ?? '') ?? '';
};

test('all of them run', () => {
  expect([...printed.keys()]).toEqual(run.map((block) => titleOf.get(block)));
});

test('they print what their comments say', () => {
  checkFirstExample(outputOf('docs/library.md', "new Map([['w', w]])").split(/\s+/).map(Number));
  expect(Number(outputOf('docs/library.md', 'class Classifier'))).toBeLessThan(0.01);
  expect(Number(outputOf('docs/library.md', 'forwardInTraining'))).toBeLessThan(0.5);
  expect(outputOf('docs/library.md', 'function cube')).toBe('1 8 27 3 12 27');
  const pushed = outputOf('docs/library.md', 'const [pushed]').split(' ').map(Number);
  for (const [i, wanted] of [1.381773, 0, 2.828857].entries()) expect(pushed[i]).toBeCloseTo(wanted, 5);
  expect(outputOf('docs/library.md', 'rotaryTable(device')).toBe('[ 1, 4, 2, 8 ]');
  expect(outputOf('docs/library.md', 'logits.shape')).toMatch(/^\d\.\d\d\n\[ 'u32 \[3\], u32 \[3\], u32 \[2\]' \]$/);
  expect(outputOf('docs/library.md', 'jit(device').replace(/\s+/g, ' ')).toBe(
    '10 [ 3, 2 ] 2 [ [ -1, -6.5 ], [ 3.25, 5.5 ] ] Tensor f32 [2, 2] [[ 0.5 -3 ] [ 1.5 3.5]]',
  );
});

test('the programs of the tour and the guides print what their comments say', () => {
  const tour = (containing: string) => outputOf('docs/tour.md', containing);
  const guide = (name: string, containing: string) => outputOf(`docs/guides/${name}.md`, containing);
  expect(tour('toText(x)').replace(/\s+/g, ' ')).toBe(
    '[ 2, 1 ] f32 [ [ -1 ], [ -1 ] ] Float32Array(3) [ 2.5, 3.5, 4.5 ] Tensor f32 [2, 3] [[1 2 3] [4 5 6]]',
  );
  expect(tour('mul(x, sin(x))')).toMatch(/\[ 0, 1\.38\d*, 0\.077\d* \]/);
  expect(Number(tour('new Sequential'))).toBeLessThan(0.1);
  expect(guide('memory-and-steps', 'forward.memory')).toMatch(/\n1\.64$/);
  expect(guide('randomness', 'randomNormal')).toBe('true false');
  expect(guide('randomness', 'xavierUniform')).toMatch(/\ntrue$/);
  expect(guide('own-kernels', 'energyKernel')).toBe('14 5 2 4 6 0 -2 4');
  expect(guide('saving-and-loading', 'optimizer.state')).toBe('true');
  expect(guide('saving-and-loading', 'mkdtemp')).toBe("{ step: '100' } [ 2, 3 ]");
  expect(guide('training-loop', 'WeightAverage')).toMatch(/\n10 of 10 are right\ntrue$/);
  expect(guide('debugging', 'NotFiniteError')).toMatch(/^log/);
  expect(guide('debugging', 'ShapeError')).toBe('matmul: inner sizes must agree (3 and 4); got a [2, 3], b [4, 2]');
  expect(guide('from-pytorch', 'AdamW').split('\n').at(-1)).toBe('4');
});

test("README's photo is segmented by words", () => {
  const [size = '', ...segments] = outputOf('README.md', 'openVocabulary').split('\n');
  expect(size).toMatch(/^512 410 (boat|water|sky)$/);
  expect(segments.length).toBeGreaterThan(0);
  for (const line of segments) expect(line).toMatch(/^(boat|water|sky) [01]\.\d\d \d+$/);
});

test('all of them are correct to the compiler, in strict mode', async () => {
  const folder = join(repository, 'node_modules', `.zeroseg-examples-${process.pid}`);
  const config = {
    extends: '../../tsconfig.json',
    compilerOptions: {
      lib: ['es2023', 'esnext.disposable', 'dom', 'dom.iterable'],
      noUncheckedIndexedAccess: false,
      isolatedDeclarations: false,
      declaration: false,
    },
    include: ['*.ts', '../../cli/src/**/*.d.ts'],
  };
  await mkdir(folder, { recursive: true });
  try {
    for (const block of blocks) await writeFile(join(folder, `${titleOf.get(block)}.ts`), block.text);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const tsc = join(repository, 'node_modules/typescript/bin/tsc');
    const said = await promisify(execFile)(process.execPath, [tsc, '-p', folder]).then(
      () => '',
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(said).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

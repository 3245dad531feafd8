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
  expect(outputOf('docs/library.md', 'rotaryTable(device')).toBe('[ 1, 4, 2, 8 ]');
  expect(outputOf('docs/library.md', 'jit(device').replace(/\s+/g, ' ')).toBe(
    '10 [ 3, 2 ] 2 [ [ -1, -6.5 ], [ 3.25, 5.5 ] ] Tensor f32 [2, 2] [[ 0.5 -3 ] [ 1.5 3.5]]',
  );
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

import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { browserLaunchOptions } from '../support/browser.ts';

// A library user's first hour: the packed package in an empty project, README's example pasted, in Node and on a page.

const run = promisify(execFile);
const repository = resolve(import.meta.dirname, '../..');
// Inside node_modules, so that the package's dependencies are found by going up.
const project = join(repository, 'node_modules', '.package-test');
const installed = join(project, 'node_modules', '@zeroseg', 'core');
let example = '';
let packed: string[] = [];

beforeAll(async () => {
  await rm(project, { recursive: true, force: true });
  await mkdir(installed, { recursive: true });
  await run('npm', ['run', 'build'], { cwd: repository });
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--dry-run'], { cwd: repository });
  const files = (JSON.parse(stdout) as { files: { path: string }[] }[])[0]?.files ?? [];
  packed = files.map(({ path }) => path);
  for (const path of packed) await cp(join(repository, path), join(installed, path));
  const readme = await readFile(join(repository, 'README.md'), 'utf8');
  example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  await writeFile(join(project, 'package.json'), '{ "name": "app", "type": "module", "private": true }');
  await writeFile(join(project, 'main.ts'), example);
});

afterAll(() => rm(project, { recursive: true, force: true }));

it('packs what a user needs and nothing of the development', () => {
  expect(packed).toContain('dist/index.js');
  expect(packed).toContain('dist/index.d.ts');
  expect(packed).toContain('dist/cli/main.js');
  expect(packed).toContain('LICENSE');
  expect(packed).toContain('THIRD-PARTY-NOTICES.md');
  expect(packed.filter((path) => /^(test|bench|scripts|\.ci)\//.test(path))).toEqual([]);
});

it("type-checks README's example in a strict project and runs it in Node", async () => {
  const options = {
    compilerOptions: {
      module: 'nodenext',
      target: 'es2022',
      strict: true,
      outDir: 'out',
      types: ['node'],
      skipLibCheck: false,
    },
    files: ['main.ts'],
  };
  await writeFile(join(project, 'tsconfig.json'), JSON.stringify(options));
  await run(join(repository, 'node_modules/.bin/tsc'), ['-p', project], { cwd: project }).catch((error) => {
    throw new Error(`tsc: ${error.stdout}`);
  });
  const { stdout } = await run('node', ['out/main.js'], { cwd: project });
  check(stdout.trim().split(/\s+/).map(Number));
});

it("bundles README's example for a page without code of Node, and the page runs it", async () => {
  await writeFile(
    join(project, 'index.html'),
    '<!doctype html><title>page</title><script type="module" src="main.ts"></script>',
  );
  await build({ root: project, logLevel: 'error', build: { outDir: 'page', target: 'esnext', minify: false } });
  const assets = join(project, 'page', 'assets');
  const texts = await Promise.all((await readdir(assets)).map((file) => readFile(join(assets, file), 'utf8')));
  const bundle = texts.join('\n');
  expect(bundle.length).toBeGreaterThan(10_000);
  for (const word of ['dlopen', 'sparticuz', 'sharp', 'process.env']) expect(bundle).not.toContain(word);
  // Modules, not properties of that name.
  expect(bundle).not.toMatch(/['"`]node:/);

  const server = createServer(async (request, response) => {
    const path = request.url === '/' ? 'index.html' : (request.url ?? '').slice(1);
    const body = await readFile(join(project, 'page', path)).catch(() => undefined);
    response.writeHead(body ? 200 : 404, { 'content-type': path.endsWith('.js') ? 'text/javascript' : 'text/html' });
    response.end(body);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as { port: number };
  const browser = await chromium.launch(await browserLaunchOptions());
  try {
    const page = await browser.newPage();
    const numbers: number[] = [];
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('console', (message) => numbers.push(...message.text().split(' ').map(Number).filter(Number.isFinite)));
    await page.goto(`http://127.0.0.1:${port}/`);
    for (let i = 0; i < 600 && numbers.length < 9 && errors.length === 0; i++) await page.waitForTimeout(100);
    expect(errors).toEqual([]);
    check(numbers);
  } finally {
    await browser.close();
    server.close();
  }
});

/** y (4), dw (2), the loss, and w (2): as README's comments say. */
function check([y0, y1, y2, y3, d0, d1, loss, w0, w1]: readonly number[]): void {
  for (const [got, want] of [
    [y0, 0],
    [y1, -0.5],
    [y2, 0.5],
    [y3, 0],
    [d0, 0.25],
    [d1, -0.25],
  ]) {
    expect(got).toBeCloseTo(want as number, 5);
  }
  expect(loss).toBeLessThan(0.01);
  expect(w0).toBeCloseTo(2, 1);
  expect(w1).toBeCloseTo(3, 1);
}

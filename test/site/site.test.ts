/** The built site, as a visitor has it. */
import { readdir, readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { browserLaunchOptions } from '../support/browser.ts';

const folder = inject('siteFolder');
const types: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

let [browser, server, root] = [undefined as Browser | undefined, undefined as Server | undefined, ''];
/** Pages that a test adds to the site's own. */
const added = new Map<string, string>();

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '', 'http://site').pathname.replace(/\/$/, '/index.html');
    const body = added.get(path) ?? (await readFile(join(folder, path)).catch(() => undefined));
    response.writeHead(body ? 200 : 404, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    response.end(body);
  });
  await new Promise<void>((ready) => server?.listen(0, '127.0.0.1', ready));
  root = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  browser = await chromium.launch(await browserLaunchOptions());
});
afterAll(async () => {
  await browser?.close();
  server?.close();
});

async function open(path: string, width = 1400): Promise<{ page: Page; errors: string[] }> {
  const page = await (browser as Browser).newPage({ viewport: { width, height: 900 } });
  page.setDefaultTimeout(120_000);
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('response', (response) => {
    if (response.status() >= 400) errors.push(`${response.status()} ${response.url()}`);
  });
  await page.goto(root + path);
  return { page, errors };
}

test('every link leads to a page that is there, every #anchor to something on it', async () => {
  const all = await readdir(folder, { recursive: true });
  const files = all.filter((file) => file.endsWith('.html'));
  const pages = new Map<string, { ids: Set<string>; links: string[] }>();
  for (const file of files) {
    const html = await readFile(join(folder, file), 'utf8');
    const ids = new Set([...html.matchAll(/\bid="([^"]+)"/g)].map(([, id = '']) => id));
    const links = [...html.matchAll(/<a\b[^>]*?\bhref="([^"]+)"/g)].map(([, link = '']) =>
      link.replaceAll('&amp;', '&'),
    );
    pages.set(`/${file}`, { ids, links });
  }
  expect(pages.size).toBeGreaterThan(60);
  const broken = [...pages].flatMap(([at, { links }]) =>
    links.flatMap((link) => {
      if (/^[a-z]+:/i.test(link)) return [];
      const { pathname, hash } = new URL(link, `http://site${at}`);
      // A picture, or another file.
      if (extname(pathname) !== '.html' && all.includes(pathname.slice(1))) return [];
      const target = pages.get(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
      const anchor = decodeURIComponent(hash.slice(1));
      return target && (anchor === '' || target.ids.has(anchor)) ? [] : [`${at}: ${link}`];
    }),
  );
  expect(broken).toEqual([]);
});

test('an example runs in the page, and can be changed', async () => {
  const { page, errors } = await open('/examples/own-op.html');
  await page.getByRole('button', { name: 'Run' }).click();
  await page.locator('.status', { hasText: /done|failed/ }).waitFor();
  expect(await page.locator('.output').textContent()).toContain('learned a = 2.0');
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type("throw new RangeError('changed');\n");
  await page.keyboard.press('Control+Enter');
  await page.locator('.status', { hasText: 'failed' }).waitFor();
  expect(await page.locator('.output').textContent()).toContain(
    "RangeError: changed\nline 1: throw new RangeError('changed');",
  );
  await page.keyboard.type('let x = ;\n');
  await page.keyboard.press('Control+Enter');
  await page.locator('.output', { hasText: 'SyntaxError' }).waitFor();
  expect(await page.locator('.output').textContent()).toContain('line 2: let x = ;');
  // Tab indents; the keyboard leaves the editor all the same.
  await page.keyboard.press('Escape');
  await page.keyboard.press('Tab');
  expect(await page.evaluate("document.activeElement.closest('.cm-editor')")).toBeNull();
  await page.getByRole('button', { name: 'Reset' }).click();
  expect(await page.locator('.cm-content').textContent()).not.toContain('RangeError');
  expect(errors).toEqual([]);
  await page.close();
});

test('the console of an example prints the values of tensors, in order', async () => {
  const { page, errors } = await open('/examples/own-op.html');
  await page.locator('.cm-content').click();
  await page.keyboard.press('Control+A');
  await page.keyboard.insertText(`import { add, openDevice, read, step, tensor, variable } from '@zeroseg/core';
const device = await openDevice();
const x = tensor(device, [[1, 2], [3, 4]]);
console.log('x', add(x, 1));
const w = variable(device, [2], [3, 4]);
const next = await step(device, { y: [2] }, ({ y }) => {
  console.log('in the body', y, w, add(y, w));
  return add(y, 1);
});
const y = next({ y: [1, 2] });
console.log(y, [y], null);
await read(next({ y: [5, 6] }));
console.log(y);
console.error('last');`);
  await page.keyboard.press('Control+Enter');
  await page.locator('.status', { hasText: /done|failed/ }).waitFor();
  const inBody =
    'in the body Tensor f32 [2] (an input of a step; return it from the step to see its values) Tensor f32 [2] (variable) ' +
    'Tensor f32 [2] (made by add; return it from the step to see its values)';
  expect((await page.locator('.output').textContent())?.trim().split('\n')).toEqual([
    'x Tensor f32 [2, 2]',
    '[[2 3]',
    ' [4 5]]',
    inBody, // a body runs twice
    inBody,
    'Tensor f32 [2]',
    '[2 3] [Tensor f32 [2]] null',
    'Tensor f32 [2] (its memory was overwritten by the next call of its step; read it or keep it by evaluate() before)',
    'last',
  ]);
  expect(errors).toEqual([]);
  await page.close();
});

test('the page without a build that Install shows runs', async () => {
  const install = await readFile(join(import.meta.dirname, '../../docs/install.md'), 'utf8');
  const [, html = ''] = /```html\n([\s\S]*?)```/.exec(install) ?? [];
  added.set('/plain.html', html);
  const { page, errors } = await open('/plain.html');
  await page.locator('#out', { hasText: 'Tensor' }).waitFor();
  expect((await page.locator('#out').textContent())?.split('\n')).toEqual([
    'Tensor f32 [2, 2]',
    '[[ 7 10]',
    ' [15 22]]',
  ]);
  expect(errors.filter((error) => !error.endsWith('favicon.ico'))).toEqual([]);
});

test('search finds an op', async () => {
  const { page, errors } = await open('/tour.html');
  await page.getByRole('button', { name: 'Search' }).first().click();
  await page.locator('#localsearch-input').fill('logSoftmax');
  await page.locator('.result', { hasText: 'logSoftmax' }).first().waitFor();
  expect(errors).toEqual([]);
  await page.close();
});

test("search shows guides and the library before ZeroSeg's inside", async () => {
  const { page, errors } = await open('/tour.html');
  await page.getByRole('button', { name: 'Search' }).first().click();
  const first = page.locator('.results .result').first();
  for (const [query, address] of [
    ['seed', '/guides/randomness.html#'],
    ['bce', '/guides/from-pytorch.html#names'],
    ['clip_grad_norm_', '/guides/from-pytorch.html#a-training-loop'],
    ['resume training', '/guides/training-loop.html#resume-training'],
    ['last batch', '/guides/training-loop.html#the-last-batch'],
    ['dataloader', '/guides/'],
    ['InstanceNorm', '/reference/nn-layers.html#InstanceNorm'],
    ['TrainingRun', '/reference/zeroseg-training.html#TrainingRun'],
  ] as const) {
    await page.locator('#localsearch-input').fill(query);
    await expect.poll(() => first.getAttribute('href'), { message: query, timeout: 20_000 }).toContain(address);
  }
  expect(errors).toEqual([]);
  await page.close();
});

test.each([
  '/index.html',
  '/tour.html',
  '/guides/from-pytorch.html',
  '/ops/index.html',
  '/ops/row-ops.html',
  '/examples/digits.html',
])('%s is no wider than a phone', async (path) => {
  const { page, errors } = await open(path, 390);
  await page.waitForLoadState('networkidle');
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
  expect(errors).toEqual([]);
  await page.close();
});

test.each(['/guides/from-pytorch.html', '/ops/index.html', '/library.html', '/configuration.html'])(
  'no name in the tables of %s is broken on a phone',
  async (path) => {
    const { page, errors } = await open(path, 390);
    const [count, broken] = (await page.evaluate(linesOfNames)) as [number, string[]];
    expect(count).toBeGreaterThan(50);
    expect(broken).toEqual([]);
    expect(errors).toEqual([]);
    await page.close();
  },
);

/** In the page: how many words the code in tables has, and which of them are on more than one line. */
const linesOfNames = `(() => {
  const [range, broken] = [document.createRange(), []];
  let count = 0;
  for (const code of document.querySelectorAll('td code')) {
    const text = code.firstChild;
    for (const { 0: word, index } of text.data.matchAll(/[\\w.]+/g)) {
      range.setStart(text, index);
      range.setEnd(text, index + word.length);
      count++;
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) broken.push(word);
    }
  }
  return [count, broken];
})()`;

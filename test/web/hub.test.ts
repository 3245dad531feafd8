import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { teacher } from '@zeroseg/pretrained';
import type { Page, Route } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Opened, usePage } from './open-page.ts';

/** A stand-in for the Hugging Face Hub: the built page may ask nobody else, so its requests to the Hub are answered here. */
const site = usePage();
const repo = 'somebody/small-clip';
const revision = '0123456789abcdef0123456789abcdef01234567';

interface Hub {
  readonly files: Map<string, Uint8Array>;
  /** Bytes of the weights that are sent before the connection breaks off, in all. */
  max: number;
  isThere: boolean;
  /** What it never answers: requests for what a model is, or for the weights behind `max`. */
  silence: 'about' | 'weights' | undefined;
  /** Ranges of the weights that were asked for, and `none` for what was not answered at all. */
  readonly ranges: string[];
}

let hub: Hub;
let opened: Opened;
let page: Page;

const headers = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'Content-Range, ETag, X-Linked-Size, X-Linked-ETag, X-Error-Code',
};

async function answer(route: Route): Promise<void> {
  const request = route.request();
  const { pathname } = new URL(request.url());
  const json = (value: unknown, status = 200) => route.fulfill({ status, headers, json: value });
  if (!hub.isThere) return route.abort('internetdisconnected');
  if (request.method() === 'OPTIONS') {
    return route.fulfill({ status: 204, headers: { ...headers, 'Access-Control-Allow-Headers': '*' } });
  }
  if (pathname.startsWith('/api/') && hub.silence === 'about') {
    hub.ranges.push('none');
    return;
  }
  if (pathname === `/api/models/${repo}/revision/HEAD`) {
    return json({ _id: '1', id: repo, sha: revision, lastModified: '2026-01-01', siblings: [] });
  }
  if (pathname === `/api/models/${repo}/tree/${revision}`) return json([...hub.files].map(entryOf));
  const path = pathname.split(`/${repo}/resolve/${revision}/`)[1];
  const content = path === undefined ? undefined : hub.files.get(path);
  if (!content) return json({ error: 'Repository not found' }, 401);
  const [, from = 0, to = 0] = (/^bytes=(\d+)-(\d+)$/.exec(request.headers()['range'] ?? '') ?? []).map(Number);
  let body = content.subarray(from, to + 1);
  if (path === 'model.safetensors' && to - from > 100_000) {
    hub.ranges.push(`${from}-${to}`);
    if (from >= hub.max) return hub.silence === 'weights' ? undefined : route.abort('connectionreset');
    body = content.subarray(from, Math.min(to + 1, hub.max));
  }
  await route.fulfill({
    status: 206,
    headers: { ...headers, ETag: '"1"', 'Content-Range': `bytes ${from}-${from + body.length - 1}/${content.length}` },
    body: Buffer.from(body),
  });
}

function entryOf([path, content]: [string, Uint8Array]) {
  const size = content.length;
  const git = createHash('sha1').update(`blob ${size}\0`).update(content).digest('hex');
  const lfs = { oid: createHash('sha256').update(content).digest('hex'), size, pointerSize: 130 };
  return { type: 'file', path, size, oid: git, ...(path.endsWith('.safetensors') && { lfs }) };
}

beforeAll(async () => {
  const [weights, config] = [await readFile(teacher.weights), await readFile(teacher.config)];
  hub = {
    files: new Map<string, Uint8Array>([
      ['README.md', Buffer.from('# A small CLIP')],
      ['config.json', config],
      ['model.safetensors', weights],
      ['pytorch_model.bin', Buffer.from('PK')],
    ]),
    max: Number.POSITIVE_INFINITY,
    isThere: true,
    silence: undefined,
    ranges: [],
  };
  opened = await site.open();
  page = opened.page;
  await opened.context.route('https://huggingface.co/**', answer);
});

afterAll(async () => {
  expect(opened.foreign.every((url) => url.startsWith('https://huggingface.co/'))).toBe(true);
  // What the browser says of requests that fail; nothing of the security policy.
  expect(opened.errors.filter((error) => !/Failed to load resource/.test(error))).toEqual([]);
});

beforeEach(async () => {
  Object.assign(hub, { max: Number.POSITIVE_INFINITY, isThere: true, silence: undefined });
  hub.ranges.length = 0;
  if (await page.getByRole('dialog').isVisible()) return;
  await page.getByRole('button', { name: 'Your models …' }).click();
  await page.getByRole('dialog').waitFor();
});

async function ask(name: string): Promise<void> {
  await page.getByLabel('From Hugging Face').last().fill(name);
  await page.getByRole('button', { name: 'Download' }).click();
}

const problem = () => page.getByRole('dialog').getByRole('alert').innerText();

test('nobody is asked before the visitor wants a model', () => {
  expect(opened.foreign).toEqual([]);
});

describe('what cannot be had is told', () => {
  test('without a network', async () => {
    hub.isThere = false;
    await ask(repo);
    await expect.poll(problem).toMatch(/^Hugging Face cannot be reached: there is no network/);
  });

  test('a name that there is not, and what is no name', async () => {
    await ask('somebody/nothing');
    await expect.poll(problem).toBe('there is no public model somebody/nothing on the Hugging Face Hub');
    await ask('a small one');
    await expect.poll(problem).toMatch(/^“a small one” is no name of a model/);
  });

  test('a model that is no CLIP, before anything is downloaded', async () => {
    const config = hub.files.get('config.json') as Uint8Array;
    hub.files.set('config.json', Buffer.from('{"model_type":"bert"}'));
    await ask(repo);
    await expect.poll(problem).toMatch(/config.json, beside it, holds no settings of a CLIP/);
    hub.files.set('config.json', config);
    expect(hub.ranges).toEqual([]);
    expect(await page.locator('.model').count()).toBe(2);
  });
});

test('a download that breaks off goes on where it stopped, after a reload too; then it segments', async () => {
  hub.max = 300_000;
  await ask(`https://huggingface.co/${repo}`);
  await expect.poll(problem, { timeout: 60_000 }).toMatch(/^Hugging Face cannot be reached/);
  await page.getByText('301 kB of 875 kB downloaded').waitFor();
  expect(hub.ranges[0]).toBe('0-874503');
  expect(new Set(hub.ranges.slice(1))).toEqual(new Set(['300000-874503']));

  await page.reload();
  hub.max = Number.POSITIVE_INFINITY;
  hub.ranges.length = 0;
  await page.getByRole('button', { name: 'Your models …' }).click();
  await page.getByRole('button', { name: `Go on with ${repo}` }).click();
  await page.getByText('CLIP · 875 kB · kept in this browser · revision 0123456').waitFor({ timeout: 60_000 });
  expect(hub.ranges).toEqual(['300000-874503']);
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).click();
  await page.locator('select').selectOption({ label: `${repo}, crop by crop` });
  await page.locator('.progress-done', { hasText: 'looked at in' }).waitFor({ timeout: 300_000 });
  await page.locator('select').selectOption('built-in');
});

test('a file that is not what the Hub says is not kept', async () => {
  const weights = hub.files.get('model.safetensors') as Uint8Array;
  const listed = entryOf(['model.safetensors', weights]);
  await opened.context.route(`https://huggingface.co/api/models/${repo}/tree/**`, (route) =>
    route.fulfill({
      headers,
      json: [
        { ...listed, lfs: { ...listed.lfs, oid: 'ab'.repeat(32) } },
        entryOf(['config.json', hub.files.get('config.json') as Uint8Array]),
      ],
    }),
  );
  await ask(repo);
  await expect
    .poll(problem, { timeout: 60_000 })
    .toMatch(/^model.safetensors did not arrive as it is on the Hub \(its checksum differs\)/);
  await opened.context.unroute(`https://huggingface.co/api/models/${repo}/tree/**`);
  const part = page.locator('.model', { has: page.getByRole('button', { name: `Go on with ${repo}` }) });
  await part.getByRole('button', { name: `Delete ${repo}` }).click();
  await expect.poll(() => page.getByRole('button', { name: `Go on with ${repo}` }).count()).toBe(0);
});

test.each([
  ['what there is', 'about', 'none'],
  ['the weights', 'weights', '200000-874503'],
] as const)('a download is stopped by a button while the Hub keeps silent: %s', async (_, silence, asked) => {
  Object.assign(hub, { max: 200_000, silence });
  await ask(repo);
  await expect.poll(() => hub.ranges, { timeout: 60_000 }).toContain(asked);
  const stop = page.getByRole('button', { name: 'Stop' });
  await stop.click();
  await stop.waitFor({ state: 'detached' });
  expect(await page.getByRole('dialog').getByRole('alert').count()).toBe(0);
  // Of weights, what had come is kept.
  const parts = page.getByRole('button', { name: `Go on with ${repo}` });
  await expect.poll(() => parts.count()).toBe(silence === 'weights' ? 1 : 0);
});

test('a download is stopped as soon as it was asked for, and what there is of others can be deleted', async () => {
  hub.silence = 'about';
  await ask(repo);
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByRole('button', { name: 'Stop' }).waitFor({ state: 'detached' });
  const remove = page.getByRole('button', { name: `Delete ${repo}` });
  for (let left = await remove.count(); left > 0; left--) {
    await remove.last().click();
    await expect.poll(() => remove.count()).toBe(left - 1);
  }
});

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countGpuWork, type GpuWork } from './gpu-work.ts';
import { type Opened, usePage } from './open-page.ts';

const site = usePage();
let opened: Opened;
let page: Page;
let gpuWork: () => Promise<GpuWork>;

beforeAll(async () => {
  opened = await site.open({ path: '#bench?only=softmax,192×32' });
  page = opened.page;
  gpuWork = await countGpuWork(page);
  await opened.context.grantPermissions(['clipboard-read', 'clipboard-write']);
});

afterAll(() => expect([opened.foreign, opened.errors]).toEqual([[], []]));

async function copied(how: string): Promise<string> {
  await page.getByRole('button', { name: how }).click();
  await page.getByText(/^Copied as/).waitFor();
  return page.evaluate('navigator.clipboard.readText()');
}

const work = ['batched 4×192×32×192', 'batched 4×192×192×32', 'softmax [2364, 197]'];

test('what a link asks for is measured: limits, a roofline, a table', async () => {
  // On a processor, small shapes are what one wants.
  await expect.poll(() => page.getByLabel('Small shapes').isChecked()).toBe(true);
  await page.getByRole('button', { name: 'Measure' }).click();
  await page.getByRole('button', { name: 'Measure again' }).waitFor({ timeout: 300_000 });
  expect(await page.locator('.limit-title').allInnerTexts()).toEqual([
    'Multiply-adds',
    'Bandwidth',
    'A launch',
    'Host time a launch',
  ]);
  for (const value of await page.locator('.limit-value').allInnerTexts()) {
    expect(Number.parseFloat(value.replaceAll(' ', ''))).toBeGreaterThan(0);
  }
  await page.getByText(/^Measured again meanwhile: [\d.]+ to [\d.]+ GFLOP\/s/).waitFor();
  expect(await page.locator('.row-name').allInnerTexts()).toEqual(work);
  expect(await page.locator('.roofline .point').count()).toBe(3);
});

test('each time on a device of its own, which compiles what is measured: first runs are first ones', async () => {
  const oneDevice = expect.arrayContaining(['matmul', 'softmax']);
  expect((await gpuWork()).compiled).toEqual([oneDevice]);
  await page.getByRole('button', { name: 'Measure again' }).click();
  await page.getByRole('button', { name: 'Measure again' }).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Measure again' }).waitFor({ timeout: 300_000 });
  expect((await gpuWork()).compiled).toEqual([oneDevice, oneDevice]);
});

test('a row that has the focus is shown in the chart, and a point that is hovered says what it is', async () => {
  await page.getByRole('button', { name: work[2] as string }).focus();
  expect(await page.locator('.point-card').innerText()).toContain('of the limit');
  await page.getByRole('button', { name: work[0] as string }).focus();
  await page.locator('.point-card', { hasText: work[0] as string }).waitFor();
  await page.getByRole('button', { name: 'Measure again' }).focus();
  await page.locator('.point-card').waitFor({ state: 'detached' });
  await page.locator('.roofline .point').last().hover({ force: true });
  await page.locator('.point-card', { hasText: work[2] as string }).waitFor();
});

test('it is copied with what a bug report needs', async () => {
  const { report } = JSON.parse(await copied('Copy as JSON'));
  expect(report.adapter).toMatch(/swiftshader/i);
  expect(report.browser).toMatch(/Chrome/);
  expect(Date.now() - Date.parse(report.date)).toBeLessThan(600_000);
  expect(report.rows.map(({ name }: { name: string }) => name)).toEqual(work);
  for (const row of report.rows) {
    expect(row.fraction).toBeGreaterThan(0);
    expect(row.firstMs).toBeGreaterThan(0);
  }
  const table = await copied('Copy as a table');
  expect(table).toMatch(/^- adapter: .*swiftshader/im);
  expect(table.split('\n').filter((line) => work.some((name) => line.startsWith(`| ${name} `)))).toHaveLength(3);
});

describe('other libraries', () => {
  test('are beside it in the same run, from this address, and right', async () => {
    await page.locator('section[aria-labelledby=peers] summary').click();
    const chosen = page.locator('.work-list input');
    for (const box of await chosen.all()) await box.setChecked(false);
    await page.getByLabel('sum of 4 M').check();
    await page.getByLabel('softmax [2364, 197]').check();
    await page.getByRole('button', { name: 'Compare' }).click();
    await page.getByText(/^Median ms by the wall clock/).waitFor({ timeout: 300_000 });
    const { comparison } = JSON.parse(await copied('Copy as JSON'));
    expect(Object.keys(comparison.labels)).toEqual(['zeroseg', 'tfjs', 'jax']);
    expect(comparison.rows).toHaveLength(2);
    for (const { cells, ratios } of comparison.rows) {
      for (const cell of Object.values<{ state: string; samples: number; error: number }>(cells)) {
        expect(cell).toMatchObject({ state: 'right' });
        expect(cell.samples).toBeGreaterThanOrEqual(9);
      }
      expect(ratios.median).toBeGreaterThan(0);
    }
  });

  test('are not kept for visits without a network, for few ask for them', async () => {
    const kept = await readFile(join(site.folder, 'service-worker.js'), 'utf8');
    const files = await readdir(join(site.folder, 'assets'));
    const tensorflow = files.find((file) => file.startsWith('tensorflow-'));
    expect(tensorflow).toBeDefined();
    expect(kept).not.toContain(tensorflow);
    expect(kept).not.toContain('peer-worker');
    expect(kept).toContain(files.find((file) => file.startsWith('bench-page-') && file.endsWith('.js')));
  });
});

test.each([
  { width: 1400, scheme: 'dark' },
  { width: 390, scheme: 'light' },
] as const)('axe finds nothing, and nothing is wider than the page: $width px, $scheme', async ({ width, scheme }) => {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
});

test('which forms the tuner would choose is told as it is found, and it can be stopped', async () => {
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.getByLabel('Keep them for this page').uncheck();
  await page.getByRole('button', { name: 'Find the fastest' }).click();
  const found = page.locator('section[aria-labelledby=tuner] tbody tr');
  await found.first().waitFor({ timeout: 300_000 });
  await page.locator('section[aria-labelledby=tuner]').getByRole('button', { name: 'Stop' }).click();
  await page.getByText(/^\d+ of \d+ products? ha/).waitFor({ timeout: 300_000 });
  expect(await found.first().locator('th').innerText()).toMatch(/^matmul f32/);
  expect(await copied('Copy as a table')).toContain('**Fastest variants of matrix products**');
});

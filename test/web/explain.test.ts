import { readFile } from 'node:fs/promises';
import { AxeBuilder } from '@axe-core/playwright';
import { photos } from '@zeroseg/pretrained';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { named, type Opened, usePage } from './open-page.ts';

const site = usePage();
let opened: Opened;
let page: Page;

beforeAll(async () => {
  opened = await site.open();
  page = opened.page;
});

afterAll(() => {
  expect([opened.foreign, opened.errors]).toEqual([[], []]);
});

const step = (id: string) => page.locator(`#step-${id}`);

/** Of a canvas; the types of a page are not there. */
interface Canvas {
  readonly width: number;
  readonly height: number;
  getContext(kind: '2d'): { getImageData(...box: number[]): { readonly data: Uint8ClampedArray } };
}

/** The pixels of a figure, as one number: other pixels give another. */
const pixels = (id: string, figure: number): Promise<string> =>
  step(id)
    .locator('canvas.square')
    .nth(figure)
    .evaluate((element) => {
      const canvas = element as unknown as Canvas;
      const { width, height } = canvas;
      let hash = 0;
      for (const value of canvas.getContext('2d').getImageData(0, 0, width, height).data) {
        hash = (Math.imul(hash, 31) + value) | 0;
      }
      return `${width} ${hash}`;
    });

async function turn(label: string, value: number): Promise<void> {
  const slider = page.getByLabel(label, { exact: true });
  await slider.fill(String(value));
}

/** A software adapter takes its time, on a busy machine more. */
const eventually = <T>(read: () => Promise<T>) => expect.poll(read, { timeout: 60_000 });

/** Waits until a value that was read before has become another one. */
async function changes(read: () => Promise<string>, act: () => Promise<unknown>): Promise<void> {
  const before = await read();
  await act();
  await eventually(read).not.toBe(before);
}

const text = (selector: string) => async () => (await page.locator(selector).allInnerTexts()).join('\n');

test('takes over the picture that is open in Segment, with its words', async () => {
  await named(page);
  await page.getByRole('button', { name: /bus/ }).first().click();
  await page.locator('img[alt="scene-105.png"]').waitFor();
  await page.getByRole('link', { name: 'How it works' }).click();
  await page.locator('#step-words .cosine').first().waitFor({ timeout: 300_000 });
  expect(await page.locator('.sample[aria-pressed="true"]').getAttribute('title')).toMatch(/school bus/);
  expect(await step('words').locator('.chip-word').allInnerTexts()).toEqual(['curtain', 'bus', 'cat', 'cup']);
  expect(await page.locator('.step').count()).toBe(8);
  // Names are of these words, and every part that is named has its nearest view.
  expect(await step('words').locator('.name-card').count()).toBe(await step('views').locator('.match').count());
});

test('the mask hides what its slider says, and the decoder paints what is hidden', async () => {
  expect(await step('masking').innerText()).toContain('here 103 of 256');
  const repainted = () => pixels('decoder', 1);
  await changes(repainted, () => turn('Hidden', 0.75));
  await eventually(text('#step-masking')).toContain('here 192 of 256');
  expect(await step('masking').innerText()).toContain('64 of 256 patches are left');
  await changes(repainted, () => page.getByRole('button', { name: 'Other patches' }).click());

  await turn('Hidden', 0);
  await eventually(text('#step-decoder')).toContain('Nothing is hidden');
  // What was painted is then the picture itself.
  await eventually(async () => (await pixels('decoder', 1)) === (await pixels('decoder', 2))).toBe(true);
});

test('noise, temperature and softness change the groups, not what was seen', async () => {
  const groups = () => pixels('groups', 0);
  const seen = await pixels('encoder', 1);
  await changes(groups, () => page.getByLabel('Gumbel noise').check());
  await changes(groups, () => page.getByRole('button', { name: 'A share of each' }).click());
  await changes(groups, () => turn('Temperature', 1));
  await changes(groups, () => page.getByRole('button', { name: 'Other noise' }).click());
  expect(await pixels('encoder', 1)).toBe(seen);
  await page.getByRole('button', { name: 'As at test time' }).click();
  await eventually(text('.turn output')).toMatch(/^0 %\n1\.0\n/);
  await eventually(() => page.getByLabel('Gumbel noise').isChecked()).toBe(false);
});

test('fewer grids are fewer views: other losses, and without parts no match', async () => {
  const losses = text('.losses dd');
  await changes(losses, () => turn('Grids', 2));
  await eventually(text('.match-view')).not.toMatch(/[34] × [34]/);
  await changes(losses, () => turn('Grids', 1));
  await eventually(text('.match-view')).toMatch(/^no part to match/);
  await changes(losses, () => turn('Grids', 4));
});

test('what is pointed at is marked in every step', async () => {
  const segment = step('segments').locator('.segment-chip').first();
  const pictures = ['patches', 'encoder', 'groups', 'words'];
  const before = await Promise.all(pictures.map((id) => pixels(id, 0)));
  await segment.focus();
  await eventually(() => page.locator('.match.is-marked').count()).toBe(1);
  expect(await page.locator('.name-card.is-marked').count()).toBe(1);
  expect(await page.locator('.view-marked').count()).toBe(1);
  expect(await page.locator('.bar.is-marked').count()).toBeGreaterThan(0);
  for (const [i, id] of pictures.entries()) expect(await pixels(id, 0), id).not.toBe(before[i]);
  await segment.blur();
  await eventually(() => page.locator('.is-marked').count()).toBe(0);

  // A patch says which it is, and what it gives to each group.
  await step('patches')
    .locator('canvas.square')
    .first()
    .hover({ position: { x: 3, y: 3 } });
  await step('patches').getByText('Patch 1: row 1, column 1').waitFor();
  expect(await step('groups').innerText()).toContain('What this patch gives to each group');
});

test('words are taken away and added; those that the model never met are said', async () => {
  await page.getByRole('button', { name: 'Remove curtain' }).click();
  await eventually(text('.name-card')).not.toContain('curtain');
  await step('words').getByLabel('Add words').fill('moon, zebra');
  await page.keyboard.press('Enter');
  await step('words').getByText('This model never met “moon”').waitFor({ timeout: 60_000 });
  await eventually(text('.cosine-word')).toContain('zebra');
});

test('takes a photo of the visitor’s, for Segment too; says what is no photo', async () => {
  const first = () => pixels('patches', 0);
  const give = async (name: string, buffer: Uint8Array) =>
    page.locator('input[type=file]').setInputFiles({ name, mimeType: 'image/jpeg', buffer: Buffer.from(buffer) });
  await give('broken.jpg', new Uint8Array([0xff, 0xd8, 0xff, 1, 2, 3]));
  expect(await page.getByRole('alert').innerText()).toMatch(/broken\.jpg.*damaged/);
  expect(await page.locator('.step').count()).toBe(8);
  await changes(first, async () => give('boats.jpg', await readFile(photos.boats)));
  await page.getByRole('alert').waitFor({ state: 'detached' });
  await page.getByRole('link', { name: 'Segment', exact: true }).click();
  await page.locator('img[alt="boats.jpg"]').waitFor();
  await page.getByRole('link', { name: 'How it works' }).click();
  await page.locator('#step-words .cosine').first().waitFor({ timeout: 120_000 });
});

test.each(['light', 'dark'] as const)('axe finds nothing, and nothing is wider than the page: %s', async (scheme) => {
  await page.emulateMedia({ colorScheme: scheme });
  const closed = page.locator('.formula:not([open]) summary');
  while ((await closed.count()) > 0) await closed.first().click();
  for (const width of [1400, 390]) {
    await page.setViewportSize({ width, height: 900 });
    const { violations } = await new AxeBuilder({ page }).analyze();
    expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  }
});

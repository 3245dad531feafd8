import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { AxeBuilder } from '@axe-core/playwright';
import sharp from 'sharp';
import { afterEach, expect, test } from 'vitest';
import { decodeRle } from '../../src/zeroseg/regions/run-length.ts';
import { addWords, chips, download, named, type Opened, type OpenOptions, usePage } from './open-page.ts';

const site = usePage();
const opened: Opened[] = [];

async function open(options: OpenOptions = {}): Promise<Opened> {
  const one = await site.open({ gpu: false, ...options });
  opened.push(one);
  return one;
}

afterEach(async () => {
  for (const { context, foreign, errors } of opened.splice(0)) {
    await context.close();
    // Nothing but the page's own files, and nothing that its security policy refuses.
    expect([foreign, errors]).toEqual([[], []]);
  }
});

test('the first load is at most 200 kB of compressed script', async () => {
  const { page, scripts } = await open();
  await named(page);
  // CLIP's table of merges follows with the first words.
  const first = [...scripts].filter((file) => !file.startsWith('clip-merges'));
  const size = async (file: string) => gzipSync(await readFile(join(site.folder, 'assets', file))).length;
  const sizes = await Promise.all(first.map(size));
  expect(first.some((file) => file.startsWith('worker-'))).toBe(true);
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBeLessThan(200_000);
});

test('without WebGPU it says what is missing and what helps, and shows a recorded run', async () => {
  const { page } = await open();
  await page.getByRole('heading', { name: 'No WebGPU, so this is a recorded run' }).waitFor();
  expect(await page.locator('.without').innerText()).toMatch(/chrome:\/\/flags/);
  expect(await named(page)).toMatch(/named in .*, without looking again/);
  expect(await chips(page)).toEqual(['night', 'grass', 'snail', 'balloon']);
  // No way to a picture that nobody has looked at.
  expect(await page.getByRole('button', { name: /Your photo|Camera|New scene/ }).count()).toBe(0);

  await addWords(page, 'moth, zebra; Snow');
  await page.getByText('“moth” is not among the 54 words of the recorded run').waitFor();
  await page.getByRole('button', { name: 'Remove moth' }).click();
  await page.getByRole('alert').waitFor({ state: 'detached' });
  expect(await chips(page)).toEqual(['night', 'grass', 'snail', 'balloon', 'zebra', 'snow']);

  await page.getByRole('button', { name: /bus/ }).first().click();
  await expect.poll(() => chips(page)).toEqual(['curtain', 'bus', 'cat', 'cup']);
});

test('what is taken along is what is shown, at full size', async () => {
  const { page } = await open();
  await named(page);
  const labels = await download(page, 'Label map');
  expect(labels.name).toBe('scene-153.labels.png');
  const map = await sharp(labels.bytes).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  expect([map.info.width, map.info.height, map.info.channels]).toEqual([256, 256, 1]);
  expect([...new Set(map.data)].sort()).toEqual([1, 2, 3, 4]);

  const regions = JSON.parse(new TextDecoder().decode((await download(page, 'Regions')).bytes));
  expect(regions.names).toEqual(['night', 'grass', 'snail', 'balloon']);
  for (const { label, rle, pixels } of regions.classes) {
    const mask = decodeRle(rle).data as Uint8Array;
    expect(mask.reduce((sum, value) => sum + value, 0)).toBe(pixels);
    expect(mask.every((value, at) => (value === 1) === (map.data[at] === label))).toBe(true);
  }

  const cut = await download(page, 'Cut out balloon');
  expect(cut.name).toBe('scene-153.balloon.png');
  const cutOut = await sharp(cut.bytes).raw().toBuffer({ resolveWithObject: true });
  expect(cutOut.info.channels).toBe(4);
  const opaque = map.data.findIndex((label, at) => label === 4 && cutOut.data[4 * at + 3] === 255);
  const sample = await sharp('web/samples/scene-153.png').raw().toBuffer();
  expect([...cutOut.data.subarray(4 * opaque, 4 * opaque + 3)]).toEqual([
    ...sample.subarray(3 * opaque, 3 * opaque + 3),
  ]);

  const picture = await sharp((await download(page, 'Picture')).bytes).metadata();
  expect(picture.width).toBe(512);
});

test('hover names a segment with what comes next; keys do the same', async () => {
  const { page } = await open();
  await named(page);
  const frame = page.locator('.frame');
  const box = (await frame.boundingBox()) as { x: number; y: number; width: number; height: number };
  await page.mouse.move(box.x + 0.185 * box.width, box.y + 0.535 * box.height);
  const card = page.locator('.piece-card');
  await card.waitFor();
  expect(await card.locator('.piece-name').innerText()).toMatch(/^balloon/);
  expect(await card.locator('.piece-ranks li').count()).toBe(4);
  await page.mouse.move(0, 0);
  await card.waitFor({ state: 'detached' });
  const key = page.locator('.piece-key').first();
  await key.focus();
  expect(await key.innerText()).toMatch(
    /^night, score \d+ %, \d+ % of the picture; next \w+ \d+ %, \w+ \d+ %, \w+ \d+ %$/,
  );
  await card.waitFor();
});

test('a word is hidden by its chip, two wordings are compared, the theme is chosen', async () => {
  const { page } = await open();
  await named(page);
  const pixel = "document.querySelector('canvas.overlay').getContext('2d').getImageData(20, 20, 1, 1).data[3]";
  const painted = () => page.evaluate(pixel);
  await expect.poll(painted).toBeGreaterThan(0);
  await page.locator('.chip-toggle').first().click();
  await expect.poll(painted).toBe(0);

  await page.getByRole('button', { name: 'Compare' }).click();
  await expect.poll(() => page.locator('canvas.overlay').count()).toBe(2);
  await page.getByRole('button', { name: 'Remove balloon' }).last().click();
  await expect
    .poll(() =>
      page
        .locator('.name')
        .allInnerTexts()
        .then((all) => all.filter((one) => one === 'balloon').length),
    )
    .toBe(1);
  await page.getByLabel('Line between the left and the right result').focus();
  await page.keyboard.press('Home');
  expect(await page.locator('.frame').getAttribute('style')).toContain('--right-from: 0.00%');

  await page.getByRole('button', { name: 'Colours: as the system' }).click();
  await page.getByRole('button', { name: 'Colours: light' }).click();
  expect(await page.locator('html').getAttribute('data-theme')).toBe('dark');
});

test.each<Required<Pick<OpenOptions, 'width' | 'scheme'>>>([
  { width: 1400, scheme: 'light' },
  { width: 1400, scheme: 'dark' },
  { width: 390, scheme: 'light' },
  { width: 390, scheme: 'dark' },
])('axe finds nothing, and nothing is wider than the page: $width px, $scheme', async ({ width, scheme }) => {
  const { page } = await open({ width, scheme });
  await named(page);
  await page.locator('.known summary').click();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
});

test('opens without a network once it was visited', async () => {
  const { page, context } = await open();
  await named(page);
  const state = 'navigator.serviceWorker.ready.then(({ active }) => active.state)';
  await expect.poll(() => page.evaluate(state), { timeout: 60_000 }).toBe('activated');
  await context.setOffline(true);
  await page.reload();
  await named(page);
  await page
    .getByRole('button', { name: /brick wall/ })
    .first()
    .click();
  await expect.poll(() => chips(page)).toContain('brick wall');
});

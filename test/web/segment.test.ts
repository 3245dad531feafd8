import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { photos, student, teacher } from '@zeroseg/pretrained';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodePhoto, readPhoto } from '../../cli/src/photos/index.ts';
import { type Device, openDevice } from '../../src/index.ts';
import type { ClipFiles } from '../../src/zeroseg/clip-files/index.ts';
import { type OpenVocabulary, openVocabulary } from '../../src/zeroseg/open-vocabulary/index.ts';
import { countGpuWork } from './gpu-work.ts';
import { addWords, chips, download, named, type Opened, usePage } from './open-page.ts';
import { studentWith } from './student-file.ts';

const site = usePage();
let opened: Opened;
let page: Page;
let device: Device;
let model: OpenVocabulary;
let clip: ClipFiles;

beforeAll(async () => {
  opened = await site.open();
  page = opened.page;
  // The command line's way, on the adapter that the browser has.
  device = await openDevice({ adapter: 'swiftshader', notice: null });
  clip = { weights: await readFile(teacher.weights), config: JSON.parse(await readFile(teacher.config, 'utf8')) };
  model = await openVocabulary(device, { model: await readFile(student.weights), clip });
});

afterAll(() => {
  expect([opened.foreign, opened.errors]).toEqual([[], []]);
  device.dispose();
});

async function give(name: string, mimeType: string, buffer: Uint8Array): Promise<void> {
  await page.locator('input[type=file]').setInputFiles({ name, mimeType, buffer: Buffer.from(buffer) });
}

/** The label map that the page gives for a photo that it was given. */
async function pageLabels(): Promise<Uint8Array> {
  const { bytes } = await download(page, 'Label map');
  return new Uint8Array(await sharp(bytes).toColourspace('b-w').raw().toBuffer());
}

test('a sample is segmented when the page opens', async () => {
  expect(await named(page)).toMatch(/^looked at in [\d.]+ m?s, named in [\d.]+ m?s$/);
  expect(await page.locator('.gpu').innerText()).toMatch(/on the processor/);
});

test('until then, at most 209 kB of compressed script were loaded', async () => {
  // CLIP's table of merges follows with the first words, and is data.
  const loaded = [...opened.scripts].filter((file) => !file.startsWith('clip-merges'));
  for (const part of ['index-', 'worker-']) expect(loaded.some((file) => file.startsWith(part))).toBe(true);
  const size = async (file: string) => gzipSync(await readFile(join(site.folder, 'assets', file))).length;
  const sizes = await Promise.all(loaded.map(size));
  expect(sizes.reduce((sum, one) => sum + one, 0)).toBeLessThan(209_000);
});

describe('the same labels as by the command line', () => {
  test('bit for bit for a PNG, with own words', async () => {
    const file = 'web/samples/scene-151.png';
    await give('own.png', 'image/png', await readFile(file));
    await page.locator('img[alt="own.png"]').waitFor();
    await named(page);
    await addWords(page, 'house, brick wall');
    await expect.poll(() => chips(page)).toHaveLength(6);
    await page.locator('.progress-done', { hasText: 'without looking again' }).waitFor({ timeout: 120_000 });
    const words = await chips(page);
    expect(words).toEqual(['night', 'grass', 'snail', 'balloon', 'house', 'brick wall']);
    const { labels } = await model.segment(await readPhoto(file), words);
    expect((await pageLabels()).every((label, at) => label === labels.data[at])).toBe(true);
  });

  // Browsers and sharp both decode by libjpeg-turbo: the same pixels, whatever the colours' subsampling.
  test.each([
    ['boats.jpg', () => readFile(photos.boats)],
    ['420.jpg', () => sharp('web/samples/scene-151.png').resize(317, 189).jpeg({ quality: 85 }).toBuffer()],
  ])('bit for bit for a JPEG: %s', async (name, make) => {
    const bytes = await make();
    await give(name, 'image/jpeg', bytes);
    await page.locator(`img[alt="${name}"]`).waitFor();
    await named(page);
    const { labels } = await model.segment(await decodePhoto(bytes, name), await chips(page));
    expect((await pageLabels()).every((label, at) => label === labels.data[at])).toBe(true);
  });

  test('bit for bit by the rule that a model’s file recommends', async () => {
    const naming = { scoring: 'softmax', short: 96, assignment: 'soft', groups: [16, 12], flip: true, prior: 0.6 };
    const file = await studentWith((metadata) => {
      metadata['naming'] = JSON.stringify({ ...naming, refine: { steps: 2, dilations: [1, 4] } });
    });
    await page.getByRole('button', { name: 'Your models …' }).click();
    const buffer = { name: 'ruled.safetensors', mimeType: '', buffer: file };
    await page.getByLabel('Files of a model').setInputFiles(buffer);
    const picker = page.locator('select');
    await expect.poll(() => picker.inputValue(), { timeout: 60_000 }).toMatch(/\+built-in-teacher$/);
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).first().click();
    await page.locator('.progress-done', { hasText: 'looked at in' }).waitFor({ timeout: 300_000 });
    const found = await pageLabels();
    await picker.selectOption('built-in');
    await named(page);
    const plain = await pageLabels();
    const ruled = await openVocabulary(device, { model: file, clip });
    const photo = await sharp('web/samples/scene-151.png').resize(317, 189).jpeg({ quality: 85 }).toBuffer();
    const { labels } = await ruled.segment(await decodePhoto(photo, '420.jpg'), await chips(page));
    ruled.dispose();
    expect(found.every((label, at) => label === labels.data[at])).toBe(true);
    expect(found.every((label, at) => label === plain[at])).toBe(false);
  });
});

/** Adds or removes a word on the page; what the page says once the picture is named anew. */
function renaming(act: string): Promise<string> {
  return page.evaluate(`new Promise((done) => {
    let wasBusy = false;
    const observer = new MutationObserver(() => {
      const status = document.querySelector('.segment .progress');
      if (!status?.classList.contains('progress-done')) wasBusy = true;
      else if (wasBusy) {
        observer.disconnect();
        done(status.textContent);
      }
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    ${act};
  })`);
}

test('where the vectors of its words are known, a picture is named anew at once: nothing is asked of the GPU', async () => {
  const gpuWork = await countGpuWork(page);
  const word = (await chips(page)).at(-1) as string;
  const field = "document.querySelector('.add-words input')";
  const add = (words: string): string =>
    `${field}.value = '${words},'; ${field}.dispatchEvent(new Event('input', { bubbles: true }))`;
  for (const act of [`document.querySelector('[aria-label="Remove ${word}"]').click()`, add(word)]) {
    expect(await renaming(act)).toMatch(/, without looking again$/);
  }
  expect(await gpuWork()).toEqual({ compiled: [], launches: 0 });
  // A word that is new takes CLIP's text encoder.
  await renaming(add('gravel'));
  expect((await gpuWork()).launches).toBeGreaterThan(0);
  await renaming(`document.querySelector('[aria-label="Remove gravel"]').click()`);
});

test('a look at the picture ends when another model is chosen', async () => {
  const model = page.locator('select');
  const before = await sharp('web/samples/scene-151.png').resize(317, 189).jpeg({ quality: 85 }).toBuffer();
  // So wide that the look takes longer than the choice.
  const wide = await sharp(await readFile(photos.boats))
    .resize(2000, 200, { fit: 'fill' })
    .jpeg()
    .toBuffer();
  await give('wide.jpg', 'image/jpeg', wide);
  await page.locator('img[alt="wide.jpg"]').waitFor();
  await named(page);
  // What was not looked at to its end is looked at anew.
  for (let look = 0; look < 2; look++) {
    await model.selectOption('built-in-teacher:crops');
    await page.getByText('Looking at the picture').waitFor();
    await model.selectOption('built-in');
    await page.locator('.progress-done', { hasText: 'without looking again' }).waitFor({ timeout: 120_000 });
  }
  await give('420.jpg', 'image/jpeg', before);
  await page.locator('img[alt="420.jpg"]').waitFor();
  await named(page);
});

test('a word that the model never met is told, with what is meant perhaps', async () => {
  await addWords(page, 'gras');
  await page.getByText('This model never met “gras”').waitFor({ timeout: 60_000 });
  await page.getByRole('button', { name: 'Remove gras', exact: true }).click();
});

describe('files that are no photos are refused in a sentence, and the picture stays', () => {
  const text = (value: string) => new TextEncoder().encode(value);
  test.each<[string, string, () => Promise<Uint8Array> | Uint8Array, string]>([
    ['empty.png', 'image/png', () => new Uint8Array(), 'the file is empty'],
    [
      'notes.jpg',
      'image/jpeg',
      () => text('no picture at all'),
      'it is no photo that this browser reads (JPEG, PNG, WebP, AVIF, GIF)',
    ],
    [
      'cut.png',
      'image/png',
      async () => (await readFile('web/samples/scene-151.png')).subarray(0, 30),
      'the photo is damaged or cut off',
    ],
    [
      'broken.jpg',
      'image/jpeg',
      async () => (await readFile(photos.boats)).subarray(0, 200),
      'the photo is damaged or cut off',
    ],
    ['paper.pdf', 'application/pdf', () => text('%PDF-1.7 …'), 'it is a PDF; save the picture in it as JPEG or PNG'],
    ['all.zip', 'application/zip', () => text('PK\u0003\u0004…'), 'it is a zip archive; unpack it first'],
    [
      'phone.heic',
      'image/heic',
      () => text('\0\0\0\u0018ftypheic\0\0\0\0'),
      'it is a HEIC photo, which this browser does not read; save it as JPEG',
    ],
    [
      'scan.tiff',
      'image/tiff',
      () => text('II*\0\b\0\0\0'),
      'it is a TIFF or RAW photo, which browsers do not read; save it as JPEG or PNG',
    ],
    ['film.mp4', 'video/mp4', () => text('\0\0\0\u0018ftypisom\0\0\0\0'), 'it is a video; give a still picture'],
    [
      'weights.safetensors',
      '',
      async () => (await readFile(student.weights)).subarray(0, 4096),
      'it is no photo that this browser reads (JPEG, PNG, WebP, AVIF, GIF)',
    ],
  ])('%s', async (name, type, make, reason) => {
    await give(name, type, await make());
    await page.getByRole('alert').getByText(`${name}: ${reason}`, { exact: true }).waitFor();
    expect(await page.locator('img[alt="420.jpg"]').count()).toBe(1);
  });
});

test('a lost device is replaced, and the picture segmented again', async () => {
  const [worker] = page.workers();
  await worker?.evaluate(`{
    const create = GPUDevice.prototype.createCommandEncoder;
    GPUDevice.prototype.createCommandEncoder = function (...given) {
      GPUDevice.prototype.createCommandEncoder = create;
      this.destroy();
      return create.apply(this, given);
    };
  }`);
  await addWords(page, 'sky');
  // Its share of the picture is known once the new device has read it.
  await page.locator('.chip', { hasText: 'sky' }).locator('.chip-fraction').waitFor({ timeout: 300_000 });
  await page.getByRole('alert').waitFor({ state: 'detached' });
  expect(await chips(page)).toContain('sky');
  // The device that was opened in its stead looks at other pictures, too.
  await give('after.png', 'image/png', await readFile('web/samples/scene-105.png'));
  await page.locator('img[alt="after.png"]').waitFor();
  await page.locator('.progress-done', { hasText: 'looked at in' }).waitFor({ timeout: 300_000 });
});

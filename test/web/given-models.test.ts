import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { photos, student, teacher } from '@zeroseg/pretrained';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { contentSecurity } from '../../web/content-security.ts';
import { download, named, type Opened, usePage } from './open-page.ts';
import { studentWith } from './student-file.ts';

/** Models of the visitor's, and what comes by a drop, the clipboard or the camera. */
const site = usePage();
let opened: Opened;
let page: Page;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zeroseg-models-'));
  const clip = join(folder, 'my-clip');
  await mkdir(clip);
  await writeFile(join(clip, 'model.safetensors'), await readFile(teacher.weights));
  await writeFile(join(clip, 'config.json'), await readFile(teacher.config));
  await writeFile(join(folder, 'mine.safetensors'), await readFile(student.weights));
  opened = await site.open();
  page = opened.page;
  await named(page);
});

afterAll(async () => {
  expect([opened.foreign, opened.errors]).toEqual([[], []]);
  await rm(folder, { recursive: true });
});

beforeEach(async () => {
  const close = page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true });
  if (await close.isVisible()) await close.click();
});

/** Drops files or folders of the disk on the page, as a visitor does: the browser reads them. */
async function drop(...files: string[]): Promise<void> {
  const session = await opened.context.newCDPSession(page);
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await session.send('Input.dispatchDragEvent', { type, x: 300, y: 300, data });
  }
  await session.detach();
}

async function choices(): Promise<string[]> {
  return page.locator('select option').allInnerTexts();
}

async function choose(title: string): Promise<void> {
  await page.locator('select').first().selectOption({ label: title });
}

async function openPanel(): Promise<void> {
  await page.getByRole('button', { name: 'Your models …' }).first().click();
  await page.getByRole('dialog').waitFor();
}

async function labels(): Promise<Uint8Array> {
  return new Uint8Array(
    await sharp((await download(page, 'Label map')).bytes)
      .toColourspace('b-w')
      .raw()
      .toBuffer(),
  );
}

test('what each model says of itself comes out of its file', async () => {
  await expect
    .poll(choices)
    .toEqual([
      'Built-in student',
      'Built-in teacher, patch by patch',
      'Built-in teacher, patch by patch (SCLIP)',
      'Built-in teacher, patch by patch (ClearCLIP)',
      'Built-in teacher, patch by patch (NACLIP)',
      'Built-in teacher, crop by crop',
    ]);
  await page.getByText(/1.1 million weights; learnt for 4000 steps, .* at 128 pixels in patches of 8/).waitFor();
  await page.getByText('It was taught 40 objects on 14 kinds of ground, all of them drawn').waitFor();
});

test('a student that is dropped is chosen, finds its teacher, and gives the same labels', async () => {
  const before = await labels();
  await drop(join(folder, 'mine.safetensors'));
  await expect.poll(() => page.locator('select').inputValue(), { timeout: 60_000 }).toMatch(/\+built-in-teacher$/);
  expect(await choices()).toContain('mine');
  await page.locator('.progress-done', { hasText: 'looked at in' }).waitFor({ timeout: 300_000 });
  expect(await labels()).toEqual(before);
});

test('a folder that is dropped is a CLIP; two models are compared side by side', async () => {
  await drop(join(folder, 'my-clip'));
  await expect.poll(choices, { timeout: 60_000 }).toContain('my-clip, patch by patch');
  await page.getByText('every patch of 8 pixels is named by itself').or(page.getByText('crops of 32 pixels')).waitFor();
  await page.getByRole('button', { name: 'Compare' }).click();
  const second = page.locator('select').nth(1);
  await second.selectOption({ label: 'Built-in student' });
  const shares = () => page.locator('.chip-fraction').allInnerTexts();
  await expect.poll(async () => (await shares()).length, { timeout: 300_000 }).toBe(8);
  await named(page);
  const all = await shares();
  expect(all.slice(0, 4)).not.toEqual(all.slice(4));
  await page.getByRole('button', { name: 'Compare' }).click();
  await choose('Built-in student');
  await named(page);
});

describe('models that do not fit, and files that are none, are told in a sentence', () => {
  const png = (side: number): Buffer => {
    const header = Buffer.alloc(33);
    header.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
    header.writeUInt32BE(side, 16);
    header.writeUInt32BE(side, 20);
    header.set([8, 2, 0, 0, 0], 24);
    return header;
  };
  test.each<[string, () => Uint8Array | Promise<Uint8Array>, RegExp]>([
    [
      'narrow.safetensors',
      () =>
        studentWith((metadata) => {
          metadata['config'] = (metadata['config'] as string).replace('"clip_dim":64', '"clip_dim":512');
          metadata['teacher'] = `clip-vit-base-patch16 sha256:${'ab'.repeat(32)}`;
        }),
      /narrow: Its teacher is not here: a CLIP whose embeddings have 512 values \(clip-vit-base-patch16 \(abababababab…\)\)\. Add that CLIP\.$/,
    ],
    [
      'other.safetensors',
      async () => Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')]),
      /^other.safetensors: holds no CLIP: neither 'vision_model/,
    ],
    ['cut.safetensors', async () => (await readFile(student.weights)).subarray(0, 5000), /^cut.safetensors: /],
    ['empty.safetensors', () => new Uint8Array(), /^empty.safetensors: /],
    ['model.pth', () => Buffer.from('PK\u0003\u0004'), /^model.pth: /],
    [
      'model.gguf',
      () => Buffer.from('GGUF'),
      /^model.gguf holds a model in a form that is not read here; take it as safetensors$/,
    ],
    ['big.png', () => png(20_000), /^big.png: it has 400 megapixels; this page takes photos of up to 67$/],
    [
      'drawing.svg',
      () => Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      /^drawing.svg: it is a drawing \(SVG\); save it as PNG$/,
    ],
    ['film.mov', () => Buffer.from('\0\0\0\u0014ftypqt  \0\0\0\0'), /^film.mov: it is a video; give a still picture$/],
  ])('%s', async (name, make, message) => {
    const file = join(folder, name);
    await writeFile(file, await make());
    const picture = await page.locator('.photo').getAttribute('alt');
    await drop(file);
    await expect.poll(() => page.getByRole('alert').innerText(), { timeout: 60_000 }).toMatch(message);
    // The picture that was there is still segmented, by the model that was chosen.
    expect(await page.locator('.photo').getAttribute('alt')).toBe(picture);
    expect(await page.locator('select').inputValue()).toBe('built-in');
  });

  test('a folder without weights, and a CLIP whose settings are missing', async () => {
    const bare = join(folder, 'bare');
    await mkdir(bare);
    await drop(bare);
    await expect
      .poll(() => page.getByRole('alert').innerText())
      .toBe('This folder is empty: give one with a model in it.');
    await writeFile(join(bare, 'config.json'), '{}');
    await writeFile(join(bare, 'pytorch_model.bin'), 'PK');
    await drop(bare);
    await expect
      .poll(() => page.getByRole('alert').innerText())
      .toMatch(/^bare\/pytorch_model.bin: this is no safetensors file: it has 2 bytes$/);
    const headless = join(folder, 'headless');
    await mkdir(headless);
    await writeFile(join(headless, 'model.safetensors'), await readFile(teacher.weights));
    await drop(headless);
    await expect
      .poll(() => page.getByRole('alert').innerText())
      .toMatch(
        /^headless\/model.safetensors: the image tower is 96 wide; its number of heads is not known: put a config.json/,
      );
  });

  test('a student of another teacher may be tried, and that is said', async () => {
    const file = join(folder, 'copy.safetensors');
    await writeFile(
      file,
      await studentWith((metadata) => {
        metadata['teacher'] = `copy sha256:${'cd'.repeat(32)}`;
      }),
    );
    await drop(file);
    await expect.poll(choices, { timeout: 60_000 }).toContain('copy with Built-in teacher');
    await page.getByText('Its teacher, copy (cdcdcdcdcdcd…), is not here; this CLIP has the same width').waitFor();
    await choose('Built-in student');
  });
});

describe('kept in the browser', () => {
  test('a full disk is told before anything is copied', async () => {
    const session = await opened.context.newCDPSession(page);
    const { origin } = new URL(page.url());
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 500_000 });
    await openPanel();
    await page.getByRole('button', { name: 'Keep my-clip' }).click();
    await expect
      .poll(() => page.getByRole('dialog').getByRole('alert').innerText())
      .toMatch(/^my-clip needs 875 kB, and the browser gives this site only .+ more; delete a model/);
    await session.send('Storage.overrideQuotaForOrigin', { origin });
    await session.detach();
    expect(await page.getByRole('button', { name: 'Keep my-clip' }).count()).toBe(1);
  });

  test('a model is there after a reload, with its size, and can be deleted', async () => {
    await openPanel();
    await page.getByRole('button', { name: 'Keep my-clip' }).click();
    const row = page.locator('.model', { hasText: 'my-clip' });
    await row.getByText('CLIP · 875 kB · kept in this browser').waitFor();
    await page.reload();
    await named(page);
    await expect.poll(choices, { timeout: 60_000 }).toContain('my-clip, crop by crop');
    // Those that were given for the visit are gone.
    expect(await choices()).not.toContain('mine');
    await choose('my-clip, crop by crop');
    await page.locator('.progress-done', { hasText: 'looked at in' }).waitFor({ timeout: 300_000 });
    // A student that comes later finds its teacher by the hash that was kept, too.
    await openPanel();
    await page.getByRole('button', { name: 'Delete my-clip' }).click();
    await row.waitFor({ state: 'detached' });
    expect(await page.locator('select').inputValue()).toBe('built-in');
    await page.reload();
    await named(page);
    // The student, and the ways in which the built-in CLIP segments by itself.
    await expect.poll(choices, { timeout: 60_000 }).toHaveLength(6);
    expect((await choices()).join()).not.toContain('my-clip');
  });
});

test.each<{ width: number; scheme: 'light' | 'dark' }>([
  { width: 1400, scheme: 'light' },
  { width: 390, scheme: 'dark' },
])('the list of models, by keys: axe finds nothing, $width px, $scheme', async ({ width, scheme }) => {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  const button = page.getByRole('button', { name: 'Your models …' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Download' }).waitFor();
  await page.getByText('This site takes').waitFor();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  expect(await button.evaluate((element) => element.matches(':focus'))).toBe(true);
  await page.setViewportSize({ width: 1400, height: 900 });
  await page.emulateMedia({ colorScheme: 'light' });
});

describe('pictures come', () => {
  /** As from another program: a file in a drop or in the clipboard. */
  const give = (event: string, bytes: Uint8Array, name: string, type: string) =>
    page.evaluate(`{
      const content = Uint8Array.from(atob('${Buffer.from(bytes).toString('base64')}'), (letter) => letter.charCodeAt(0));
      const transfer = new DataTransfer();
      transfer.items.add(new File([content], '${name}', { type: '${type}' }));
      const options = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
      document.body.dispatchEvent(new ${event}(${event} === DragEvent ? 'drop' : 'paste', options));
    }`);

  test('by a drop', async () => {
    await give('DragEvent', await readFile(photos.cat), 'dropped.jpg', 'image/jpeg');
    await page.locator('img[alt="dropped.jpg"]').waitFor();
    await named(page);
  });

  test('by the clipboard', async () => {
    await give('ClipboardEvent', await readFile('web/samples/scene-105.png'), 'image.png', 'image/png');
    await page.locator('img[alt="image.png"]').waitFor();
    await named(page);
  });

  test('by the camera', async () => {
    await page.getByRole('button', { name: 'Camera' }).click();
    await page.waitForSelector('video.camera');
    await expect.poll(() => page.evaluate("document.querySelector('video.camera').videoWidth")).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Take the picture' }).click();
    await page.locator('img[alt="camera picture"]').waitFor();
    expect(await page.getByRole('dialog').count()).toBe(0);
    await named(page);
  });
});

test('a word gets the colour that is chosen, in what is taken along as well', async () => {
  await page.locator('.sample').first().click();
  await page.getByLabel('Colour of night').fill('#ff00aa');
  await named(page);
  const hasColour = `(() => {
    const canvas = document.querySelector('canvas.overlay');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return data.some((red, at) => at % 4 === 0 && red === 255 && data[at + 1] === 0 && data[at + 2] === 170);
  })()`;
  await expect.poll(() => page.evaluate(hasColour), { timeout: 60_000 }).toBe(true);
  const record = JSON.parse(new TextDecoder().decode((await download(page, 'Regions')).bytes));
  expect(record.classes.find((one: { name: string }) => one.name === 'night').colour).toBe('#ff00aa');
});

test('nothing but the page and Hugging Face may be asked', () => {
  expect(contentSecurity).toContain(
    "connect-src 'self' https://huggingface.co https://*.huggingface.co https://*.hf.co;",
  );
});

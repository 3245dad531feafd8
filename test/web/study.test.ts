import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeStudy } from '../../cli/src/votes/make-study.ts';
import { type PreferenceStudy, pairsFor, type VotesFile } from '../../src/zeroseg/votes/index.ts';
import { type Opened, usePage } from './open-page.ts';

const site = usePage();
let opened: Opened;
let page: Page;
let base = '';
let study: PreferenceStudy;

/** Pictures of red by `a`, of blue by `b`: what is on the left can be seen. */
const colours = { a: [200, 40, 40], b: [40, 40, 200] } as const;
const PICTURES = 6;

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'zeroseg-study-'));
  const pairs = [];
  for (let i = 0; i < PICTURES; i++) {
    const paths = { a: join(base, 'a', `${i}.png`), b: join(base, 'b', `${i}.png`) };
    for (const which of ['a', 'b'] as const) {
      await mkdir(join(base, which), { recursive: true });
      const [r, g, b] = colours[which];
      await sharp({ create: { width: 320 + i, height: 200, channels: 3, background: { r, g, b } } }).toFile(
        paths[which],
      );
    }
    pairs.push({ name: `photo ${i}`, ...paths });
  }
  study = await makeStudy(join(base, 'study'), pairs, {
    seed: 3,
    votes: 5,
    question: 'Which is better?',
    titles: { a: 'Red', b: 'Blue' },
    side: 512,
  });
  // Without WebGPU: nothing here needs it.
  opened = await site.open({ gpu: false, path: '#study' });
  page = opened.page;
});

afterAll(async () => {
  await rm(base, { recursive: true, force: true });
  expect([opened.foreign, opened.errors]).toEqual([[], []]);
});

const give = (folder: string) => page.locator('input[type=file]').setInputFiles(folder);
const pairNumber = (number: number) => page.getByText(`Pair ${number} of ${PICTURES}`).waitFor();

/** Who is on the left, by the colour of the picture. */
async function shownLeft(): Promise<'a' | 'b'> {
  const image = page.getByAltText(/left result$/);
  await expect
    .poll(() => image.evaluate((one) => (one as unknown as { naturalWidth: number }).naturalWidth))
    .toBeGreaterThan(0);
  const { data } = await sharp(await image.screenshot())
    .extract({ left: 40, top: 40, width: 1, height: 1 })
    .removeAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  return (data[0] as number) > (data[2] as number) ? 'a' : 'b';
}

async function saved(button: string): Promise<VotesFile> {
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return JSON.parse(await readFile(await file.path(), 'utf8'));
}

async function expectNoViolations(): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
}

async function screenshot(name: string): Promise<void> {
  const folder = process.env['ZEROSEG_SCREENSHOTS'];
  if (folder) await page.screenshot({ path: join(folder, `study-${name}.png`), fullPage: true });
}

test('folders that hold no study, or half of one, are refused in a sentence', async () => {
  await page.getByRole('heading', { name: 'Which of two results do people prefer?' }).waitFor();
  await expectNoViolations();
  await screenshot('entrance');
  await give(join(base, 'a'));
  await page.getByText('this folder holds no study: there is no study.json in it').waitFor();
  const half = join(base, 'half');
  await mkdir(half, { recursive: true });
  await writeFile(join(half, 'study.json'), await readFile(join(base, 'study', 'study.json')));
  await give(half);
  await page
    .getByText(/half\/pictures\/0001-\d\.png: this picture of the study is missing; give the whole folder/)
    .waitFor();
  await writeFile(join(half, 'study.json'), '{ "format": "zeroseg-study-1" }');
  await give(half);
  await page.getByText(/study\.json: this is no study that `zeroseg study` made: 'id' is missing/).waitFor();
});

test('without a folder there is a small study to try, which voting needs no GPU for', async () => {
  await page.getByRole('button', { name: 'Try a small one' }).click();
  await page.getByText('8 pairs; 0 of 5 voters are done').waitFor();
  await page.getByRole('button', { name: 'Begin' }).click();
  for (let number = 1; number <= 8; number++) {
    await page.getByText(`Pair ${number} of 8`).waitFor();
    for (const side of ['left result', 'right result', 'as it was photographed']) {
      const image = page.getByAltText(`Pair ${number}, ${side}`);
      await expect
        .poll(() => image.evaluate((one) => (one as unknown as { naturalWidth: number }).naturalWidth))
        .toBeGreaterThan(0);
    }
    if (number === 3) await screenshot('sample');
    await page.keyboard.press(number % 2 === 0 ? 'ArrowLeft' : 'ArrowRight');
  }
  await page.getByRole('button', { name: 'Next voter, or the count' }).click();
  await page.getByRole('button', { name: 'Count them' }).click();
  await page.getByText('Its teacher, patch by patch').first().waitFor();
  await page.getByRole('button', { name: 'Other studies' }).click();
  await page.getByRole('button', { name: 'Remove' }).waitFor();
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Remove' }).waitFor({ state: 'detached' });
});

test('a folder that is dropped on the page is opened', async () => {
  const files = [];
  for (const path of ['study.json', ...study.pictures.flatMap(({ a, b }) => [a, b])]) {
    files.push([path, (await readFile(join(base, 'study', path))).toString('base64')]);
  }
  // A browser makes entries out of what is dragged from outside only: these are as it makes them.
  await page.evaluate(`(() => {
    const files = ${JSON.stringify(files)}.map(([path, content]) => {
      return [path, new File([Uint8Array.from(atob(content), (one) => one.charCodeAt(0))], path.split('/').pop())];
    });
    const fileEntry = ([path, file]) => ({ isFile: true, name: file.name, fullPath: '/dropped/' + path, file: (done) => done(file) });
    let given = [files.map(fileEntry)];
    const folder = {
      isFile: false,
      name: 'dropped',
      createReader: () => ({ readEntries: (done) => done(given.shift() ?? []) }),
    };
    const event = new DragEvent('drop', { bubbles: true, cancelable: true });
    Object.defineProperty(event, 'dataTransfer', {
      value: { types: ['Files'], files: [], items: [{ webkitGetAsEntry: () => folder }] },
    });
    document.body.dispatchEvent(event);
  })()`);
  await page.getByText(`${PICTURES} pairs; 0 of 5 voters are done`).waitFor();
  await page.getByRole('button', { name: 'Other studies' }).click();
});

test('a voter chooses by keys; the last vote can be taken back; titles are not told', async () => {
  await give(join(base, 'study'));
  await page.getByLabel('Voter').fill('Ada');
  await page.getByRole('button', { name: 'Begin' }).click();
  await pairNumber(1);
  const pairs = pairsFor(study, 'Ada');
  expect(await shownLeft()).toBe(pairs[0]?.left);
  await page.keyboard.press('ArrowLeft');
  await pairNumber(2);
  expect(await shownLeft()).toBe(pairs[1]?.left);
  await page.keyboard.press('ArrowRight');
  await pairNumber(3);
  await page.keyboard.press('Backspace');
  await pairNumber(2);
  await page.keyboard.press('ArrowDown');
  await pairNumber(3);
  expect(await page.locator('main').innerText()).not.toMatch(/Red|Blue|WebGPU/);
});

test('a page that is loaded anew goes on with the same pair', async () => {
  await page.reload();
  await pairNumber(3);
  expect(await shownLeft()).toBe(pairsFor(study, 'Ada')[2]?.left);
});

test.each([
  { width: 1400, scheme: 'dark' },
  { width: 390, scheme: 'light' },
] as const)('axe finds nothing, and nothing is wider than the page: $width px, $scheme', async ({ width, scheme }) => {
  await page.setViewportSize({ width, height: 900 });
  await page.emulateMedia({ colorScheme: scheme });
  await screenshot(`${width}-${scheme}`);
  await expectNoViolations();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
});

test('at the end there is a file of votes, and a count that tells who was who', async () => {
  await page.setViewportSize({ width: 1400, height: 900 });
  for (let number = 3; number <= PICTURES; number++) {
    await pairNumber(number);
    await page.getByRole('button', { name: '← Left' }).click();
  }
  await page.getByRole('heading', { name: 'Thank you, Ada' }).waitFor();
  const votes = await saved('Download your votes');
  const pairs = pairsFor(study, 'Ada');
  expect(votes).toMatchObject({ study: study.id, voter: 'Ada', pictures: PICTURES, titles: { a: 'Red', b: 'Blue' } });
  expect(votes.votes.map(({ picture, choice, left }) => [picture, choice, left])).toEqual(
    pairs.map(({ picture, left }, i) => [picture.name, i === 1 ? 'tie' : left, left]),
  );

  await page.getByRole('button', { name: 'Next voter, or the count' }).click();
  expect(await page.getByLabel('Voter').inputValue()).toBe('voter 1');
  await page.getByRole('button', { name: 'Count them' }).click();
  const chosen = votes.votes.filter(({ choice }) => choice === 'a').length;
  await page.getByRole('columnheader', { name: 'Red', exact: true }).waitFor();
  const cells = await page
    .getByRole('row', { name: /^votes/ })
    .locator('td')
    .allInnerTexts();
  expect(cells.slice(0, 3)).toEqual([String(chosen), String(PICTURES - 1 - chosen), '1']);
  await expectNoViolations();
  await screenshot('count');
});

test('what is kept here is listed, and removed when asked', async () => {
  await page.getByRole('button', { name: 'Other studies' }).click();
  await page.getByText(`${PICTURES} pairs, 1 of 5 voters`).waitFor();
  page.once('dialog', (dialog) => void dialog.accept());
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.getByText(`${PICTURES} pairs`).waitFor({ state: 'detached' });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openWeights } from '../../cli/src/weights/index.ts';
import { modelInfo } from '../../src/zeroseg/model/index.ts';
import { named, type Opened, type OpenOptions, usePage } from './open-page.ts';

const site = usePage();
/** So short that nothing is learnt, and long enough to be stopped half way. */
const TINY = '#train?scenes=16&steps=8&batch=2&rate=0.1';
const PATIENCE = { timeout: 200_000 };

const status = (page: Page) => page.locator('.transport-line');
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** Opens the tool with the settings of a link, and waits until a run can begin. */
async function ready(page: Page): Promise<void> {
  await page.getByText(/MB of this browser’s storage/).waitFor(PATIENCE);
}

async function begin(page: Page): Promise<void> {
  await ready(page);
  await button(page, 'Train').click();
}

/** Waits for a step that is not the last. */
async function reach(page: Page, step: number): Promise<void> {
  const at = async () => Number(/[Ss]tep (\d+) of/.exec((await status(page).textContent()) ?? '')?.[1] ?? 0);
  await expect.poll(at, PATIENCE).toBeGreaterThanOrEqual(step);
}

async function ended(page: Page): Promise<void> {
  await says(page, 'Trained in 8 steps');
}

/** Waits for a word of the status; where it does not come, says what the page says instead. */
async function says(page: Page, words: string): Promise<void> {
  try {
    await status(page).getByText(words).waitFor(PATIENCE);
  } catch {
    const said = await page.locator('.transport, [role=alert]').allInnerTexts();
    throw new Error(`the page does not say “${words}”, but:\n${said.join('\n')}`);
  }
}

async function savedModel(page: Page): Promise<Buffer> {
  const [file] = await Promise.all([page.waitForEvent('download', PATIENCE), button(page, 'Save the model').click()]);
  const chunks: Buffer[] = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The loss and its terms of every step, as the run's own file has them. */
async function losses(page: Page): Promise<unknown[]> {
  const text = (await page.evaluate(`(async () => {
    let folder = await navigator.storage.getDirectory();
    for (const name of ['train', 'runs']) folder = await folder.getDirectoryHandle(name);
    let newest = '';
    for await (const name of folder.keys()) if (name > newest) newest = name;
    for (const name of [newest, 'run']) folder = await folder.getDirectoryHandle(name);
    return (await (await folder.getFileHandle('metrics.jsonl')).getFile()).text();
  })()`)) as string;
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds: _, imagesPerSecond: __, ...rest } = JSON.parse(line);
      return rest;
    });
}

describe('a run on scenes', () => {
  let opened: Opened;
  let page: Page;
  let whole: { model: Buffer; losses: unknown[] };

  beforeAll(async () => {
    opened = await site.open({ path: TINY });
    page = opened.page;
  });

  afterAll(() => {
    expect([opened.foreign, opened.errors]).toEqual([[], []]);
  });

  test('goes from a link to a model that the command line reads', async () => {
    await begin(page);
    // The teacher looks first; pictures come with the first step, scores and curves with the others.
    await says(page, 'The teacher looks at the pictures');
    await ended(page);
    expect(await page.locator('.sheet').getAttribute('aria-label')).toMatch(/^Four pictures after step 8/);
    const charts = await page.locator('.chart-box').evaluateAll((all) => all.map((one) => one.ariaLabel ?? ''));
    expect(charts[0]).toMatch(/^Loss terms by step: Reconstruction \d.*, Distillation \d.*, Composition \d/);
    expect(charts[1]).toMatch(/pixels named right \d+ %$/);
    expect(charts[2]).toMatch(/first stage \d.*, segments \d/);

    await page.getByLabel('Step of the samples').focus();
    await page.keyboard.press('Home');
    await page.locator('.sheet[aria-label^="Four pictures after step 0"]').waitFor();

    whole = { model: await savedModel(page), losses: await losses(page) };
    expect(whole.losses).toHaveLength(8);
    const folder = await mkdtemp(join(tmpdir(), 'zeroseg-trained-'));
    const file = join(folder, 'model.safetensors');
    await writeFile(file, whole.model);
    const { config, step, teacher, naming } = modelInfo(await openWeights(file), file);
    await rm(folder, { recursive: true });
    expect([config.image, config.mask_ratio, step, naming]).toEqual([64, 0.4, 8, { scoring: 'softmax' }]);
    expect(teacher).toMatch(/^teacher sha256:8c9d4dab/);
  });

  test('that is reloaded, paused, and loses its device goes on each time, to the same numbers', async () => {
    await button(page, 'Begin another').click();
    await begin(page);
    await reach(page, 4);
    await page.reload();
    // By itself, from its last checkpoint. Another tab sees it, and may not write to it.
    await reach(page, 1);
    const other = await opened.context.newPage();
    await other.goto(page.url());
    await other.getByRole('alert').getByText('This run is open in another tab').waitFor(PATIENCE);
    await other.close();
    await button(page, 'Pause').click();
    await says(page, 'Paused, and saved');
    const worker = page.workers().find((one) => one.url().includes('worker'));
    await worker?.evaluate(`{
      const create = GPUDevice.prototype.createCommandEncoder;
      GPUDevice.prototype.createCommandEncoder = function (...given) {
        GPUDevice.prototype.createCommandEncoder = create;
        this.destroy();
        return create.apply(this, given);
      };
    }`);
    await button(page, 'Go on').click();
    await ended(page);
    expect(await losses(page)).toEqual(whole.losses);
    expect((await savedModel(page)).equals(whole.model)).toBe(true);
  });

  test('is kept in a list, opened again, and deleted', async () => {
    const rows = page.locator('.run');
    await expect.poll(() => rows.count(), PATIENCE).toBe(2);
    await rows.last().locator('.run-open').click();
    await expect.poll(() => rows.last().getAttribute('class'), PATIENCE).toContain('is-open');
    await ended(page);
    for (let left = 2; left > 0; left--) {
      await rows
        .last()
        .getByRole('button', { name: /^Delete/ })
        .click();
      await button(page, 'Delete for good').click();
      await expect.poll(() => rows.count(), PATIENCE).toBe(left - 1);
    }
    const kept = await page.evaluate(`(async () => {
      const names = [];
      const train = await (await navigator.storage.getDirectory()).getDirectoryHandle('train');
      for (const folder of ['runs', 'features']) {
        for await (const name of (await train.getDirectoryHandle(folder)).keys()) names.push(name);
      }
      return names;
    })()`);
    expect(kept).toEqual([]);
    // The page was reloaded with a run of other settings than its own: those of the run that was deleted stay.
    expect(await page.getByRole('spinbutton', { name: 'Steps' }).inputValue()).toBe('8');
    expect(page.url()).toMatch(/#train\?.*scenes=16&steps=8&batch=2&rate=0\.1/);
  });
});

test('a run on photos: a folder without any is refused, from one with some a student learns, and segments', async () => {
  const { page, context, foreign, errors } = await site.open({
    path: '#train?source=photos&steps=10&batch=2&rate=0.1',
  });
  const [none, some] = await Promise.all(
    ['no-photos', 'photos'].map((name) => mkdtemp(join(tmpdir(), `zeroseg-${name}-`))),
  );
  await writeFile(join(none as string, 'notes.txt'), 'no photo');
  await page.getByLabel('Folder of photos').setInputFiles(none as string);
  await page
    .getByRole('alert')
    .getByText(/^There are no photos in “zeroseg-no-photos-.*notes\.txt/)
    .waitFor();
  await button(page, 'Train').click();
  await page.getByRole('alert').getByText('Choose a folder of photos first').waitFor();

  for (const name of ['acanthus-mollis', 'black-canyon', 'dust-bowl-home', 'march-pastoral']) {
    const small = sharp(resolve(`pretrained/photos/${name}.jpg`)).resize(160, 120, { fit: 'cover' });
    await small.toFile(join(some as string, `${name}.jpg`));
  }
  await writeFile(join(some as string, 'broken.jpg'), 'no photo either');
  await page.getByLabel('Folder of photos').setInputFiles(some as string);
  await page.getByText(/^“zeroseg-photos-.*”: 5 photos$/).waitFor();
  await button(page, 'Train').click();
  await page.getByText(/^Passed over: .*broken\.jpg: /).waitFor(PATIENCE);
  await reach(page, 1);
  // The rate is changed on the way, then it is paused, and goes on.
  await page.getByRole('slider', { name: /^Learning rate/ }).fill('-2');
  await button(page, 'Pause').click();
  await says(page, 'Paused, and saved');
  await button(page, 'Go on').click();
  await says(page, 'Trained in 10 steps');
  const rates = ((await losses(page)) as { lr: number }[]).map(({ lr }) => lr);
  expect(rates).toHaveLength(10);
  // Of 2 pictures a step, past the middle of the run: 0.00027 at the rate that it began with.
  expect(rates[6]).toBeLessThan(0.0001);
  const charts = await page.locator('.chart-box').evaluateAll((all) => all.map((one) => one.ariaLabel ?? ''));
  expect(charts[1]).toMatch(/^Loss terms on photos that are held out by step: Reconstruction \d/);
  await Promise.all([none, some].map((folder) => rm(folder as string, { recursive: true })));

  await button(page, 'Segment with it').click();
  await named(page);
  const model = page.locator('select');
  expect(await model.locator('option:checked').innerText()).toMatch(/^Trained on zeroseg-photos-/);
  await page.reload();
  await named(page);
  expect(await model.inputValue()).toMatch(/^trained-/);
  await model.selectOption('built-in');
  await expect.poll(() => page.url()).toMatch(/#segment$/);
  expect([foreign, errors]).toEqual([[], []]);
  await context.close();
});

test('says before it begins that there is no room', async () => {
  const { page, context, errors } = await site.open({ path: TINY });
  await ready(page);
  const session = await context.newCDPSession(page);
  const { origin } = new URL(page.url());
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2_000_000 });
  await page.getByLabel('Scenes', { exact: true }).fill('17');
  await page
    .getByRole('alert')
    .getByText(/^This takes about \d+ MB, and the browser gives this site \d.* more: choose fewer pictures/)
    .waitFor(PATIENCE);
  expect(await button(page, 'Train').isDisabled()).toBe(true);
  expect(await page.locator('.run').count()).toBe(0);
  await session.send('Storage.overrideQuotaForOrigin', { origin });
  await page.getByLabel('Scenes', { exact: true }).fill('16');
  await expect.poll(() => button(page, 'Train').isDisabled(), PATIENCE).toBe(false);
  expect(errors).toEqual([]);
  await context.close();
});

test('a link that is wrong is told, and the rest of it taken', async () => {
  const { page, context } = await site.open({
    path: '#train?steps=many&mask=0.5&colour=red&batch=4&start=new&w_rec=2',
  });
  const alert = page.getByRole('alert').getByText('Of the link, not all could be taken');
  expect(await alert.innerText()).toContain(
    'steps must be a whole number from 4 to 100000; the link has “many”; there is no setting “colour”',
  );
  expect(await page.getByLabel('Share that is hidden').inputValue()).toBe('0.5');
  expect(await page.getByLabel('Weights to begin with').inputValue()).toBe('new');
  await page.getByText('Loss terms and seed').click();
  expect(await page.getByRole('spinbutton', { name: 'Reconstruction' }).inputValue()).toBe('2');
  await page.getByRole('spinbutton', { name: 'Steps' }).fill('3');
  await page.getByRole('alert').getByText('Steps must be a whole number from 4 to 100000', { exact: true }).waitFor();
  await context.close();
});

test('without WebGPU it says what is missing', async () => {
  const { page, context } = await site.open({ path: '#train', gpu: false });
  await page.getByRole('heading', { name: 'Train needs WebGPU' }).waitFor();
  expect(await page.locator('.transport').count()).toBe(0);
  await context.close();
});

test.each<Required<Pick<OpenOptions, 'width' | 'scheme'>>>([
  { width: 1400, scheme: 'light' },
  { width: 390, scheme: 'dark' },
])('axe finds nothing, and nothing is wider than the page: $width px, $scheme', async ({ width, scheme }) => {
  const { page, context } = await site.open({ path: TINY, width, scheme });
  await ready(page);
  await page.getByText('Loss terms and seed').click();
  const { violations } = await new AxeBuilder({ page }).analyze();
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
  await context.close();
});

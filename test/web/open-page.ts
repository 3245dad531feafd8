import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, inject } from 'vitest';
import { type ServedPage, servePage } from '../../cli/src/page/index.ts';
import { browserLaunchOptions } from '../support/browser.ts';

export interface OpenOptions {
  /** Whether the browser has WebGPU. Default true. */
  readonly gpu?: boolean;
  readonly width?: number;
  /** Behind the page's address, such as `#bench`. */
  readonly path?: string;
  readonly scheme?: 'light' | 'dark';
}

/** A page, and what was noticed while it was used. */
export interface Opened {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Addresses outside of the page's own origin that were asked for. */
  readonly foreign: string[];
  /** Names of the scripts that were loaded, those of workers too. */
  readonly scripts: ReadonlySet<string>;
  /** Errors, and what the security policy refused. */
  readonly errors: string[];
}

/** Serves the page as `zeroseg page` does, and starts a browser, once for a file of tests. */
export function usePage(): { readonly folder: string; open(options?: OpenOptions): Promise<Opened> } {
  const folder = inject('pageFolder');
  let [served, browser] = [undefined as ServedPage | undefined, undefined as Browser | undefined];
  beforeAll(async () => {
    served = await servePage({ folder });
    const options = await browserLaunchOptions();
    const camera = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];
    browser = await chromium.launch({ ...options, args: [...options.args, ...camera] });
  });
  afterAll(async () => {
    await browser?.close();
    await served?.close();
  });
  return {
    folder,
    async open({ gpu = true, width = 1400, scheme = 'light', path = '' }: OpenOptions = {}) {
      const { url } = served as ServedPage;
      const context = await (browser as Browser).newContext({
        viewport: { width, height: 900 },
        colorScheme: scheme,
        // Axe sees colours as they end, not on the way.
        reducedMotion: 'reduce',
        acceptDownloads: true,
      });
      // A busy machine is no fault of the page.
      context.setDefaultTimeout(60_000);
      const page = await context.newPage();
      if (!gpu) {
        await page.addInitScript("Object.defineProperty(Navigator.prototype, 'gpu', { value: undefined })");
      }
      const [foreign, errors]: [string[], string[]] = [[], []];
      const scripts = new Set<string>();
      context.on('request', (request) => {
        const file = /\/assets\/([^/]+\.js)$/.exec(request.url())?.[1];
        // The service worker fetches all that it keeps.
        if (file !== undefined && !request.serviceWorker()) scripts.add(file);
      });
      page.on('request', (request) => {
        if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) foreign.push(request.url());
      });
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => {
        if (message.type() === 'error') errors.push(message.text());
      });
      await page.goto(url + path);
      return { page, context, foreign, scripts, errors };
    },
  };
}

/** Waits until a picture is named; returns what the page says of it. */
export async function named(page: Page): Promise<string> {
  const status = page.locator('.progress-done', { hasText: 'named in' });
  await status.waitFor({ timeout: 300_000 });
  return (await status.textContent()) ?? '';
}

export async function addWords(page: Page, words: string): Promise<void> {
  const field = page.getByLabel('Add words').first();
  await field.fill(words);
  await field.press('Enter');
}

/** The words as chips, as they are shown. */
export async function chips(page: Page): Promise<string[]> {
  return page.locator('.chip-toggle').evaluateAll((all) => all.map((one) => one.childNodes[0]?.textContent ?? ''));
}

/** What a button downloads. */
export async function download(page: Page, name: string): Promise<{ name: string; bytes: Uint8Array }> {
  const [file] = await Promise.all([
    page.waitForEvent('download', { timeout: 120_000 }),
    page.getByRole('button', { name, exact: true }).click(),
  ]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await file.createReadStream()) chunks.push(chunk as Uint8Array);
  return { name: file.suggestedFilename(), bytes: new Uint8Array(Buffer.concat(chunks)) };
}

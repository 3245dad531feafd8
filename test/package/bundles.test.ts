import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { chromium } from 'playwright-core';
import { build, createServer as createDevServer } from 'vite';
import { beforeAll, describe, expect, it } from 'vitest';
import { browserLaunchOptions } from '../support/browser.ts';
import { checkFirstExample } from './first-example.ts';
import { exampleOf, firstExample, install } from './projects.ts';

let project = '';
beforeAll(async () => {
  project = await install('page', ['@zeroseg/core', '@zeroseg/pretrained'], { omitOptional: true });
});

interface Bundle {
  readonly folder: string;
  readonly script: string;
  readonly assets: readonly string[];
}

/** A page with one script, as a folder of the project. */
async function writePage(title: string, script: string): Promise<string> {
  const root = join(project, title);
  await mkdir(root);
  await writeFile(join(root, 'main.ts'), script);
  await writeFile(
    join(root, 'index.html'),
    `<!doctype html><title>${title}</title><script type="module" src="main.ts"></script>`,
  );
  return root;
}

/** Bundles a page, as Vite does it by default. */
async function bundle(title: string, script: string): Promise<Bundle> {
  const root = await writePage(title, script);
  await build({ root, logLevel: 'error', build: { target: 'esnext', modulePreload: false } });
  const folder = join(root, 'dist');
  const assets = await readdir(join(folder, 'assets'));
  const scripts = assets
    .filter((file) => file.endsWith('.js'))
    .map((file) => readFile(join(folder, 'assets', file), 'utf8'));
  return { folder, script: (await Promise.all(scripts)).join('\n'), assets };
}

/** Nothing of Node is left: no module of it, no package that only Node needs. */
function expectNeutral(script: string): void {
  const ofNode = /['"`]node:|\brequire\(|__dirname|dlopen|sparticuz|process\.env|opentype/.exec(script);
  expect(ofNode?.[0]).toBeUndefined();
}

interface Visit {
  /** What the page's console says, up to the line that is the last one. */
  readonly lines: readonly string[];
  /** The names of the scripts that were loaded, without hashes. */
  readonly scripts: readonly string[];
  /** These, compressed. */
  readonly kilobytes: number;
}

/** Serves a bundle and opens it. */
async function visit({ folder }: Bundle, isLast: (line: string) => boolean): Promise<Visit> {
  let bytes = 0;
  const scripts: string[] = [];
  const server = createServer(async (request, response) => {
    const path = request.url === '/' ? 'index.html' : (request.url ?? '').slice(1);
    const body = await readFile(join(folder, path)).catch(() => undefined);
    const isScript = path.endsWith('.js');
    if (body && isScript) {
      bytes += gzipSync(body).length;
      scripts.push(nameOf(path));
    }
    response.writeHead(body ? 200 : 404, { 'content-type': isScript ? 'text/javascript' : 'text/html' });
    response.end(body);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as { port: number };
  try {
    const lines = await consoleOf(`http://127.0.0.1:${port}/`, isLast);
    return { lines, scripts, kilobytes: bytes / 1000 };
  } finally {
    server.close();
  }
}

const nameOf = (path: string): string => path.replace(/^.*\/|-[\w-]{8}\.js$/g, '');

/** What the console of the page at an address says, up to its last line. */
async function consoleOf(url: string, isLast: (line: string) => boolean): Promise<readonly string[]> {
  const browser = await chromium.launch(await browserLaunchOptions());
  try {
    const page = await browser.newPage();
    const lines: string[] = [];
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    let ended = false;
    page.on('console', (message) => {
      ended ||= isLast(message.text());
      lines.push(message.text());
    });
    await page.goto(url);
    for (let i = 0; i < 1800 && !ended && errors.length === 0; i++) await page.waitForTimeout(100);
    expect(errors).toEqual([]);
    expect(ended).toBe(true);
    return lines;
  } finally {
    await browser.close();
  }
}

/** What a page that multiplies matrices loads on a GPU: its tests run on a CPU adapter, which takes the other variant. */
async function kilobytesOnGpu({ folder, assets }: Bundle): Promise<number> {
  const loaded = assets.filter((file) => ['index', 'tile-kernel'].includes(nameOf(file)));
  expect(loaded).toHaveLength(2);
  const sizes = loaded.map(async (file) => gzipSync(await readFile(join(folder, 'assets', file))).length);
  return (await Promise.all(sizes)).reduce((a, b) => a + b, 0) / 1000;
}

/** Of lines that are numbers with spaces between. */
const numbersOf = (lines: readonly string[]): number[] =>
  lines.flatMap((line) => line.split(' ').map(Number)).filter(Number.isFinite);

const training = (options: string): string => `
  import { AdamW, gelu, gradients, mean, openDevice, read, square, step, sub } from '@zeroseg/core';
  import { Linear, newWeights, parameters } from '@zeroseg/core/nn';
  const device = await openDevice();
  const weights = newWeights(device, 1);
  const model = [new Linear(weights.in('0'), 2, 8), new Linear(weights.in('1'), 8, 1)] as const;
  const all = parameters(model);
  const optimizer = new AdamW(device, all);
  const train = await step(device, { x: [4, 2], y: [4, 1], hyper: [optimizer.hyperparameterCount] }, ({ x, y, hyper }) => {
    const loss = mean(square(sub(model[1].forward(gelu(model[0].forward(x))), y)));
    optimizer.update(gradients(loss, [...all.values()]), hyper);
    return loss;
  }${options});
  console.log(...(await read(train({ x: [0, 0, 0, 1, 1, 0, 1, 1], y: [0, 1, 1, 0], hyper: optimizer.hyperparameters(1, 0.01) }))));
  console.log('done');`;

describe('scripts that a page loads, minified and compressed', () => {
  it('a sum: at most 14.96 kB', async () => {
    const page = await bundle(
      'minimal',
      `import { add, openDevice, read, tensor } from '@zeroseg/core';
       const device = await openDevice();
       const x = tensor(device, [1, 2, 3]);
       console.log(...(await read(add(x, x))));`,
    );
    expectNeutral(page.script);
    const { lines, kilobytes } = await visit(page, (line) => line === '2 4 6');
    expect(lines).toContain('2 4 6');
    expect(kilobytes).toBeLessThan(14.96);
  });

  it("the documentation's first example (reads, gradients, AdamW, a step): at most 39.4 kB", async () => {
    const page = await bundle('first', await firstExample());
    expectNeutral(page.script);
    const { lines, kilobytes } = await visit(page, (line) => /^\S+ \S+ \S+$/.test(line));
    checkFirstExample(numbersOf(lines));
    expect(kilobytes).toBeLessThan(39.4);
    expect(await kilobytesOnGpu(page)).toBeLessThan(39.4);
  });

  it('a page that trains layers: at most 40.45 kB', async () => {
    const page = await bundle('training', training(''));
    expectNeutral(page.script);
    const { lines, scripts, kilobytes } = await visit(page, (line) => line === 'done');
    expect(numbersOf(lines)[0]).toBeGreaterThan(0);
    expect(scripts).toEqual(['index', 'quad-kernel']);
    expect(kilobytes).toBeLessThan(40.45);
    expect(await kilobytesOnGpu(page)).toBeLessThan(40.45);
  });

  it('what is loaded on demand arrives while the page still waits for it', async () => {
    const page = await bundle('checked', training(', { check: true }'));
    const { lines } = await visit(page, (line) => line === 'done');
    expect(numbersOf(lines)[0]).toBeGreaterThan(0);
  });

  it("all of '@zeroseg/core/zeroseg': no code of Node", async () => {
    const { script } = await bundle(
      'everything',
      `import * as zeroseg from '@zeroseg/core/zeroseg'; console.log(Object.values(zeroseg));`,
    );
    expectNeutral(script);
  });
});

describe('pages', () => {
  it("run the documentation's segmentation by words", async () => {
    const page = await bundle('words', await exampleOf('docs/library.md', 'document.'));
    const isLast = (line: string) => /^\d+ \d+ \w+$/.test(line);
    const { lines } = await visit(page, isLast);
    expect(lines.find(isLast)).toMatch(/^512 410 (boat|water|sky)$/);
  });

  // As on a busy machine: a GPU process that starts anew gives no adapter for a while, or one that it takes back.
  it('open a device in a browser whose GPU process has just started anew', async () => {
    const page = await bundle(
      'anew',
      `
      import { openDevice, read, tensor } from '@zeroseg/core';
      const ask = navigator.gpu.requestAdapter.bind(navigator.gpu);
      let asked = 0;
      navigator.gpu.requestAdapter = async (options) => {
        asked++;
        if (asked === 1) return null;
        const adapter = await ask(options);
        if (asked === 2) await adapter.requestDevice(); // what is used up gives no other
        return adapter;
      };
      const device = await openDevice();
      console.log(asked, ...(await read(tensor(device, [7]))));`,
    );
    const isLast = (line: string) => /^\d+ \d+$/.test(line);
    expect((await visit(page, isLast)).lines.find(isLast)).toBe('3 7');
  });

  const weights = `
    import { scenes, student, teacher } from '@zeroseg/pretrained';
    for (const url of [student.weights, teacher.weights, scenes.atlas]) {
      const bytes = await (await fetch(url)).arrayBuffer();
      console.log(url.pathname, bytes.byteLength);
    }`;

  it('reach trained weights and scenes by the name of their package, as assets of the bundle', async () => {
    const page = await bundle('weights', weights);
    expect(page.assets).toEqual(expect.arrayContaining([expect.stringMatching(/^student-.*\.safetensors$/)]));
    const { lines } = await visit(page, (line) => line.includes('atlas'));
    expect(lines).toHaveLength(3);
    for (const line of lines) expect(line).toMatch(/^\/assets\/\S+\.(safetensors|png) [1-9]\d{5,}$/);
  });

  it("reach them from Vite's development server too, which moves scripts of packages", async () => {
    await writePage('development', weights);
    const server = await createDevServer({
      root: project,
      configFile: false,
      logLevel: 'error',
      server: { host: '127.0.0.1' },
    });
    try {
      await server.listen();
      const [url = ''] = server.resolvedUrls?.local ?? [];
      const lines = await consoleOf(`${url}development/`, (line) => line.includes('atlas'));
      const fetched = lines.filter((line) => line.startsWith('/'));
      expect(fetched).toHaveLength(3);
      for (const line of fetched) expect(line).toMatch(/\/@zeroseg\/pretrained\/\S+\.(safetensors|png) [1-9]\d{5,}$/);
    } finally {
      await server.close();
    }
  });
});

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDevice } from '../../src/gpu/open-device.ts';
import { add } from '../../src/tensor/graph/fill.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import { read } from '../../src/tensor/run/read.ts';
import { sourceAliases } from '../support/source.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Below the root, so that it finds the packages it needs. */
const bundle = join(root, 'node_modules/.cache/zeroseg-devices');
let folder = '';

/** The library as one file, which another process can load whether or not the package was built. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zeroseg-devices-'));
  await build({
    root,
    configFile: false,
    logLevel: 'silent',
    resolve: { alias: sourceAliases('node') },
    ssr: {
      noExternal: [],
      external: ['webgpu', 'tar-fs', '@sparticuz/chromium'],
    },
    build: {
      ssr: join(root, 'src/index.ts'),
      outDir: bundle,
      emptyOutDir: true,
      minify: false,
    },
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(bundle, { recursive: true, force: true });
});

/** Runs a program in a process of its own: what it printed, and how it ended. */
async function run(program: string): Promise<{ code: number | string; lines: string[] }> {
  const file = join(folder, 'program.mjs');
  await writeFile(
    file,
    `import { add, variable, openDevice, read, step, tensor } from '${join(bundle, 'index.js')}';\n${program}`,
  );
  return new Promise((resolve) => {
    execFile(process.execPath, ['--expose-gc', file], { timeout: 120_000 }, (error, stdout, stderr) => {
      const code = error ? (error.code ?? error.signal ?? 'unknown') : 0;
      resolve({ code, lines: [...stdout.trim().split('\n'), ...(code === 0 ? [] : [stderr])] });
    });
  });
}

const opened = `const open = () => openDevice({ notice: null, tuning: false });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const megabytes = async () => { for (let i = 0; i < 3; i++) { gc(); await pause(20); } return process.memoryUsage().rss / 2 ** 20; };
`;

describe('a process', () => {
  it('opens and disposes many devices, used and not, and grows by nothing', async () => {
    const { code, lines } = await run(`${opened}
      const cycle = async (i) => {
        const device = await open();
        if (i % 4 === 0) await read(add(tensor(device, [1, 2]), tensor(device, [3, 4])));
        if (i % 4 === 1) read(add(tensor(device, [1, 2]), tensor(device, [3, 4])));
        if (i % 4 === 2) variable(device, [1000]);
        device.dispose();
        await pause(1);
      };
      const stretch = async () => { for (let i = 0; i < 50; i++) await cycle(i); };
      await stretch();
      const sizes = [await megabytes()];
      for (let i = 0; i < 4; i++) { await stretch(); sizes.push(await megabytes()); }
      console.log(sizes.join());`);
    expect([code, ...lines.slice(1)]).toEqual([0]);
    // A device that stays takes 1 to 2 MB, so every stretch of 50 would add 50 MB or more; the allocator's and the
    // compiler's own steps come in one stretch or another, never in all.
    const sizes = (lines[0] as string).split(',').map(Number);
    const growths = sizes.slice(1).map((size, i) => size - (sizes[i] as number));
    expect(Math.min(...growths), `MB after each 50 devices: ${sizes.map(Math.round)}`).toBeLessThan(20);
  });

  it('ends by itself, with a device that is open or not, and whatever waits', async () => {
    const uses = `${opened}
      const device = await open();
      const twice = await step(device, { x: [2] }, ({ x }) => add(x, x));
      console.log((await read(twice({ x: [1, 2] }))).join());`;
    expect(await run(uses)).toEqual({ code: 0, lines: ['2,4'] });
    expect(await run(`${uses} device.dispose();`)).toEqual({ code: 0, lines: ['2,4'] });
    expect(await run(`${uses} read(add(tensor(device, [1]), tensor(device, [1]))); device.dispose();`)).toEqual({
      code: 0,
      lines: ['2,4'],
    });
  });
});

describe('openDevice', () => {
  it('says that there is no GPU, but to nobody who asked for such an adapter', async () => {
    const noticed = async (adapter?: string): Promise<string[]> => {
      const lines: string[] = [];
      const notice = (line: string) => void lines.push(line);
      using _ = await openDevice({ notice, tuning: false, ...(adapter === undefined ? {} : { adapter }) });
      return lines;
    };
    const before = process.env['ZEROSEG_ADAPTER'];
    try {
      delete process.env['ZEROSEG_ADAPTER'];
      using found = await openDevice({ notice: null, tuning: false });
      expect((await noticed()).map((line) => line.slice(0, 32))).toEqual(
        found.isSoftware ? ['no GPU found: running on the CPU'] : [],
      );
      const asked = ['swiftshader', 'software', ...(/llvmpipe/.test(found.name) ? ['lavapipe', 'llvmpipe'] : [])];
      for (const adapter of asked) {
        delete process.env['ZEROSEG_ADAPTER'];
        expect(await noticed(adapter)).toEqual([]);
        process.env['ZEROSEG_ADAPTER'] = adapter;
        expect(await noticed()).toEqual([]);
      }
    } finally {
      if (before === undefined) delete process.env['ZEROSEG_ADAPTER'];
      else process.env['ZEROSEG_ADAPTER'] = before;
    }
  });

  it('opens several at once, of different adapters too, which do not see each other', async () => {
    const before = { ...process.env };
    const wanted = [undefined, 'swiftshader', undefined, 'swiftshader', 'no such adapter'];
    const devices = await Promise.allSettled(
      wanted.map((adapter) => openDevice({ notice: null, tuning: false, ...(adapter ? { adapter } : {}) })),
    );
    expect(devices.map(({ status }) => status)).toEqual([...new Array(4).fill('fulfilled'), 'rejected']);
    const opened = devices.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(opened[1]?.name).toMatch(/swiftshader/i);
    expect(opened[3]?.name).toMatch(/swiftshader/i);
    expect(opened[2]?.name).toBe(opened[0]?.name);
    for (const device of opened) {
      expect([...(await read(add(tensor(device, [1]), tensor(device, [2]))))]).toEqual([3]);
      device.dispose();
    }
    expect({ ...process.env }).toEqual(before);
  });
});

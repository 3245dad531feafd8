import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

describe('bench', () => {
  test('--model tells what a kernel would do on GPUs that are not here, and what is wrong with it', async () => {
    const json = at('model.json');
    const { code, out, err } = await zeroseg(
      ...['bench', '--model', 'h100,m3', '--quick', '--filter', 'transpose', '--json', json],
    );
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('NVIDIA H100 SXM, by its published figures: nothing of this is measured');
    expect(out).toContain('| transpose [256, 256]: transpose |');
    // What its accesses are like is the model's own tests'; as it stands, this launch has too few workgroups for the larger GPU alone.
    expect(out.match(/\d+ % few workgroups: 64 workgroups for 132 units; split the work further/g)).toHaveLength(1);
    expect(out).toContain('Apple M3, 10 cores, by its published figures');
    const { gpus, work } = JSON.parse(await readFile(json, 'utf8'));
    expect(gpus.h100.figures.units).toEqual({ value: 132, source: expect.stringContaining('whitepaper') });
    const [{ launches }] = work;
    expect(launches[0]).toMatchObject({ kernel: 'transpose', workgroups: 64, workgroupSize: [64, 1, 1], times: 1 });
    expect(launches[0].gpus.map(({ gpu }: { gpu: string }) => gpu)).toEqual(['h100', 'm3']);
    // Each element comes and goes once, and by way of workgroup memory.
    type SiteCounts = { variable: string; bytes: number };
    const moved = launches[0].gpus[0].counts.sites
      .filter(({ variable }: SiteCounts) => variable !== 'tile')
      .reduce((sum: number, { bytes }: SiteCounts) => sum + bytes, 0);
    expect(moved).toBe(2 * 4 * 256 * 256);
  });

  test('--model takes GPUs that it knows', async () => {
    const { code, err } = await zeroseg('bench', '--model', 'h100,h200');
    expect(code).not.toBe(0);
    expect(err).toMatchInlineSnapshot(
      `"zeroseg bench: option '--model <gpus>' argument 'h100,h200' is invalid. It must be one or more of h100, rtx4090, m3, arc, mali with commas between, or all. See zeroseg bench --help."`,
    );
  });

  test('a table, a file of JSON and a chart', async () => {
    const [json, chart] = [at('bench.json'), at('bench.svg')];
    const { code, out, err } = await zeroseg(
      ...['bench', '--quick', '--runs', '1', '--filter', 'softmax, 192×32', '--json', json, '--chart', chart],
    );
    expect(err).toBe('');
    expect(code).toBe(0);
    const steady = out
      .replace(/^on .*/m, 'on ADAPTER')
      .replaceAll(base, 'BASE')
      .replace(/^measuring: .*\n/gm, '')
      // Of a table the first column: the others depend on the adapter.
      .replace(/^\| (.*?) *\|.*$/gm, '| $1')
      .replace(/\d[\d. ]*(?= (GFLOP|GB|µs|by copy))/g, 'N')
      .replace(/\((f32|vec4f), .*\)/, '(LOOP)')
      .replace(/by (processor time|GPU time)/, 'by CLOCK')
      .replace(/^measured again meanwhile: .*/m, 'STEADINESS')
      .replace(/in \d+ s$/m, 'in TIME');
    expect(steady).toMatchInlineSnapshot(`
      "on ADAPTER
      multiply-adds  N GFLOP/s (LOOP)
      copy           N GB/s read and written by a kernel, N by copyBufferToBuffer
      empty dispatch N µs in one pass, N µs with a submit of its own
      host           N µs a launch of a replayed step

      | 
      | --------------------
      | **matmul**
      | batched 4×192×32×192
      | batched 4×192×192×32
      | **rows**
      | softmax [2364, 197]

      % of limit: the least time in which the device could compute or move that much, over the time taken, both by CLOCK. Above 100: in a cache. first ms: recorded, planned, compiled and run for the first time.
      STEADINESS
      chart: BASE/bench.svg
      JSON: BASE/bench.json
      in TIME"
    `);
    const result = JSON.parse(await readFile(json, 'utf8'));
    expect(Object.keys(result)).toEqual([
      ...[
        'version',
        'adapter',
        'software',
        'features',
        'device',
        'clock',
        'runs',
        'quick',
        'limits',
        'probes',
        'wobble',
        'rows',
      ],
    ]);
    expect(result.rows.map(({ name }: { name: string }) => name)).toEqual([
      'batched 4×192×32×192',
      'batched 4×192×192×32',
      'softmax [2364, 197]',
    ]);
    for (const row of result.rows) {
      expect(Object.keys(row).sort()).toEqual(
        [
          'name',
          'group',
          'ms',
          'gpuMs',
          'processorMs',
          'firstMs',
          'flops',
          'moved',
          'dispatches',
          'work',
          'least',
          'bytes',
          'gflops',
          'gigabytesPerSecond',
          'fraction',
        ].sort(),
      );
      expect(row.ms).toBeGreaterThan(0);
      expect(row.fraction).toBeGreaterThan(0);
    }
    const { format, width } = await sharp(await readFile(chart)).metadata();
    expect([format, width]).toEqual(['svg', 920]);
  });

  test('--json - prints nothing else; growth has exponents; a chart as PNG has letters', async () => {
    const chart = at('growth.png');
    const { code, out } = await zeroseg('bench', '--growth', '--quick', '--runs', '1', '--json', '-', '--chart', chart);
    expect(code).toBe(0);
    const { growth } = JSON.parse(out);
    expect(growth.map(({ along, points }: { along: string; points: [] }) => [along, points.length])).toEqual([
      ['batch', 2],
      ['patches', 2],
      ['width', 2],
      ['tokens', 2],
    ]);
    for (const { memory, time } of growth) {
      expect(memory.exponent).toBeGreaterThan(0);
      expect(Number.isFinite(time.exponent)).toBe(true);
    }
    expect(growth[3].memory.exponent).toBeCloseTo(1, 1);
    const { data, info } = await sharp(chart).greyscale().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([1840, 1408]);
    // The title's letters, above everything else.
    const title = data.subarray(info.width * 30, info.width * 60);
    expect(title.filter((grey) => grey < 100).length).toBeGreaterThan(200);
  });

  test('what makes no sense is refused in a sentence', async () => {
    const said: string[] = [];
    for (const args of [
      ['--filter', 'no such thing,nor this'],
      ['--filter', 'softmax', '--growth'],
      ['--growth', '--tune'],
      ['--tune', '--chart', 'a.svg'],
      ['--why'],
      ['--runs', '0'],
      ['--chart', 'a.gif'],
      ['--json', 'a.txt'],
    ]) {
      const { code, out, err } = await zeroseg('bench', ...args);
      expect([code, out]).toEqual([1, '']);
      said.push(err);
    }
    expect(said.join('\n')).toMatchInlineSnapshot(`
      "zeroseg: bench: no work has 'no such thing' or 'nor this' in its name or group; the groups are matmul, attention, rows, elements and sums, ZeroSeg, whole steps
      zeroseg bench: option '--growth' cannot be used with option '--filter <words>'. See zeroseg bench --help.
      zeroseg bench: option '--growth' cannot be used with option '--tune'. See zeroseg bench --help.
      zeroseg bench: option '--tune' cannot be used with option '--chart <file>'. See zeroseg bench --help.
      zeroseg: --why is for --tune; add it, or leave --why out
      zeroseg bench: option '--runs <n>' argument '0' is invalid. It must be a whole number from 1 to 1000000. See zeroseg bench --help.
      zeroseg bench: option '--chart <file>' argument 'a.gif' is invalid. It must end in .svg or .png. See zeroseg bench --help.
      zeroseg bench: option '--json <file>' argument 'a.txt' is invalid. It must end in .json, or be -. See zeroseg bench --help."
    `);
  });
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { benchmarkOf, madeUpRates } from '../../support/benchmark.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (name: string) => join(base, name);

test("a run and the paper's beside it, on a device that was measured, and what each part waits for", async () => {
  await writeFile(at('bench.json'), JSON.stringify(benchmarkOf(madeUpRates)));
  const { code, out, err } = await zeroseg(
    ...['plan', '--config', 'tiny', '--images', '1000', '--epochs', '2', '--micro', '8', '--clip', 'random-tiny'],
    ...['--device', at('bench.json'), '--json', at('plan.json')],
  );
  expect([code, err]).toEqual([0, '']);
  expect(out.replaceAll(base, 'BASE')).toMatchInlineSnapshot(`
    "llvmpipe of a test (measured: BASE/bench.json), 1 rank, teacher random-tiny

                                       this run                                                        the paper's run
    parameters: student                1.6 M                                                           178.1 M
    parameters: teacher                0.1 M                                                           0.1 M
    FLOP: views of a photo             0.000117 TFLOP                                                  0.000117 TFLOP
    FLOP: an image trained on          0.000267 TFLOP                                                  0.0923 TFLOP
    FLOP: evaluation (VOC 2012)        66.2 TFLOP                                                      379 TFLOP
    disk: features and squares         16.1 MB                                                         197.8 GB
    disk: with squares as jpeg, about  5.1 MB                                                          24.3 GB
    disk: … lossless, about            7.0 MB                                                          53.8 GB
    disk: … none                       3.8 MB                                                          4.9 GB
    disk: names and checksums, about   199.1 kB                                                        255.2 MB
    disk: a checkpoint                 19.6 MB                                                         2.1 GB
    disk: the run, at most             52.2 MB                                                         5.7 GB
    micro-batch                        8                                                               8
    GPU memory: teacher                2.2 MB                                                          2.2 MB
    GPU memory: weights, optimizer     26.3 MB                                                         2.9 GB
    GPU memory: a pass                 24.0 MB                                                         1.1 GB
    GPU memory: training in all        50.3 MB                                                         3.9 GB
    GPU memory: … while it is saved    69.9 MB                                                         6.1 GB
    host memory: a process, about      641.4 MB                                                        8.0 GB
    steps                              62                                                              24,960
    seconds a step                     0.228                                                           4.19e+3
    … of processor time                0.456                                                           8.37e+3
    cache                              0.076 min, limited by the device (small matrix products: 75 %)  1.6 h, limited by the device (small matrix products: 75 %)
    training                           0.24 min, limited by the device (small matrix products: 70 %)   29,035 h, limited by the device (matrix products: 87 %)
    evaluation (VOC 2012)              0.46 h, limited by the device (attention: 93 %)                 1.4 h, limited by the device (matrix products: 64 %)
    network, a rank and step           0 bytes                                                         0 bytes
    network, a rank in all             0 bytes                                                         0 bytes
    efficiency of the ranks            100 %                                                           100 %
    ranks proposed, at most            4 (micro-batch 8, 94 % efficient)                               1024 (micro-batch 4, 92 % efficient)
    JSON: BASE/plan.json"
  `);
  const { format, clock, pace, plan, paper } = JSON.parse(await readFile(at('plan.json'), 'utf8'));
  expect([format, clock, pace]).toEqual(['zeroseg-plan-2', 'processor', 0.5]);
  expect(plan.steps).toBe(2 * Math.floor(1000 / 32));
  expect(paper.steps).toBe(80 * Math.floor(1_281_167 / 4096));
  for (const { cache, training, evaluation } of [plan, paper]) {
    for (const { total, limit } of [cache, training, evaluation])
      expect([total > 0, typeof limit]).toEqual([true, 'string']);
  }
});

test("where the paper's run does not fit, it is said, and the other is planned", async () => {
  const { code, out } = await zeroseg(
    ...['plan', '--config', 'tiny', '--images', '1000', '--clip', 'random-tiny', '--micro', '32'],
    ...['--device', 'M3 Max', '--gpu-memory', '1'],
  );
  expect(code).toBe(0);
  expect(out).toContain("\n\nThe paper's run does not fit the memory of this device.");
  expect(out).toMatch(/^micro-batch +32$/m);
});

test('ranks that cannot share the batch of the paper have a plan of their own, whatever is known of the device', async () => {
  await writeFile(at('unknown.json'), JSON.stringify(benchmarkOf(madeUpRates)));
  const args = ['plan', '--config', 'tiny', '--batch', '12', '--images', '1000', '--clip', 'random-tiny'];
  for (const device of ['h100', at('unknown.json')]) {
    const { code, out, err } = await zeroseg(...args, '--ranks', '3', '--device', device);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain("\n\nThe paper's batch of 4096 cannot be shared by 3 ranks.");
  }
  const refused = await zeroseg(...args, '--ranks', '5');
  expect([refused.code, refused.err]).toEqual([
    1,
    'zeroseg: plan: --ranks 5: a batch of 12 images cannot be shared evenly; choose a divisor of it',
  ]);
});

test('a micro-batch that was chosen and takes more than the device has is named', async () => {
  const { code, err } = await zeroseg(
    ...['plan', '--config', 'tiny', '--images', '1000', '--clip', 'random-tiny', '--micro', '32'],
    ...['--device', 'M3 Max', '--gpu-memory', '0.05', '--batch', '96', '--ranks', '3'],
  );
  expect(code).toBe(0);
  expect(err).toMatch(
    /micro-batches of 32 take 1\d\d\.\d MB, more than Apple M3 Max, 40 cores has to spare of 50\.0 MB/,
  );
});

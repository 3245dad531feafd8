import { Command } from 'commander';
import type { Device } from '../gpu/device.ts';
import { attention } from '../kernels/attention.ts';
import { matmul } from '../kernels/matmul.ts';
import { newWeights } from '../nn/module.ts';
import { normalNumber, random } from '../nn/random.ts';
import { readAll } from '../tensor/read.ts';
import { type Step, step } from '../tensor/step.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { tinyConfig } from '../zeroseg/config.ts';
import { ZeroSeg } from '../zeroseg/model.ts';
import { defaultSettings } from '../zeroseg/train-settings.ts';
import { Trainer } from '../zeroseg/trainer.ts';
import { viewCount } from '../zeroseg/views.ts';
import { wholeNumber } from './arguments.ts';
import { adapterOption, type Context, withDevice } from './context.ts';

interface BenchArguments {
  readonly runs: number;
  readonly json?: boolean;
  readonly adapter?: string;
}

interface Row {
  readonly what: string;
  /** Wall time of a call that waits for its result, and GPU time by timestamps; medians in milliseconds. */
  readonly wall: number;
  readonly gpu: number | null;
  /** Multiply-adds count two. */
  readonly flops: number | null;
}

/** `zeroseg bench`: a few kernels and a training step on this machine. */
export function benchCommand(context: Context): Command {
  return new Command('bench')
    .description('measure matmul, attention and a tiny training step on this GPU')
    .option('--runs <n>', 'runs of each; the median is told', wholeNumber(), 7)
    .option('--json', 'print JSON')
    .option(...adapterOption)
    .addHelpText('after', '\nExample:\n  zeroseg bench --runs 20')
    .action((options: BenchArguments) => bench(context, options));
}

async function bench(context: Context, { runs, json, adapter }: BenchArguments): Promise<void> {
  const { terminal } = context;
  await withDevice(context, adapter, async (device, interruption) => {
    const rows: Row[] = [];
    const benches = [
      () => benchMatmul(device, 512, runs),
      () => benchMatmul(device, 1024, runs),
      () => benchAttention(device, [8, 12, 197, 64], runs),
      () => benchTraining(device, runs),
    ];
    if (!json)
      terminal.out(
        `${device.name}${device.isSoftware ? ' (software: this is the speed of the processor)' : ''}, median of ${runs}`,
      );
    for (const one of benches) {
      if (interruption.signal) break;
      const row = await one();
      rows.push(row);
      if (json) continue;
      const gpu = row.gpu === null ? 'no timestamps' : `${row.gpu.toFixed(2)} ms on the GPU`;
      const time = row.gpu ?? row.wall;
      const speed = row.flops === null ? '' : ` · ${(row.flops / time / 1e6).toFixed(1)} GFLOP/s`;
      terminal.out(`${row.what.padEnd(44)} ${row.wall.toFixed(2).padStart(9)} ms · ${gpu}${speed}`);
    }
    if (json)
      terminal.out(JSON.stringify({ adapter: device.name, software: device.isSoftware, runs, rows }, undefined, 2));
  });
}

async function benchMatmul(device: Device, n: number, runs: number): Promise<Row> {
  const inputs = { a: [n, n], b: [n, n] };
  const values = { a: numbers(n * n, 'a'), b: numbers(n * n, 'b') };
  const times = await measure(device, inputs, values, ({ a, b }) => matmul(a as Tensor, b as Tensor), runs);
  return { what: `matmul [${n}, ${n}] · [${n}, ${n}]`, ...times, flops: 2 * n ** 3 };
}

async function benchAttention(
  device: Device,
  shape: readonly [number, number, number, number],
  runs: number,
): Promise<Row> {
  const [b, h, n, d] = shape;
  const count = b * h * n * d;
  const values = { q: numbers(count, 'q'), k: numbers(count, 'k'), v: numbers(count, 'v') };
  const body = ({ q, k, v }: Record<string, Tensor>) => attention(q as Tensor, k as Tensor, v as Tensor);
  const times = await measure(device, { q: shape, k: shape, v: shape }, values, body, runs);
  return { what: `attention [${shape.join(', ')}]`, ...times, flops: 4 * b * h * n * n * d };
}

async function measure(
  device: Device,
  inputs: Readonly<Record<string, readonly number[]>>,
  values: Readonly<Record<string, Float32Array>>,
  body: (inputs: Record<string, Tensor>) => Tensor,
  runs: number,
): Promise<{ wall: number; gpu: number | null }> {
  // Measured apart: timestamps put every launch into a pass of its own, which the wall clock would see.
  const plain = await step(device, inputs, body);
  const wall = await medianWall(device, plain, values, runs);
  plain.dispose();
  if (!device.features.has('timestamp-query')) return { wall, gpu: null };
  const timed = await step(device, inputs, body, { time: true });
  const gpu: number[] = [];
  for (let i = 0; i < runs + 1; i++) {
    timed(values);
    const times = await timed.times();
    if (i > 0) gpu.push(times.reduce((sum, { ms }) => sum + ms, 0));
  }
  timed.dispose();
  return { wall, gpu: median(gpu) };
}

async function medianWall(
  device: Device,
  run: Step<string, Tensor>,
  values: Readonly<Record<string, Float32Array>>,
  runs: number,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < runs + 1; i++) {
    const began = performance.now();
    run(values);
    await device.gpu.queue.onSubmittedWorkDone();
    if (i > 0) times.push(performance.now() - began);
  }
  return median(times);
}

async function benchTraining(device: Device, runs: number): Promise<Row> {
  const batch = 8;
  const { image, clip_dim } = tinyConfig;
  const images = numbers(batch * 3 * image * image, 'images');
  const views = numbers(batch * viewCount(tinyConfig.grids) * clip_dim, 'views');
  const data = { length: batch, batch: async () => ({ images, views }) };
  const settings = { ...defaultSettings, batch, micro: batch, epochs: runs + 1, warmup: 1 };
  const model = new ZeroSeg(newWeights(device, 0), tinyConfig);
  using trainer = await Trainer.create(device, model, data, settings);
  const times: number[] = [];
  for await (const { seconds } of trainer.run()) times.push(seconds * 1000);
  await readAll([]);
  return { what: `training step, ZeroSeg tiny, batch ${batch}`, wall: median(times.slice(1)), gpu: null, flops: null };
}

function numbers(count: number, name: string): Float32Array {
  const uniform = random(0, name);
  return Float32Array.from({ length: count }, () => normalNumber(uniform));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[half] as number)
    : ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

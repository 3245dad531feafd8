import { attention, type Device, gradients, step } from '@zeroseg/core';
import { tinyConfig, type WorkOptions, type ZeroSegConfig } from '@zeroseg/core/zeroseg';
import type { BenchProgress } from './bench.ts';
import type { Panel } from './charts.ts';
import type { Measured, Meter } from './meter.ts';
import { trainingBody } from './steps.ts';
import { digits, markdownTable } from './tables.ts';
import { lending } from './workloads.ts';

/** `y = factor · x^exponent`. */
export interface PowerLaw {
  readonly exponent: number;
  readonly factor: number;
}

/** How something grows with one size while the others stay. */
export interface Growth {
  readonly what: string;
  /** Which size, and what stays. */
  readonly along: string;
  readonly stays: string;
  readonly points: readonly GrowthPoint[];
  readonly time: PowerLaw | null;
  readonly memory: PowerLaw;
}

export interface GrowthPoint {
  readonly size: number;
  /** By the meter's clock; where it was run. */
  readonly ms: number | null;
  /** Bytes planned for intermediates, and of results; without weights and their optimizer state. */
  readonly bytes: number;
}

/** Stopped by its signal, the growths that are whole are given. */
export interface GrowthOptions extends WorkOptions<BenchProgress> {
  /** Fewer and smaller sizes. */
  readonly quick?: boolean;
}

/** A ZeroSeg that takes a fraction of a second a step on a processor. */
const small: ZeroSegConfig = { ...tinyConfig, depth: 2, dec_depth: 1 };
const sizesOf = {
  batch: [1, 2, 4, 8, 16],
  side: [32, 48, 64, 96, 128],
  dim: [48, 96, 192, 384],
  tokens: [128, 256, 512, 1024, 2048, 4096],
} as const;

/** A training step of ZeroSeg against batch, tokens and width, and attention forward and backward against tokens. */
export async function measureGrowth(meter: Meter, options: GrowthOptions = {}): Promise<Growth[]> {
  const { quick = false, signal, onProgress } = options;
  const few = (sizes: readonly number[]) => (quick ? sizes.slice(0, 2) : sizes);
  const works: { what: string; along: string; stays: string; sizes: readonly (readonly [number, () => Work])[] }[] = [
    {
      what: 'training step',
      along: 'batch',
      stays: '64 patches, width 96',
      sizes: few(sizesOf.batch).map((batch) => [batch, () => training(meter, small, batch)]),
    },
    {
      what: 'training step',
      along: 'patches',
      stays: 'batch 4, width 96',
      sizes: few(sizesOf.side).map((image) => [
        (image / small.patch) ** 2,
        () => training(meter, { ...small, image }, 4),
      ]),
    },
    {
      what: 'training step',
      along: 'width',
      stays: 'batch 4, 64 patches',
      sizes: few(sizesOf.dim).map((dim) => [
        dim,
        () => training(meter, { ...small, dim, dec_dim: (dim * 2) / 3, proj_hidden: 2 * dim }, 4),
      ]),
    },
    {
      what: 'attention, forward and backward',
      along: 'tokens',
      stays: 'batch 1, 4 heads of 32',
      sizes: few(sizesOf.tokens).map((tokens) => [tokens, () => attentionWork(meter, tokens)]),
    },
  ];
  const total = works.reduce((sum, { sizes }) => sum + sizes.length, 0);
  let done = 0;
  const found: Growth[] = [];
  for (const { sizes, ...work } of works) {
    const points: GrowthPoint[] = [];
    for (const [size, measure] of sizes) {
      if (signal?.aborted) break;
      onProgress?.({ name: `${work.what}, ${work.along} ${size}`, done: done++, total });
      points.push({ size, ...(await measure()) });
    }
    if (points.length < 2) break;
    const timed = points.filter(({ ms }) => ms !== null);
    found.push({
      ...work,
      points,
      time: timed.length < 2 ? null : fitPower(timed.map(({ size, ms }) => [size, ms as number])),
      memory: fitPower(points.map(({ size, bytes }) => [size, bytes])),
    });
  }
  return found;
}

/** Least squares of the logarithms. */
export function fitPower(points: readonly (readonly [x: number, y: number])[]): PowerLaw {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (i: 0 | 1) => logs.reduce((sum, point) => sum + point[i], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const exponent =
    logs.reduce((sum, [a, b]) => sum + (a - x) * (b - y), 0) / logs.reduce((sum, [a]) => sum + (a - x) ** 2, 0);
  return { exponent, factor: Math.exp(y - exponent * x) };
}

type Work = Promise<Pick<GrowthPoint, 'ms' | 'bytes'>>;

async function training(meter: Meter, config: ZeroSegConfig, batch: number): Work {
  return lending(meter.device, async (lend) => pointOf(meter, await meter.measure(trainingBody(lend, config, batch))));
}

function pointOf(meter: Meter, measured: Measured): { ms: number; bytes: number } {
  return { ms: meter.cost(measured), bytes: measured.bytes };
}

/** Longer ones take seconds on a processor, and their memory is known without running them. */
const MAX_TOKENS_TIMED = 1024;

async function attentionWork(meter: Meter, tokens: number): Work {
  return lending(meter.device, async (lend) => {
    const shape = [1, 4, tokens, 32];
    const [q, k, v, dy] = [lend(shape), lend(shape), lend(shape), lend(shape)];
    const body = () => {
      const y = attention(q, k, v);
      return [y, ...gradients(y, [q, k, v], dy)];
    };
    if (tokens <= MAX_TOKENS_TIMED) return pointOf(meter, await meter.measure(body));
    return { ms: null, bytes: await plannedBytes(meter.device, body) };
  });
}

async function plannedBytes(device: Device, body: Parameters<typeof step>[2]): Promise<number> {
  using planned = await step(device, {}, body);
  return planned.memory.planned + planned.memory.own;
}

/** A table of each growth, with its exponents. */
export function growthLines(growths: readonly Growth[], clock: string): string[] {
  return growths.flatMap(({ what, along, stays, points, time, memory }) => [
    `**${what}** against ${along} (${stays}): ${time ? `time ∝ ${along}^${time.exponent.toFixed(2)}, ` : ''}memory ∝ ${along}^${memory.exponent.toFixed(2)}`,
    '',
    ...markdownTable(
      [along, `ms (${clock})`, 'MB planned'],
      points.map(({ size, ms, bytes }) => [String(size), ms === null ? '' : digits(ms), digits(bytes / 1e6)]),
    ),
    '',
  ]);
}

/** Time and memory against each size. */
export function growthPanels(growths: readonly Growth[]): Panel[] {
  return growths.map(({ what, along, stays, points, time, memory }) => ({
    title: `${what}, ${along}`,
    x: `${along} (${stays})`,
    y: 'ms, MB',
    series: [
      ...(time
        ? [
            {
              name: 'time',
              points: points.filter(({ ms }) => ms !== null).map(({ size, ms }) => [size, ms as number] as const),
              fit: time,
            },
          ]
        : []),
      {
        name: 'memory',
        points: points.map(({ size, bytes }) => [size, bytes / 1e6] as const),
        fit: { ...memory, factor: memory.factor / 1e6 },
      },
    ],
  }));
}

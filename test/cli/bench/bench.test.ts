import { describe, expect, test, vi } from 'vitest';
import { bench, chooseWorkloads, type Row } from '../../../cli/src/bench/bench.ts';
import { growthChart, limitChart, svg } from '../../../cli/src/bench/charts.ts';
import { fitPower, growthLines, growthPanels } from '../../../cli/src/bench/growth.ts';
import { type Limits, measureLimits, wobbleOf } from '../../../cli/src/bench/limits.ts';
import { Meter } from '../../../cli/src/bench/meter.ts';
import { roofAt, roofline } from '../../../cli/src/bench/roofline.ts';
import { digits, rowTable, steadinessLine } from '../../../cli/src/bench/tables.ts';
import { triedLines, tunedTable } from '../../../cli/src/bench/tuning.ts';
import { lending } from '../../../cli/src/bench/workloads.ts';
import { openDevice } from '../../../src/gpu/open-device.ts';
import { attention } from '../../../src/kernels/attention/attention.ts';
import { gradients } from '../../../src/kernels/elementwise/gradients.ts';
import { scale } from '../../../src/kernels/elementwise/unary.ts';
import type { Tensor } from '../../../src/tensor/graph/tensor.ts';
import { step } from '../../../src/tensor/run/step.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

describe('measuring', () => {
  test("a device's limits are finite and positive, and fit together", async () => {
    const { limits, probe } = await measureLimits(new Meter(device.current, 1), true);
    const { flopsVariant, perMs, ...numbers } = limits;
    for (const [name, value] of [...Object.entries(numbers), ...Object.entries(perMs)]) {
      expect(Number.isFinite(value) && value > 0, `${name} is ${value}`).toBe(true);
    }
    expect(flopsVariant).toMatch(/^(f32|vec4f), \d+ chains × \d+$/);
    // Without a processor's clock, rates and fractions go by the same clock.
    expect(perMs.flops).toBeCloseTo(limits.flopsPerSecond / 1e3, 0);
    expect(perMs.bytes).toBeCloseTo(limits.bytesPerSecond / 1e3, 0);
    // Nothing computes slower than 0.1 GFLOP/s, or launches an empty kernel in a tenth of a second.
    expect(limits.flopsPerSecond).toBeGreaterThan(1e8);
    expect(limits.dispatchUs).toBeLessThan(1e5);
    // Again, the same loop and the same copy: of the same order on the busiest machine.
    const again = await probe();
    expect(Math.abs(Math.log10(again.flops / limits.flopsPerSecond))).toBeLessThan(1);
    expect(Math.abs(Math.log10(again.bytes / limits.bytesPerSecond))).toBeLessThan(1);
  });

  test('512 times the work takes longer, and its launches and bytes are told', async () => {
    const meter = new Meter(device.current, 9);
    const [small, large] = await lending(device.current, async (lend) => {
      const [x, y] = [lend([2 ** 12]), lend([2 ** 21])];
      return [await meter.measure(() => scale(x, 2)), await meter.measure(() => scale(y, 2))] as const;
    });
    // The least of both: another page may have the GPU meanwhile.
    expect(large.least.ms).toBeGreaterThan(small.least.ms);
    expect([small.dispatches, small.bytes, large.bytes]).toEqual([1, 4 * 2 ** 12, 4 * 2 ** 21]);
  });

  test('the time of the first run holds what is compiled for it', async () => {
    using own = await openDevice({ notice: null, tuning: false });
    const compile = own.gpu.createComputePipelineAsync.bind(own.gpu);
    own.gpu.createComputePipelineAsync = async (descriptor) => {
      await new Promise((resolve) => setTimeout(resolve, 200));
      return compile(descriptor);
    };
    const { firstMs } = await lending(own, (lend) => {
      const x = lend([4]);
      return new Meter(own, 1).measure(() => scale(x, 2));
    });
    // A timer may be a millisecond early.
    expect(firstMs).toBeGreaterThan(198);
  });

  test('a processor clock decides on software adapters, timestamps on others', () => {
    let clock = 0;
    const meter = new Meter(device.current, 1, () => clock++);
    const times = { ms: 3, gpuMs: 2, processorMs: 5, least: { ms: 2, processorMs: 4 } };
    expect(meter.clock).toBe(device.current.isSoftware ? 'processor' : 'gpu');
    expect(meter.cost(times)).toBe(device.current.isSoftware ? 5 : 2);
    expect(new Meter(device.current, 1).clock).toBe(device.current.isSoftware ? 'wall' : 'gpu');
  });

  test('as on a GPU: timestamps are read, and decide', async () => {
    const gpu = device.current;
    if (!gpu.features.has('timestamp-query')) return;
    const software = vi.spyOn(gpu, 'isSoftware', 'get').mockReturnValue(false);
    try {
      const meter = new Meter(gpu, 1, () => 0);
      const measured = await lending(gpu, (lend) => {
        const x = lend([2 ** 20]);
        return meter.measure(() => scale(x, 2));
      });
      expect(meter.clock).toBe('gpu');
      expect(measured.gpuMs).toBeGreaterThan(0);
      expect(meter.cost(measured)).toBe(measured.gpuMs);
    } finally {
      software.mockRestore();
    }
  });

  test('what a filter leaves is measured, with rates and fractions', async () => {
    const told: string[] = [];
    const { rows, probes, wobble } = await bench(new Meter(device.current, 1), {
      quick: true,
      filter: ['SOFTMAX', '192×32'],
      onProgress: ({ name, done, total }) => told.push(`${done}/${total} ${name}`),
    });
    expect(told).toEqual([
      "0/4 the device's limits",
      '1/4 batched 4×192×32×192',
      '2/4 batched 4×192×192×32',
      '3/4 softmax [2364, 197]',
    ]);
    expect(
      rows.map(({ gflops, gigabytesPerSecond, fraction }) => [gflops, gigabytesPerSecond, fraction].map(Boolean)),
    ).toEqual([
      [true, false, true],
      [true, false, true],
      [false, true, true],
    ]);
    for (const row of rows) {
      expect(row.fraction).toBeGreaterThan(0);
      expect(row.firstMs).toBeGreaterThan(0);
    }
    expect(rows.map(({ flops, moved }) => [flops, moved])).toEqual([
      [2 * 4 * 192 * 32 * 192, 4 * 4 * (2 * 192 * 32 + 192 * 192)],
      [2 * 4 * 192 * 192 * 32, 4 * 4 * (2 * 192 * 32 + 192 * 192)],
      [null, 8 * 2364 * 197],
    ]);
    // Before each of the two groups, and at the end.
    expect(probes).toHaveLength(3);
    expect(wobble).toBe(wobbleOf(probes));
  });

  test('a bench that is told to stop ends with what it has', async () => {
    const rows: Row[] = [];
    const stop = new AbortController();
    const result = await bench(new Meter(device.current, 1), {
      quick: true,
      filter: ['rows'],
      onRow: (row) => {
        rows.push(row);
        stop.abort();
      },
      signal: stop.signal,
    });
    expect(result.rows).toEqual(rows);
    expect(rows).toHaveLength(1);
  });
});

describe('workloads', () => {
  test('the ragged pairs, the gradients and the whole steps are there', () => {
    const names = chooseWorkloads({}).map(({ name }) => name);
    for (const name of [
      'matmul 1024³',
      'matmul 788×768×3072',
      'batched 12×192×64×192',
      'batched 12×197×64×197',
      'attention [2, 12, 197, 64], ViT-B, forward + backward',
      'sum [4194304]',
      'AdamW over 10 M parameters, clipped',
      'ViT block [4, 197, 384], 6 heads, MLP 1536, training step',
      'ZeroSeg tiny, batch 8, training step',
    ]) {
      expect(names).toContain(name);
    }
    expect(new Set(chooseWorkloads({ full: true }).map(({ name }) => name)).size).toBe(
      chooseWorkloads({ full: true }).length,
    );
    expect(chooseWorkloads({ full: true }).length).toBe(names.length + 1);
    expect(chooseWorkloads({ filter: ['no such thing'] })).toEqual([]);
  });

  test('FLOP are those of the products', () => {
    const flops = (name: string) => chooseWorkloads({}).find((one) => one.name.startsWith(name))?.flops;
    expect(flops('matmul 512³')).toBe(2 * 512 ** 3);
    expect(flops('batched 12×197×64×197')).toBe(2 * 12 * 197 * 64 * 197);
    expect(flops('ViT block')).toBe(
      // qkv and projection; two layers of the MLP; scores and values.
      2 * 4 * 197 * (384 * 3 * 384 + 384 * 384 + 2 * 384 * 1536 + 2 * 197 * 384),
    );
  });
});

describe('how things grow', () => {
  test('a power law is found in its own points', () => {
    const law = fitPower([1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5]));
    expect(law.exponent).toBeCloseTo(1.5, 10);
    expect(law.factor).toBeCloseTo(3, 10);
  });

  test('memory of attention grows as the tokens, forward and backward', async () => {
    const points: [number, number][] = [];
    for (const tokens of [128, 256, 512, 1024]) {
      await lending(device.current, async (lend) => {
        const [q, k, v, dy] = Array.from({ length: 4 }, () => lend([1, 2, tokens, 16])) as [
          Tensor,
          Tensor,
          Tensor,
          Tensor,
        ];
        using run = await step(device.current, {}, () => {
          const y = attention(q, k, v);
          return [y, ...gradients(y, [q, k, v], dy)];
        });
        points.push([tokens, run.memory.planned + run.memory.own]);
      });
    }
    expect(fitPower(points).exponent).toBeCloseTo(1, 1);
  });
});

const row = (name: string, fraction: number | null): Row => ({
  name,
  group: 'a <group>',
  ms: 1.5,
  gpuMs: null,
  processorMs: 2.25,
  least: { ms: 1, processorMs: 2 },
  firstMs: 20,
  flops: null,
  moved: null,
  dispatches: 3,
  work: { products: 0, smallProducts: 0, attention: 0, optimizer: 0, other: 0, launches: 3 },
  bytes: 4e6,
  gflops: 1234.5,
  gigabytesPerSecond: null,
  fraction,
});

describe('what is shown', () => {
  test('a table to paste, without empty columns', () => {
    expect(rowTable([row('one', 0.5), row('another', null)])).toMatchInlineSnapshot(`
      [
        "|               |   ms | CPU ms | GFLOP/s | % of limit | first ms | dispatches |   MB |",
        "| ------------- | ---: | -----: | ------: | ---------: | -------: | ---------: | ---: |",
        "| **a <group>** |      |        |         |            |          |            |      |",
        "| one           | 1.50 |   2.25 |   1 235 |       50.0 |     20.0 |          3 | 4.00 |",
        "| another       | 1.50 |   2.25 |   1 235 |            |     20.0 |          3 | 4.00 |",
      ]
    `);
    expect([0.01234, 1.234, 12.34, 123.4, 12345.6].map(digits)).toEqual(['0.012', '1.23', '12.3', '123', '12 346']);
  });

  test('a machine that is busy is noticed: the limits moved', () => {
    const probe = (gflops: number, gigabytes: number) => ({ flops: gflops * 1e9, bytes: gigabytes * 1e9 });
    expect(wobbleOf([probe(100, 10)])).toBe(0);
    const steady = [probe(100, 10), probe(98, 10.5), probe(101, 10.1)];
    expect(wobbleOf(steady)).toBeCloseTo(0.5 / 10.1, 10);
    expect(steadinessLine(steady, wobbleOf(steady))).toBe(
      'measured again meanwhile: 98.0 to 101 GFLOP/s, 10.0 to 10.5 GB/s',
    );
    const busy = [probe(100, 10), probe(50, 10), probe(90, 10)];
    expect(wobbleOf(busy)).toBeCloseTo(50 / 90, 10);
    expect(steadinessLine(busy, wobbleOf(busy))).toContain(
      'The limits moved by 56 %: something else uses this machine',
    );
  });

  test('a roofline: distance to the roof is the share, also where FLOP or bytes are not known', () => {
    const limits = { flopsPerSecond: 1e12, bytesPerSecond: 1e11 } as Limits;
    const { points, ridge, min, max, ...roof } = roofline(limits, [
      { ...row('product', 0.5), flops: 4e9, moved: 1e8, gflops: 500 },
      { ...row('narrow product', 0.5), flops: 2e8, moved: 1e8, gflops: 100 },
      { ...row('copy', 0.25), moved: 1e8, gflops: null, gigabytesPerSecond: 25 },
      { ...row('step', 0.1), flops: 1e9, gflops: 100 },
      { ...row('training', null), gflops: null },
    ]);
    expect([ridge, min, max]).toEqual([10, 0.5, 160]);
    expect(points.map(({ intensity, known }) => [intensity, known])).toEqual([
      [40, 'both'],
      [2, 'both'],
      [0.5, 'bytes'],
      [160, 'products'],
    ]);
    for (const point of points) expect(point.gflops / roofAt(roof, point.intensity)).toBe(point.row.fraction);
  });

  test('a bar for every share, as long as the share; words are escaped', () => {
    const drawn = svg(
      limitChart([row('half & half', 0.5), row('all', 1), row('nothing known', null)], 'title', 'where'),
    );
    const bars = [...drawn.matchAll(/<rect x="[\d.]+" y="\d+" width="([\d.]+)"/g)].map(([, width]) => Number(width));
    expect(bars).toHaveLength(2);
    expect((bars[0] as number) * 2).toBeCloseTo(bars[1] as number, 0);
    expect(drawn).toContain('half &#38; half');
    expect(drawn).toContain('a &#60;group&#62;');
    expect(drawn).not.toContain('nothing known');
    expectWellFormed(drawn);
  });

  test('a point for every measurement, and lines with their exponents', () => {
    const points = [1, 2, 4].map((size) => ({ size, ms: size < 4 ? 3 * size : null, bytes: 1e6 * size ** 2 }));
    const growth = {
      what: 'step',
      along: 'batch',
      stays: 'width 8',
      points,
      time: { exponent: 1, factor: 3 },
      memory: { exponent: 2, factor: 1e6 },
    };
    const drawn = svg(growthChart(growthPanels([growth]), 'title', 'where'));
    expect(drawn.match(/<circle /g)).toHaveLength(5);
    expect(drawn).toContain('time: grows as x^1.00');
    expect(drawn).toContain('memory: grows as x^2.00');
    expectWellFormed(drawn);
    expect(growthLines([growth], 'wall')).toMatchInlineSnapshot(`
      [
        "**step** against batch (width 8): time ∝ batch^1.00, memory ∝ batch^2.00",
        "",
        "| batch | ms (wall) | MB planned |",
        "| ----- | --------: | ---------: |",
        "| 1     |      3.00 |       1.00 |",
        "| 2     |      6.00 |       4.00 |",
        "| 4     |           |       16.0 |",
        "",
      ]
    `);
  });

  test('what was tuned, with what it brought, and why', () => {
    const tried = [
      { variant: 'subgroup 32 4', ms: 0.75 },
      { variant: 'subgroup 16 8', ms: 1.5 },
      { variant: 'tile 4 1' },
    ];
    const tuned = [{ work: 'matmul f32 i4 o4 7x7x7 x1', chosen: 'subgroup 32 4', before: 1.5, after: 0.75, tried }];
    expect(tunedTable(tuned)).toMatchInlineSnapshot(`
      [
        "| product                   | chosen variant | ms by default | ms tuned | times as fast |",
        "| ------------------------- | -------------: | ------------: | -------: | ------------: |",
        "| matmul f32 i4 o4 7x7x7 x1 |  subgroup 32 4 |          1.50 |    0.750 |          2.00 |",
      ]
    `);
    expect(triedLines(tuned)).toMatchInlineSnapshot(`
      [
        "matmul f32 i4 o4 7x7x7 x1: subgroup 32 4, 0.750 ms",
        "  subgroup 16 8: 2.00 times as long",
        "  tile 4 1: left out, its result is not that of the plain tile",
      ]
    `);
  });

  test('a chart of nothing is a chart', () => {
    expectWellFormed(svg(limitChart([], 'title', 'where')));
    expectWellFormed(svg(growthChart([], 'title', 'where')));
  });
});

/** Every tag is closed, in order; numbers are numbers; one root. */
function expectWellFormed(text: string): void {
  const open: string[] = [];
  let roots = 0;
  for (const [, close, name = '', , self] of text.matchAll(/<(\/?)([a-z]+)((?:\s[\w:-]+="[^"<>]*")*)(\/?)>/g)) {
    if (close) expect(open.pop()).toBe(name);
    else if (open.length === 0) roots++;
    if (!close && !self) open.push(name);
  }
  expect([open, roots]).toEqual([[], 1]);
  expect(text.replaceAll(/<[^<>]*>/g, '')).not.toMatch(/[<>]|&(?!#(34|38|39|60|62);)/);
  expect(text).not.toMatch(/NaN|Infinity|undefined/);
}

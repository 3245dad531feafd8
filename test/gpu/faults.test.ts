import { afterAll, describe, expect, it } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { DeviceError, KernelError, OutOfMemoryError } from '../../src/gpu/errors.ts';
import { type Kernel, kernel } from '../../src/gpu/kernel.ts';
import { openDevice } from '../../src/gpu/open-device.ts';
import { matmul } from '../../src/kernels/matmul/matmul.ts';
import { tune } from '../../src/kernels/matmul/tune.ts';
import { flattenParameters } from '../../src/nn/optimizer/flat-parameters.ts';
import { add } from '../../src/tensor/graph/fill.ts';
import { free, tensor, variable, write } from '../../src/tensor/graph/host-tensors.ts';
import { range } from '../../src/tensor/graph/placement.ts';
import { dispatch, empty, emptyOn } from '../../src/tensor/graph/record.ts';
import { Tensor } from '../../src/tensor/graph/tensor.ts';
import { read, readAll, readU32 } from '../../src/tensor/run/read.ts';
import { run, step } from '../../src/tensor/run/step.ts';
import { StepError } from '../../src/tensor/values/errors.ts';
import { Segmenter } from '../../src/zeroseg/inference/segmenter.ts';
import type { SegmentingModel } from '../../src/zeroseg/inference/segmenting-model.ts';

const open = () => openDevice({ notice: null, tuning: false });
const sixteen = Float32Array.from({ length: 16 }, (_, i) => i);
const doubled = [...sixteen].map((x) => 2 * x);

const copy = (type: 'f32' | 'u32') =>
  kernel({
    name: 'copied',
    bind: { x: `read ${type}`, y: `write ${type}` },
    grid: () => [1],
    wgsl: '@compute @workgroup_size(1)\nfn main() { for (var i = 0u; i < 4u; i++) { y[i] = x[i]; } }',
  }) as unknown as Kernel;
const copied = { f32: copy('f32'), u32: copy('u32') };

/** What WebGPU refuses, and nothing on the host: a launch that reads one part of a buffer and writes another. */
function refused(x: Tensor): Tensor {
  const page = emptyOn(x.device, [128], x.dtype);
  const part = range(page, 0, x.shape);
  dispatch(copied[x.dtype as 'f32'], { x, y: part }, {});
  dispatch(copied[x.dtype as 'f32'], { x: part, y: range(page, 256, x.shape) }, {});
  return part;
}

/** More than any device has, and only a shape so far. */
function huge(x: Tensor): Tensor {
  const y = emptyOn(x.device, [2 ** 36, 4], x.dtype);
  dispatch(copied[x.dtype as 'f32'], { x, y }, {});
  return y;
}

const same = (x: Tensor) => x;
const image = new Float32Array(16);

/**
 * Everything that a user calls, on a tensor `[4, 4]` of numbers (or words) and on what is made of it. What comes after the call
 * that is wanted to fail is made before.
 */
const entries: Record<
  string,
  (device: Device, w: Tensor, words: Tensor, made: (x: Tensor) => Tensor) => Promise<unknown>
> = {
  read: async (device, w, _, made) => read(add(made(w), tensor(device, sixteen, [4, 4]))),
  'read of a parameter': async (_, w, __, made) => read(made(w)),
  readU32: async (_, __, words, made) => readU32(made(words)),
  readAll: async (device, w, words, made) => readAll([tensor(device, [1]), made(w), words]),
  'making a step': async (device, w, _, made) => (await step(device, {}, () => add(made(w), w))).dispose(),
  'making a step in check mode': async (device, w, _, made) =>
    (await step(device, {}, () => add(made(w), w), { check: true })).dispose(),
  'a step with an input': async (device, w, _, made) => {
    using twice = await step(device, { x: [4, 4] }, ({ x }) => add(x, made(x)));
    return read(twice({ x: w }));
  },
  run: async (device, w, _, made) => run(device, () => add(made(w), w)),
  'run in check mode': async (device, w, _, made) => run(device, () => add(made(w), w), { check: true }),
  tune: async (device, w, _, made) => {
    await tune(device, () => matmul(made(w), w), { runs: 1, save: false });
  },
  'Segmenter.features': async (device, w, _, made) => {
    const model: SegmentingModel = {
      config: { image: 4, patch: 4, chans: 1 },
      segment: (x) => ({ segments: add(new Tensor(x.storage, [4, 4], 'f32'), made(w)), global: w, rollout: w }),
    };
    using segmenter = new Segmenter(device, model);
    await segmenter.features(image, 4, 4);
  },
};

type Class = abstract new (...args: never[]) => Error;
/** Of those that are `not` looked at, a read is on the device of what is read, and tuning looks at shapes only. */
const kinds: Record<
  string,
  { readonly made?: (x: Tensor) => Tensor; readonly class: Class; readonly not?: readonly string[] }
> = {
  'a freed tensor': { class: StepError, not: ['tune'] },
  'a tensor of another device': { class: StepError, not: ['read of a parameter', 'readU32'] },
  'more than there is memory': { made: huge, class: OutOfMemoryError },
  'a launch that is refused': { made: refused, class: KernelError, not: ['tune'] },
};

const rejected: unknown[] = [];
const hear = (reason: unknown) => rejected.push(reason);
const node = (globalThis as { process?: { on?(name: string, hear: (reason: unknown) => void): void } }).process;
node?.on?.('unhandledRejection', hear);

describe('what goes wrong is an error of that call, and the next is right', () => {
  let shared: Device | undefined;
  let other: Device | undefined;
  afterAll(() => {
    shared?.dispose();
    other?.dispose();
    expect(rejected).toEqual([]);
  });

  for (const [kind, { made = same, class: wanted, not }] of Object.entries(kinds)) {
    for (const [name, call] of Object.entries(entries)) {
      if (not?.includes(name)) continue;
      it(`${kind}: ${name}`, async () => {
        const device = (shared ??= await open());
        const good = variable(device, [4, 4], sixteen);
        const words = variable(device, [4, 4], new Uint32Array(16));
        let bad: readonly [Tensor, Tensor] = [
          variable(device, [4, 4], sixteen),
          variable(device, [4, 4], new Uint32Array(16)),
        ];
        if (kind === 'a tensor of another device') {
          other ??= await open();
          bad = [variable(other, [4, 4], sixteen), variable(other, [4, 4], new Uint32Array(16))];
        }
        if (kind === 'a freed tensor') bad.forEach(free);
        // Twice, so that the second is noticed too; with a right call after each.
        for (let round = 0; round < 2; round++) {
          const error = await call(device, bad[0], bad[1], made).then(
            () => 'it did not fail',
            (error: Error) => error,
          );
          expect(error, String(error)).toBeInstanceOf(wanted);
          await device.settle();
          if (name !== 'tune') await call(device, good, words, same);
          expect([...(await read(add(good, good)))]).toEqual(doubled);
          await device.settle();
        }
        for (const t of [good, words, ...bad]) free(t);
      });
    }
  }

  it('a step whose tensor was freed, moved, or whose input is no more', async () => {
    const device = (shared ??= await open());
    const [w, moved] = [variable(device, [16], sixteen), variable(device, [16], sixteen)];
    using first = await step(device, {}, () => add(w, w));
    using second = await step(device, {}, () => add(moved, moved));
    using third = await step(device, { x: [16] }, ({ x }) => add(x, x));
    free(w);
    flattenParameters(device, [['moved', moved]]);
    for (let round = 0; round < 2; round++) {
      expect(() => first({})).toThrowErrorMatchingInlineSnapshot(
        `[StepError: step: accumulate: the memory of a tensor [16] was freed]`,
      );
      expect(() => second({})).toThrowErrorMatchingInlineSnapshot(
        `[StepError: step: accumulate: the memory of a tensor [16] was moved by an optimizer; make the step after that]`,
      );
      expect(() => third({ x: w })).toThrowErrorMatchingInlineSnapshot(
        `[StepError: step: input 'x' must be f32 [16]; got a tensor whose memory was freed]`,
      );
      expect(() => write(w, sixteen)).toThrowErrorMatchingInlineSnapshot(
        `[StepError: write: the memory of this tensor [16] was freed]`,
      );
      expect([...(await read(third({ x: moved })))]).toEqual(doubled);
    }
    await device.settle();
  });

  it('a command of nobody that is refused is told once, by what was on its way or by the next call', async () => {
    const device = (shared ??= await open());
    const w = variable(device, [16], sixteen);
    const told = /^the GPU rejected a command: /;
    device.gpu.createBuffer({ size: 16, usage: 0x1 | 0x80 });
    await expect(device.settle()).rejects.toThrow(told);
    expect([...(await read(add(w, w)))]).toEqual(doubled);
    // A browser may have sent the values before it sends the command: then they are right, and the next call tells.
    for (let round = 0; round < 20; round++) {
      const reading = read(add(w, w));
      device.gpu.createBuffer({ size: 16, usage: 0x1 | 0x80 });
      const outcome = await reading.then((values) => [...values], String);
      if (Array.isArray(outcome)) {
        expect(outcome).toEqual(doubled);
        await expect(device.settle()).rejects.toThrow(told);
      } else expect(outcome).toMatch(/: the GPU rejected a command: /);
      await device.settle();
      expect([...(await read(add(w, w)))]).toEqual(doubled);
    }
    await device.settle();
  });

  it('memory that was refused is an error wherever it is used, and nowhere else', async () => {
    const device = (shared ??= await open());
    const w = variable(device, [16], sixteen);
    // As a GPU without memory does it: there is a buffer, which is none, and word of it comes later.
    const { gpu } = device;
    const [create, pop] = [gpu.createBuffer, gpu.popErrorScope];
    const full = (body: () => Tensor) => {
      gpu.createBuffer = (descriptor) => {
        gpu.createBuffer = create;
        gpu.pushErrorScope('validation');
        const buffer = gpu.createBuffer({ ...descriptor, usage: 0x1 | 0x80 });
        const refusal = pop.call(gpu);
        gpu.popErrorScope = () => {
          gpu.popErrorScope = pop;
          return pop.call(gpu).then(() => refusal);
        };
        return buffer;
      };
      return body();
    };
    const bad = full(() => variable(device, [16], sixteen));
    await expect(read(bad)).rejects.toThrow(OutOfMemoryError);
    await expect(read(add(bad, w))).rejects.toThrow(OutOfMemoryError);
    expect(() => write(bad, sixteen)).toThrow(OutOfMemoryError);
    await expect(step(device, {}, () => add(bad, w))).rejects.toThrow(OutOfMemoryError);
    expect([...(await read(add(w, w)))]).toEqual(doubled);
    await device.settle();
  });

  it('a kernel that does not compile is compiled again when it is asked for', async () => {
    const device = (shared ??= await open());
    const x = tensor(device, [1]);
    const broken = kernel({
      name: 'broken',
      bind: { y: 'write f32' },
      grid: () => [1],
      wgsl: 'fn main() { y[0] = what; }',
    });
    for (let round = 0; round < 3; round++) {
      const y = empty(x);
      dispatch(broken, { y }, {});
      await expect(read(y)).rejects.toThrow(KernelError);
      expect([...(await read(add(x, x)))]).toEqual([2]);
    }
    await device.settle();
  });
});

describe('a device that goes away', () => {
  const ends: Record<string, (device: Device) => unknown> = {
    'is disposed': (device) => device.dispose(),
    'is lost': (device) => device.gpu.destroy(),
  };
  for (const [end, go] of Object.entries(ends)) {
    for (const name of [...Object.keys(entries), 'finished']) {
      it(`${end}: ${name}`, async () => {
        const call = entries[name] ?? (async (device: Device) => device.finished());
        // Before the call, at once after it, and a few turns later: after each of its pauses, as far as one can aim.
        for (const turns of [-1, 0, 1, 3]) {
          const device = await open();
          const w = variable(device, [4, 4], sixteen);
          const words = variable(device, [4, 4], new Uint32Array(16));
          if (turns < 0) {
            go(device);
            await device.gpu.lost;
          }
          const outcome = call(device, w, words, same).then(
            () => undefined,
            (error: Error) => error,
          );
          for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve, 2));
          if (turns >= 0) go(device);
          const error = await outcome;
          if (error) expect(error, String(error)).toBeInstanceOf(DeviceError);
          else expect(turns, 'no error, though the device was gone before').toBeGreaterThanOrEqual(0);
          await expect((async () => read(add(w, w)))()).rejects.toThrow(DeviceError);
          device.dispose();
          device.dispose();
        }
      });
    }
  }

  it('leaves nothing that waits for it: many reads, some of them awaited by nobody', async () => {
    for (const go of Object.values(ends)) {
      const device = await open();
      const w = variable(device, [16], sixteen);
      using made = await step(device, { x: [16] }, ({ x }) => add(x, w), { check: true });
      const reads = [read(w), read(add(w, w)), read(made({ x: w })), readAll([w, add(add(w, w), w)])];
      made({ x: w });
      go(device);
      await expect(reads[0]).rejects.toThrow(DeviceError);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(rejected).toEqual([]);
  });
});

describe('a segmenter', () => {
  it('keeps no step that failed, and few of those that did not', async () => {
    using device = await open();
    let isBroken = true;
    const model: SegmentingModel = {
      config: { image: 4, patch: 1, chans: 1 },
      segment: (x) => {
        if (isBroken) throw new RangeError('no');
        const y = add(x, x);
        return { segments: y, global: y, rollout: y };
      },
    };
    const segmenter = new Segmenter(device, model);
    const sized = (n: number) => segmenter.features(new Float32Array(4 * n).fill(n), 4, n);
    const failed = sized(1);
    await expect(sized(1)).rejects.toThrow('no');
    await expect(failed).rejects.toThrow('no');
    isBroken = false;
    expect((await sized(1)).global).toEqual(new Float32Array(4).fill(2));
    await sized(2);
    const used = device.bytes;
    for (let round = 0; round < 2; round++) {
      const found = await Promise.all(Array.from({ length: 20 }, (_, i) => sized(i + 1)));
      for (const [i, { global }] of found.entries()) {
        expect(global).toEqual(new Float32Array(4 * (i + 1)).fill(2 * (i + 1)));
      }
    }
    expect(device.bytes).toBeLessThan(used + 100_000);
    isBroken = true;
    const waiting = sized(30).catch((error: Error) => error);
    segmenter.dispose();
    expect(await waiting).toBeInstanceOf(Error);
    await expect(sized(1)).rejects.toThrow('segmenter: it was disposed; make another');
    expect(rejected).toEqual([]);
  });
});

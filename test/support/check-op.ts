import { describe, expect, it } from 'vitest';
import { gradients } from '../../src/kernels/elementwise/gradients.ts';
import { tensor } from '../../src/tensor/graph/host-tensors.ts';
import type { Tensor } from '../../src/tensor/graph/tensor.ts';
import { read, readAll } from '../../src/tensor/run/read.ts';
import { step } from '../../src/tensor/run/step.ts';
import { type Shape, size } from '../../src/tensor/values/shape.ts';
import { useDevice } from './device.ts';

/** A float64 tensor of the reference. */
export interface Ref {
  readonly shape: Shape;
  readonly data: Float64Array;
}

export function ref(shape: Shape, data: ArrayLike<number>): Ref {
  return { shape, data: new Float64Array(data) };
}

export interface OpCase {
  /** Shapes of the inputs. */
  readonly shapes: readonly Shape[];
  /** Values of the inputs; default: normal, seeded. */
  readonly values?: (input: number, i: number, random: () => number) => number;
}

export interface OpCheck {
  /** Plain float64 TypeScript that a reader can verify by eye. */
  readonly reference: (inputs: readonly Ref[], cases: OpCase) => Ref;
  /** Shapes that hurt: one element, not a multiple of the workgroup, larger than one, a two-dimensional grid. */
  readonly cases: readonly (OpCase | readonly Shape[])[];
  /** Relative to the largest magnitude of the compared tensor. Defaults: forward 1e-6, gradient 1e-5. */
  readonly tolerance?: { readonly forward?: number; readonly gradient?: number };
  /** Inputs without gradient, by index. */
  readonly constant?: readonly number[];
  /** Values of all cases that give none of their own. */
  readonly values?: OpCase['values'];
}

/** How many elements of a gradient are compared with differences; the others only have to be finite. */
const SAMPLES = 24;

/**
 * Checks an op: shape, dtype, values, every element written, and the gradient of every input against central differences
 * **of the float64 reference** (differences of a float32 forward would be noise).
 */
export function checkOp(
  name: string,
  op: (...inputs: Tensor[]) => Tensor,
  { reference, cases, tolerance = {}, constant = [], values: defaultValues }: OpCheck,
): void {
  const device = useDevice();
  describe(name, () => {
    for (const entry of cases) {
      const one: OpCase = 'shapes' in entry ? entry : { shapes: entry };
      const values = one.values ?? defaultValues ?? ((_input, _i, random) => normal(random));
      it(one.shapes.map((shape) => `[${shape.join(',')}]`).join(' '), async () => {
        const random = seeded(one.shapes.flat().reduce((a, b) => a * 31 + b, 7) + name.length);
        const inputs = one.shapes.map((shape, input) =>
          ref(
            shape,
            Float32Array.from({ length: size(shape) }, (_, i) => values(input, i, random)),
          ),
        );
        const xs = inputs.map((x) => tensor(device.current, Float32Array.from(x.data), x.shape));
        const want = reference(inputs, one);

        // In check mode, so that an element that no kernel writes is NaN.
        using checked = await step(device.current, {}, () => op(...xs), { check: want.data.every(Number.isFinite) });
        const y = checked({});
        expect(y.shape).toEqual(want.shape);
        expect(y.dtype).toBe('f32');
        close(await read(y), want.data, tolerance.forward ?? 1e-6, 'forward');

        const wrt = xs.map((_, i) => i).filter((i) => !constant.includes(i));
        if (wrt.length === 0 || want.data.length === 0) return;
        const dy = ref(
          want.shape,
          Float32Array.from(want.data, () => normal(random)),
        );
        const grads = await readAll(
          gradients(
            op(...xs),
            wrt.map((i) => xs[i] as Tensor),
            tensor(device.current, Float32Array.from(dy.data), dy.shape),
          ),
        );
        wrt.forEach((input, n) => {
          const got = grads[n] as Float32Array;
          expect(got.length, `gradient of input ${input}`).toBe(size(one.shapes[input] as Shape));
          expect(got.every(Number.isFinite), `gradient of input ${input} is finite`).toBe(true);
          const at = sample(got.length, random);
          const wanted = at.map((i) => difference(reference, one, inputs, input, i, dy));
          const scale = got.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
          close(
            Float32Array.from(at, (i) => got[i] as number),
            wanted,
            tolerance.gradient ?? 1e-5,
            `gradient of input ${input}`,
            scale,
          );
        });
      });
    }
  });
}

/** d(sum(y·dy))/dx[i] by a central difference, of each element by itself: so none is lost in the sum of all, and the step can be small. */
function difference(
  reference: OpCheck['reference'],
  one: OpCase,
  inputs: readonly Ref[],
  input: number,
  i: number,
  dy: Ref,
): number {
  const x = inputs[input] as Ref;
  const value = x.data[i] as number;
  const h = 1e-5 * Math.max(1, Math.abs(value));
  const moved = inputs.with(input, ref(x.shape, x.data));
  const at = (to: number) => {
    (moved[input] as Ref).data[i] = to;
    return reference(moved, one).data;
  };
  // A reference may give its input back.
  const [above, below] = [at(value + h).slice(), at(value - h)];
  let sum = 0;
  for (let k = 0; k < above.length; k++) sum += ((above[k] as number) - (below[k] as number)) * (dy.data[k] as number);
  return sum / (2 * h);
}

function sample(length: number, random: () => number): number[] {
  if (length <= SAMPLES) return Array.from({ length }, (_, i) => i);
  const chosen = new Set([0, length - 1]);
  while (chosen.size < SAMPLES) chosen.add(Math.floor(random() * length));
  return [...chosen];
}

/** Fails unless `max |got − want| ≤ tolerance · max(|want|, scale)`. */
export function close(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  what: string,
  scale = 0,
): void {
  expect(got.length, `${what}: number of values`).toBe(want.length);
  let top = scale;
  for (let i = 0; i < want.length; i++) if (Number.isFinite(want[i])) top = Math.max(top, Math.abs(want[i] as number));
  for (let i = 0; i < want.length; i++) {
    const [g, w] = [got[i] as number, want[i] as number];
    if (Object.is(g, w) || g === w) continue;
    if (!(Math.abs(g - w) <= tolerance * Math.max(top, 1e-30))) {
      throw new Error(
        `${what}: element ${i} is ${g}, expected ${w} (largest magnitude ${top}, tolerance ${tolerance})`,
      );
    }
  }
}

/** Uniform numbers in [0, 1), the same on every platform (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

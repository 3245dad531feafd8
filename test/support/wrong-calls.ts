import { Device, ZeroSegError } from '../../src/gpu/index.ts';
import { tensor } from '../../src/tensor/graph/index.ts';
import type { DType, Shape } from '../../src/tensor/values/index.ts';

// What a program in plain JavaScript, or one that was ported from Python, gives a function by mistake: positional options, lists and
// numbers for tensors, promises that nobody awaited, nothing. The function says so by its own name, and never takes it for something else.

/** A tensor, by its shape and dtype. */
interface Given {
  readonly of: Shape;
  readonly dtype: DType;
}
export const f = (...of: Shape): Given => ({ of, dtype: 'f32' });
export const i = (...of: Shape): Given => ({ of, dtype: 'u32' });
export const b = (...of: Shape): Given => ({ of, dtype: 'bool' });
export const dev = 'the device';

/** Any other thing that a function takes, made anew for every call; `taken` are kinds of wrong values that may stand in its place. */
export class Thing {
  readonly name: string;
  readonly make: (device: Device) => unknown;
  readonly wrong: readonly unknown[];

  constructor(name: string, make: (device: Device) => unknown, wrong: readonly unknown[]) {
    this.name = name;
    this.make = make;
    this.wrong = wrong;
  }
}

const isGiven = (value: unknown): value is Given => typeof value === 'object' && value !== null && 'of' in value;

/** What the table says, as it is given. */
export function made(device: Device, value: unknown): unknown {
  if (value === dev) return device;
  if (value instanceof Thing) return value.make(device);
  if (Array.isArray(value)) return value.map((one) => made(device, one));
  if (!isGiven(value)) return value;
  const values = new Array(value.of.reduce((p, q) => p * q, 1)).fill(value.dtype === 'f32' ? 0.5 : 1);
  return tensor(device, values, value.of, value.dtype);
}

/** What nothing is, but where it may be left out. */
const never = [null, 'left', { nonsense: 0 }, Promise.resolve(1), () => 1];
/** What stands in the place of an argument, by what that is; and what may do so in some functions. */
function wrong(value: unknown): { readonly always: readonly unknown[]; readonly sometimes: readonly unknown[] } {
  if (value instanceof Thing) return { always: value.wrong, sometimes: [undefined] };
  if (isGiven(value)) return { always: [...never, true, [1, 2], new Float32Array(2)], sometimes: [undefined, 0, 0.5] };
  if (value === dev) return { always: [...never, undefined, [2], 5, f(2)], sometimes: [] };
  if (typeof value === 'number') {
    return { always: [...never, [0], f(2), '1'], sometimes: [undefined, true, Number.NaN, 0.5, -7] };
  }
  if (Array.isArray(value)) {
    return { always: [...never, true, f(2), ['a'], [null], [undefined], [0.5]], sometimes: [undefined, [], 5] };
  }
  if (typeof value === 'function') {
    return { always: [null, 'left', { nonsense: 0 }, Promise.resolve(1), 5, [1], f(2)], sometimes: [undefined, true] };
  }
  if (typeof value === 'object') {
    const others = ['left', () => 1, true, 5, [0], f(2), new Map(), new Float32Array(2)];
    return { always: [null, Promise.resolve(1), { nonsense: 0 }, ...others], sometimes: [undefined] };
  }
  return { always: [...never, 5, [2], f(2)], sometimes: [undefined, true] };
}

const isOptions = (value: unknown): boolean => Object.getPrototypeOf(value) === Object.prototype && !isGiven(value);

const shown = (value: unknown): string => {
  if (isGiven(value)) return `${value.dtype} [${value.of}]`;
  if (Array.isArray(value)) return `[${value.map(shown)}]`;
  if (value instanceof Thing) return value.name;
  if (value instanceof Promise) return 'a promise';
  if (typeof value === 'function') return 'a function';
  return (!/Object|Array/.test(String(value?.constructor.name)) && `${value}`) || (JSON.stringify(value) ?? `${value}`);
};

/** Calls and what came of them, where that is not as it must be. */
export async function faultsOf(
  device: Device,
  call: (...xs: never[]) => unknown,
  args: readonly unknown[],
  {
    says,
    taken = [],
    isSafe = true,
    isVariadic = false,
  }: {
    /** How its errors begin. */
    readonly says: RegExp;
    /** Wrong arguments that it takes on purpose, as `place value`; or `nothing`. */
    readonly taken?: readonly string[] | undefined;
    /** Whether the right call can be made as well. */
    readonly isSafe?: boolean;
    /** Whether any number of arguments may follow, each of which counts. */
    readonly isVariadic?: boolean;
  },
): Promise<string[]> {
  const faults: string[] = [];
  const thrown = async (xs: readonly unknown[]): Promise<unknown> => {
    try {
      const result = await (call as (...xs: unknown[]) => unknown)(...xs.map((x) => made(device, x)));
      if (result instanceof Device) result.dispose();
    } catch (error) {
      return error;
    }
    return undefined;
  };
  const written = (xs: readonly unknown[]) => `(${xs.map(shown).join(', ')})`;
  const refuse = async (xs: readonly unknown[], must: boolean) => {
    const error = await thrown(xs);
    const isOwn = error instanceof ZeroSegError && says.test(error.message);
    const isReadable = !/\[object |=>|Cannot read|undefined \(/.test(`${error}`);
    if (error === undefined ? must : !isOwn || !isReadable) faults.push(`${written(xs)} → ${error ?? 'taken'}`);
    return error;
  };
  const take = async (xs: readonly unknown[]) => {
    const error = isSafe && (await thrown(xs));
    if (error) faults.push(`${written(xs)} → ${error}`);
  };
  await take(args);
  // What is left out, and what is given as undefined, is the same: programs hand on arguments that they did not get.
  if (!isVariadic) await take([...args, undefined]);
  for (let n = args.length - 1; n >= 0; n--) {
    // Options alone may be left out.
    const isNothing = n === 0 && !isOptions(args[0]) && !taken.includes('nothing');
    const error = await refuse(args.slice(0, n), isNothing);
    if (error === undefined && !isVariadic)
      await take([...args.slice(0, n), ...Array(args.length - n).fill(undefined)]);
  }
  for (const [k, value] of args.entries()) {
    const { always, sometimes } = wrong(value);
    for (const other of always) await refuse(args.with(k, other), !taken.includes(`${k} ${shown(other)}`));
    for (const other of sometimes) await refuse(args.with(k, other), false);
  }
  return faults;
}

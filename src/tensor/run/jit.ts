/// <reference lib="esnext.disposable" preserve="true" />
import { type Device, heard, ZeroSegError } from '../../gpu/index.ts';
import { checkDevice, checkFunction, checkOptions, defaultType, ownShape, Tensor } from '../graph/index.ts';
import { type DType, formatShape, type Shape, StepError } from '../values/index.ts';
import { KeptSteps } from './kept-steps.ts';
import type { Results } from './results.ts';
import { type Step, type StepOptions, step } from './step.ts';
import type { InputValue } from './step-input.ts';

export interface JitOptions extends StepOptions {
  /** How many steps are kept, each for other shapes. Beyond, the one that was used longest ago is let go. Default 8. */
  readonly keep?: number;
}

/** A function of tensors that is compiled for the shapes that it is called with. */
export interface Jit<R extends Results = Results> extends Disposable {
  (...inputs: InputValue[]): Promise<R>;
  /** Steps that are there now, by the shapes of their inputs. */
  shapes(): readonly string[];
  dispose(): void;
}

/** Steps that are kept where nothing is said. */
const KEEP = 8;

/**
 * Makes a function that runs `body` as a {@link step}, and makes that step by itself for each new set of shapes: last batches,
 * evaluation and texts of varying lengths need no thought. Inputs come one by one: tensors that have values, numbers, nested lists or typed arrays
 * (one axis).
 *
 * ```ts
 * const predict = jit(device, (x) => softmax(linear(x, w)));
 * console.log(await read(await predict([[1, 2], [3, 4]]))); // made for [2, 2]
 * console.log(await read(await predict([[5, 6]]))); //          made for [1, 2]
 * ```
 *
 * Numbers and lists of them are f32. Classes, ids and keys are a `Uint32Array`, or a tensor:
 *
 * ```ts
 * const loss = jit(device, (x, classes, key) => crossEntropy(linear(dropout(x, key, 0.1), w), classes));
 * await loss([[1, 2], [3, 4]], new Uint32Array([1, 0]), new Uint32Array([7, 1]));
 * ```
 *
 * As in a step, `body` only records, and does so twice for every set of shapes: what changes between calls must be an input, and weights that it
 * writes must be variables. A result holds until the next call for the same shapes, and while its step is kept: read it, use it as an input,
 * or keep it by `evaluate` before. After that it is an error to use it.
 *
 * @throws StepError when inputs are missing, come by name or are no values, or the body does not repeat itself.
 */
export function jit<R extends Results>(
  device: Device,
  body: (...inputs: Tensor[]) => R,
  options: JitOptions = {},
): Jit<R> {
  checkDevice('jit', device);
  checkFunction('jit', 'the body', body);
  checkOptions('jit', options, ['keep', 'name', 'check', 'time']);
  const { keep = KEEP, name = body.name || 'jit', ...rest } = options;
  if (!(Number.isInteger(keep) && keep > 0)) {
    throw new StepError(`${name}: keep must be a whole number of steps, at least 1; got ${keep}`);
  }
  const steps = new KeptSteps<Step<string, R>>(keep);
  const call = async (given: readonly (InputValue | undefined)[]): Promise<R> => {
    // What is handed on without a value is nothing.
    const inputs = given.slice(0, given.findLastIndex((value) => value !== undefined) + 1) as InputValue[];
    if (inputs.length < body.length) {
      throw new StepError(
        `${name}: takes ${body.length === 1 ? 'one input' : `${body.length} inputs`}; got ${inputs.length}`,
      );
    }
    inputs.forEach((value, i) => void checkInput(name, value, i));
    const specs = inputs.map(specOf);
    const key = specs
      .map(({ shape, dtype }) => `${dtype === 'f32' ? '' : `${dtype} `}${formatShape(shape)}`)
      .join(', ');
    const make = () =>
      compile(device, body, specs, { name, ...rest }).catch((error: unknown) => {
        throw withRemedy(error, inputs);
      });
    return steps.use(key, make, async (run) =>
      run(Object.fromEntries(inputs.map((value, i) => [String(i + 1), value]))),
    );
  };
  return Object.assign((...inputs: InputValue[]) => heard(call(inputs)), {
    shapes: () => steps.keys(),
    // What Node's console prints.
    [Symbol.for('nodejs.util.inspect.custom')]: () => {
      const made = steps.keys().map((shapes) => shapes || 'no inputs');
      return `Jit '${name}' (${made.length > 0 ? `steps for ${made.join('; ')}` : 'no steps yet'})`;
    },
    dispose: () => steps.dispose(),
    [Symbol.dispose]: () => steps.dispose(),
  });
}

interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What input a value is for. Whether it is one at all, the call of the step finds. */
function specOf(value: InputValue): Spec {
  return value instanceof Tensor ? value : { shape: ownShape(value), dtype: defaultType(value) };
}

/** @throws StepError when inputs come by name, as those of a step do. */
function checkInput(name: string, value: InputValue, i: number): void {
  const isPlain = Object.prototype.toString.call(value) === '[object Object]' && !(value instanceof Tensor);
  if (!isPlain) return;
  const keys = Object.keys(value).join(', ');
  throw new StepError(
    `${name}: inputs of a jit come one by one, as f(x, y), and its body takes them so; got { ${keys} } as '${i + 1}'`,
  );
}

/** What an op says that wants whole numbers and was given the f32 of a list: what to give instead is added. */
function withRemedy(error: unknown, inputs: readonly InputValue[]): unknown {
  const isList = (value: InputValue) => !(value instanceof Tensor || ArrayBuffer.isView(value));
  const isOfTypes = error instanceof ZeroSegError && /\b[ui]32\b/.test(error.message);
  if (!isOfTypes || !inputs.some((value) => isList(value) && defaultType(value) === 'f32')) return error;
  const message = `${error.message} (a list is f32 to jit: give a Uint32Array or tensor(...))`;
  // The stack, which Node prints, begins with the message.
  if (error.stack) error.stack = error.stack.replace(error.message, () => message);
  error.message = message;
  return error;
}

/** A step for one set of shapes. */
function compile<R extends Results>(
  device: Device,
  body: (...inputs: Tensor[]) => R,
  specs: readonly Spec[],
  options: StepOptions,
): Promise<Step<string, R>> {
  const inputs = Object.fromEntries(specs.map(({ shape, dtype }, i) => [String(i + 1), { shape, dtype }]));
  const named = (tensors: Readonly<Record<string, Tensor>>) => specs.map((_, i) => tensors[String(i + 1)] as Tensor);
  return step(device, inputs, (tensors) => body(...named(tensors)), options);
}

import type { GPUBuffer, GPUCommandEncoder } from '../../gpu/index.ts';
import { type Memory, memoryOf, Tensor } from '../graph/index.ts';
import {
  arrays,
  type Bits,
  checkShape,
  counted,
  type DType,
  describe,
  dtypeRule,
  formatShape,
  fromHost,
  type HostValues,
  isDType,
  type Shape,
  StepError,
  sameShape,
} from '../values/index.ts';
import type { StepProgram } from './step-program.ts';

/** An input of a step: a shape (f32), or a shape with a dtype. */
export type InputSpec = Shape | { readonly shape: Shape; readonly dtype: DType };

/**
 * The value of an input at a call: host values, or a tensor of its shape and dtype that has values (a result of a step, a variable,
 * a constant).
 */
export type InputValue = HostValues | Tensor;

/** The shape and the dtype of an input; `input` names it in messages. */
export function inputSpec(input: string, spec: InputSpec): { readonly shape: Shape; readonly dtype: DType } {
  const full = (typeof spec === 'object' && spec !== null && 'shape' in spec ? spec : { shape: spec }) as {
    readonly shape: Shape;
    readonly dtype?: DType;
  };
  const { shape, dtype = 'f32' } = full;
  checkShape(input, shape);
  if (!isDType(dtype)) throw new StepError(`${input}: ${dtypeRule}; got ${describe(dtype)}`);
  return { shape, dtype };
}

/** One input of a step, and how its values get to where the program reads them. */
export class StepInput {
  readonly key: string;
  readonly #step: string;
  readonly #placeholder: Tensor;
  readonly #size: number;
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #offset: number;
  readonly #refuse = (found: string) => this.#complaint('must be ', ` (${counted(this.#size)}); got ${found}`);
  /** Where numbers and lists are laid out, made when the first comes. */
  #typed: Bits | undefined;

  constructor(step: string, key: string, placeholder: Tensor, program: StepProgram) {
    const { buffer, offset } = program.memoryOf(placeholder.storage);
    this.key = key;
    this.#step = step;
    this.#placeholder = placeholder;
    this.#size = placeholder.size;
    this.#queue = program.device.gpu.queue;
    this.#buffer = buffer;
    this.#offset = offset;
  }

  /** Writes the value of a call to where the program reads it; what lies on the GPU is copied by commands of `encoder`. */
  upload(value: InputValue | undefined, encoder: GPUCommandEncoder): void {
    const { dtype, shape } = this.#placeholder;
    if (value === undefined) throw this.#complaint('is missing; expected ');
    let data: Bits;
    this.#placeholder.storage.inputValue = value instanceof Tensor ? value : undefined;
    if (value instanceof Tensor) {
      const from = this.#bytesOf(value);
      if (!('buffer' in from)) data = from.data;
      else {
        // f16 may end in half a word, which is copied with it: memory ends at whole ones.
        const bytes = Math.ceil(value.storage.bytes / 4) * 4;
        if (bytes > 0) encoder.copyBufferToBuffer(from.buffer, from.offset, this.#buffer, this.#offset, bytes);
        return;
      }
    } else {
      if (dtype !== 'f16' && !ArrayBuffer.isView(value)) {
        this.#typed ??= new arrays[dtype](this.#size);
      }
      data = fromHost(value, dtype, shape, this.#refuse, this.#typed);
    }
    if (this.#size > 0) this.#queue.writeBuffer(this.#buffer, this.#offset, data as GPUAllowSharedBufferSource);
  }

  /** Where the values of a tensor are: on the GPU, or, of a constant, on the host. */
  #bytesOf(value: Tensor): Memory | { readonly data: Bits } {
    const { dtype, shape, device } = this.#placeholder;
    const { root } = value.storage;
    if (value.device !== device) {
      throw this.#complaint('must be ', `; got a tensor of another device; read it and pass the values`);
    }
    if (value.dtype !== dtype || !sameShape(value.shape, shape)) {
      throw this.#complaint('must be ', `; got ${value.dtype} ${formatShape(value.shape)}`);
    }
    if (root.data) return { data: root.data };
    const memory = memoryOf(value.storage);
    if (memory || value.size === 0) return memory ?? { data: new Float32Array(0) };
    const remedy = {
      recorded: 'an op result, which has no values yet; pass what read() gives, or return it from a step',
      input: 'an input of a step, which has no value outside of a call',
      variable: `a tensor whose memory ${root.lost}`,
    }[root.kind as 'recorded' | 'input' | 'variable'];
    throw this.#complaint('must be ', `; got ${remedy}`);
  }

  #complaint(rule: string, found = ''): StepError {
    const { dtype, shape } = this.#placeholder;
    return new StepError(`${this.#step}: input '${this.key}' ${rule}${dtype} ${formatShape(shape)}${found}`);
  }
}

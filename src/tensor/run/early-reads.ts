import type { GPUCommandEncoder } from '../../gpu/index.ts';
import type { Tensor } from '../graph/index.ts';
import type { HostArray } from '../values/index.ts';
import type { Shared } from './on-demand.ts';
import type { Bound } from './program.ts';
import type { Results } from './results.ts';
import type { StepProgram } from './step-program.ts';

/** Those of a step. */
interface EarlyOptions<R extends Results> {
  readonly readEarly?: ((results: R) => readonly Tensor[]) | undefined;
  readonly check?: boolean;
  readonly time?: boolean;
}

/** Tensors that have their values before launch `end`. */
interface Part {
  readonly end: number;
  readonly tensors: readonly number[];
}

/**
 * Reads tensors of a program as soon as the launch that writes them last has run. A read ends when the GPU has done what was submitted
 * before it and with it, so a call is cut into as many submissions as there are moments at which something is to be read.
 */
export class EarlyReads<R extends Results> {
  readonly #name: string;
  readonly #program: StepProgram;
  readonly #tensors: readonly Tensor[];
  readonly #parts: readonly Part[];
  readonly #hostArray: Shared['hostArray'];
  /** Those of the last run, in the order of the tensors. */
  values: readonly Promise<HostArray>[] = [];

  constructor(
    name: string,
    program: StepProgram,
    { readEarly = () => [], check, time }: EarlyOptions<R>,
    results: R,
    { StepError, writes, hostArray }: Shared,
  ) {
    if (check || time) throw new StepError(`${name}: readEarly goes with neither check nor time`);
    const tensors = readEarly(results);
    this.#name = name;
    this.#program = program;
    this.#tensors = tensors;
    this.#hostArray = hostArray;
    const parts = new Map<number, number[]>();
    tensors.forEach(({ storage, size, dtype }, i) => {
      if (dtype === 'f16') throw new StepError(`${name}: readEarly: tensor ${i} is f16; give it as f32`);
      const [from, to] = [storage.rootOffset, storage.rootOffset + storage.bytes];
      const last = program.launches.findLastIndex((launch) =>
        launch.tensors.some(
          ({ storage: other }, at) =>
            other.root === storage.root &&
            other.rootOffset < to &&
            other.rootOffset + other.bytes > from &&
            writes(launch, at),
        ),
      );
      if (last < 0 || size === 0) {
        throw new StepError(
          `${name}: readEarly: tensor ${i} is written by no launch of this step; read it with read()`,
        );
      }
      parts.set(last + 1, [...(parts.get(last + 1) ?? []), i]);
    });
    this.#parts = [...parts].map(([end, own]) => ({ end, tensors: own })).sort((a, b) => a.end - b.end);
  }

  /**
   * Gives the GPU the program up to the last tensor, behind what is in `encoder`; returns an encoder with the rest, which is to be submitted.
   */
  encode(encoder: GPUCommandEncoder): GPUCommandEncoder {
    const { device } = this.#program;
    const label = this.#name;
    const values = new Array<Promise<HostArray>>(this.#tensors.length);
    let from = 0;
    const encode = (to: number): void => {
      const pass = encoder.beginComputePass({ label });
      for (; from < to; from++) {
        const { launch, pipeline, group } = this.#program.bound[from] as Bound;
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...launch.grid);
      }
      pass.end();
    };
    for (const { end, tensors } of this.#parts) {
      encode(end);
      const ranges = tensors.map((i) => {
        const { storage } = this.#tensors[i] as Tensor;
        return { ...this.#program.memoryOf(storage), bytes: storage.bytes };
      });
      const read = device.readBack(encoder, ranges);
      tensors.forEach((i, at) => {
        values[i] = read.then((bytes) => this.#hostArray(this.#tensors[i] as Tensor, bytes[at] as ArrayBuffer));
        // Whoever waits for it hears of it.
        values[i].catch(() => undefined);
      });
      encoder = device.gpu.createCommandEncoder({ label });
    }
    if (from < this.#program.launches.length) encode(this.#program.launches.length);
    this.values = values;
    return encoder;
  }
}

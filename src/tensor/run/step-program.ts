import type { CompiledKernel, Device, GPUBuffer, GPUComputePassEncoder } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, type Storage, type Tensor } from '../graph/index.ts';
import { formatShape, StepError } from '../values/index.ts';
import { pageParts } from './lifetimes.ts';
import { type Laid, layOut, release } from './memory-layout.ts';
import { peakBytes, plan } from './plan.ts';
import { allocated, type Bound, bind, compileAll, memoryIn, type Replay, refusedError } from './program.ts';

/** What a program takes of GPU memory, in bytes. */
export interface MemoryUse {
  /** Slots for intermediates and inputs as the plan lays them, shared with other steps of the device. */
  readonly planned: number;
  /** The most bytes of them that are alive at one launch: no plan can do with less. */
  readonly needed: number;
  /** The buffers that hold those slots: equal to `planned` unless larger ones of other steps are reused. */
  readonly slots: number;
  /** What the step returns, and constants. */
  readonly own: number;
  readonly uniforms: number;
  /** What all intermediates would take if none shared memory. */
  readonly unplanned: number;
}

/** The program of a step. */
export class StepProgram {
  readonly device: Device;
  readonly memory: MemoryUse;
  readonly #replay: Replay;
  /** By their numbers, as they run. */
  readonly #order: Uint32Array;
  /** As they run: those of loops come again and again. */
  readonly bound: readonly Bound[];
  readonly launches: readonly Launch[];
  readonly #laid: Laid;
  /** A result that it reads of another step, whose next call writes it. */
  #ofAnother: Tensor | undefined;
  /** How many buffers of the device were destroyed at the last {@link verify}. */
  #verifiedAt = -1;

  /** Binds what was laid out; inside {@link Device.scoped}. Owns `laid` from then on. */
  constructor(device: Device, laid: Laid, compiled: readonly CompiledKernel[]) {
    this.device = device;
    const { listed, order = Uint32Array.from(listed.keys()), replay } = bind(device, laid, compiled);
    this.#order = order;
    this.#replay = replay;
    this.bound = Array.from(order, (i) => listed[i] as Bound);
    this.launches = this.bound.map(({ launch }) => launch);
    this.#laid = laid;
    this.memory = memoryUse(laid);
  }

  /**
   * Compiles, plans, binds, and has the GPU look at all commands once, so that nothing which it refuses is found out later.
   * `returned` are roots whose memory must be the program's own and survive it being replayed; `liveOut` ones (inputs) only survive to
   * the end of a call.
   */
  static async build(
    device: Device,
    launches: readonly Launch[],
    returned: ReadonlySet<Storage>,
    liveOut: ReadonlySet<Storage>,
  ): Promise<StepProgram> {
    device.check();
    const compiled = await compileAll(device, launches);
    device.alive();
    let laid: Laid | undefined;
    try {
      const { value: program, refusal } = device.scoped(() => {
        laid = layOut(device, launches, { returned, liveOut, partsOf: pageParts, planner: plan });
        const program = new StepProgram(device, laid, compiled);
        const encoder = device.gpu.createCommandEncoder({ label: 'rehearsal' });
        const pass = encoder.beginComputePass();
        program.#replay.encode(pass);
        pass.end();
        encoder.finish();
        return program;
      });
      const refused = await refusal;
      device.alive();
      await allocated(device, laid as Laid);
      program.verify('step');
      if (refused) throw refusedError(launches, refused);
      return program;
    } catch (error) {
      if (laid) release(device, laid);
      throw error;
    }
  }

  encode(pass: GPUComputePassEncoder): void {
    this.#replay.encode(pass, this.#order);
  }

  /** Throws if the memory of a tensor that launches use, and that is not the program's, was freed, moved or written by its own step since it was bound. */
  verify(name: string): void {
    if (this.#verifiedAt === this.device.destroyed && !this.#ofAnother) return;
    const { launches, memories, places } = this.#laid;
    launches.forEach(({ label, tensors }, i) => {
      tensors.forEach(({ shape, storage }, n) => {
        this.#ofAnother ??= storage.root.origin;
        const memory = memories.get(storage.root) ?? memoryOf(storage);
        if (memory && memory.buffer === places[i]?.[n]?.buffer) return;
        const what = `${name}: ${label}: the memory of a tensor ${formatShape(shape)}`;
        if (!memory) throw new StepError(`${what} ${storage.root.lost}`);
        throw new StepError(`${what} was moved by an optimizer; make the step after that`);
      });
    });
    this.#verifiedAt = this.device.destroyed;
  }

  /** Where a storage lies during a call of this program. */
  memoryOf(storage: Storage): Memory {
    const memory = memoryIn(this.#laid, storage);
    if (!memory) throw new Error('internal: a storage without memory');
    return memory;
  }

  /** The slots, which other programs write to between calls. */
  get slotBuffers(): readonly GPUBuffer[] {
    return this.#laid.slots.map((slot) => slot.buffer);
  }

  dispose(): void {
    release(this.device, this.#laid);
  }
}

function memoryUse({ planned, alive, slots, own, uniforms }: Laid): MemoryUse {
  return {
    planned: sum(planned),
    needed: peakBytes(alive),
    slots: sum(slots.map(({ buffer }) => buffer.size)),
    own: sum(own.filter((buffer) => buffer !== uniforms).map(({ size }) => size)),
    uniforms: uniforms?.size ?? 0,
    unplanned: sum(alive.map(({ bytes }) => bytes)),
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

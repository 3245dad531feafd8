import type { GPUBindGroup, GPUBuffer, GPUComputePassEncoder, GPUComputePipeline } from '../../gpu/index.ts';
import { type CompiledKernel, type Device, KernelError, source } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, type Storage } from '../graph/index.ts';
import { formatShape, StepError } from '../values/index.ts';
import { type Laid, layOut, type MemoryUse, release } from './memory-layout.ts';

/** One launch, ready to be replayed. */
export interface Bound {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/**
 * Launches with memory: planned, compiled and bound once, encoded any number of times. Steps are programs that are kept;
 * a read outside of steps is a program that is used once.
 */
export class Program {
  readonly device: Device;
  readonly launches: readonly Launch[];
  readonly memory: MemoryUse;
  readonly bound: readonly Bound[];
  readonly #laid: Laid;
  /** What {@link encode} calls, laid flat: at 1000 launches a step every property that is looked up counts. */
  readonly #pipelines: readonly (GPUComputePipeline | undefined)[];
  readonly #groups: readonly GPUBindGroup[];
  readonly #grids: Uint32Array;
  /** How many buffers of the device were destroyed when {@link verify} last looked. */
  #looked: number;
  #disposed = false;

  /** Binds what was laid out; inside {@link Device.scoped}, which tells what the GPU says of it. Owns `laid` from then on. */
  constructor(device: Device, laid: Laid, compiled: readonly CompiledKernel[]) {
    this.device = device;
    this.launches = laid.launches;
    this.memory = laid.memory;
    this.#laid = laid;
    this.#looked = -1;
    this.bound = laid.launches.map((launch, i): Bound => {
      const { pipeline, layout } = compiled[i] as CompiledKernel;
      const entries = (laid.places[i] ?? []).map((resource, binding) => ({ binding, resource }));
      return { launch, pipeline, group: device.gpu.createBindGroup({ layout, entries, label: launch.label }) };
    });
    const { bound } = this;
    // A pipeline stays set until another one is.
    this.#pipelines = bound.map(({ pipeline }, i) => (pipeline === bound[i - 1]?.pipeline ? undefined : pipeline));
    this.#groups = bound.map(({ group }) => group);
    this.#grids = Uint32Array.from(bound.flatMap(({ launch }) => launch.grid));
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
  ): Promise<Program> {
    device.check();
    const compiled = await compileAll(device, launches);
    device.alive();
    let laid: Laid | undefined;
    try {
      const { value: program, refusal } = device.scoped(() => {
        laid = layOut(device, launches, { returned, liveOut });
        const program = new Program(device, laid, compiled);
        const encoder = device.gpu.createCommandEncoder({ label: 'rehearsal' });
        const pass = encoder.beginComputePass();
        program.encode(pass);
        pass.end();
        encoder.finish();
        return program;
      });
      const refused = await refusal;
      device.alive();
      await program.allocated();
      program.verify('step');
      if (refused) throw refusedError(launches, refused);
      return program;
    } catch (error) {
      if (laid) release(device, laid);
      throw error;
    }
  }

  /** Waits until it is known whether there is memory behind all that is bound; throws if not. */
  async allocated(): Promise<void> {
    await this.device.allocated(this.#laid.places.flat().map(({ buffer }) => buffer));
    await this.device.allocated(this.#laid.own);
  }

  /** Throws if the memory of a tensor that launches use, and that is not the program's, was freed or moved since it was bound. */
  verify(name: string): void {
    if (this.#looked === this.device.destroyed) return;
    for (const [storage, { buffer, launch, tensor }] of this.#laid.borrowed) {
      const memory = memoryOf(storage);
      if (memory?.buffer === buffer) continue;
      const what = `${name}: ${launch.label}: the memory of a tensor ${formatShape(tensor.shape)} `;
      if (!memory) throw new StepError(`${what}was freed after this step was made`);
      throw new StepError(
        `${what}was moved after this step was made, as an optimizer does with its parameters; make the step after the optimizer`,
      );
    }
    this.#looked = this.device.destroyed;
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

  /** Two or three calls a launch and nothing else: no objects are made here, on the host or on the GPU. */
  encode(pass: GPUComputePassEncoder): void {
    const [pipelines, groups, grids] = [this.#pipelines, this.#groups, this.#grids];
    for (let i = 0, at = 0; i < groups.length; i++, at += 3) {
      const pipeline = pipelines[i];
      if (pipeline) pass.setPipeline(pipeline);
      pass.setBindGroup(0, groups[i] as GPUBindGroup);
      pass.dispatchWorkgroups(grids[at] as number, grids[at + 1] as number, grids[at + 2] as number);
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    release(this.device, this.#laid);
  }
}

/** Where a storage lies: in what was laid out, or in memory of its own. */
export function memoryIn({ memories }: Pick<Laid, 'memories'>, storage: Storage): Memory | undefined {
  const own = memories.get(storage.root);
  return own ? { buffer: own.buffer, offset: own.offset + storage.rootOffset } : memoryOf(storage);
}

/** The kernels of launches, if all were compiled before. */
export function compiledNow(device: Device, launches: readonly Launch[]): CompiledKernel[] | undefined {
  const result: CompiledKernel[] = [];
  for (const { kernel, element, constants } of launches) {
    const compiled = device.compiled(kernel, element, constants);
    if (!compiled) return undefined;
    result.push(compiled);
  }
  return result;
}

export async function compileAll(device: Device, launches: readonly Launch[]): Promise<CompiledKernel[]> {
  const results = await Promise.allSettled(
    launches.map((launch) => device.compile(launch.kernel, launch.element, launch.constants)),
  );
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}

/** What the GPU refused, with the launch that it names. */
export function refusedError(launches: readonly Launch[], { message }: { readonly message: string }): KernelError {
  const named = launches.filter(({ label }) => message.includes(label));
  // Of labels that hold each other, the longest is meant.
  const culprit = named.sort((a, b) => b.label.length - a.label.length)[0] ?? launches[0];
  return new KernelError(
    culprit?.kernel.name ?? 'step',
    `the GPU rejected the launch of ${culprit?.label}: ${message}`,
    culprit ? source(culprit.kernel, culprit.element) : '',
  );
}

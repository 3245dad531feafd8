import type { GPUBindGroup, GPUComputePassEncoder, GPUComputePipeline } from '../../gpu/index.ts';
import { type CompiledKernel, type Device, KernelError, source } from '../../gpu/index.ts';
import { type Launch, type Memory, memoryOf, type Storage } from '../graph/index.ts';
import { loopIn } from './lifetimes.ts';
import { type Laid, release } from './memory-layout.ts';

/** One launch, ready to be replayed. */
export interface Bound {
  readonly launch: Launch;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
}

/**
 * Launches with memory: planned, compiled and bound once, encoded any number of times. A read outside of
 * steps is a program that is used once; for those that are kept see {@link StepProgram}.
 */
export class Program {
  readonly device: Device;
  /** In the order in which they run: those of loops come again and again. */
  readonly bound: readonly Bound[];
  protected readonly laid: Laid;
  /** What {@link encode} calls, laid flat: at 1000 launches a step every property that is looked up counts. */
  readonly #pipelines: readonly (GPUComputePipeline | undefined)[];
  readonly #groups: readonly GPUBindGroup[];
  readonly #grids: Uint32Array;
  #disposed = false;

  /** Binds what was laid out; inside {@link Device.scoped}, which tells what the GPU says of it. Owns `laid` from then on. */
  constructor(device: Device, laid: Laid, compiled: readonly CompiledKernel[]) {
    this.device = device;
    this.laid = laid;
    const listed = laid.launches.map((launch, i): Bound => {
      const { pipeline, layout } = compiled[i] as CompiledKernel;
      const entries = (laid.places[i] ?? []).map((resource, binding) => ({ binding, resource }));
      return { launch, pipeline, group: device.gpu.createBindGroup({ layout, entries, label: launch.label }) };
    });
    const bound = loopIn(laid.launches)?.repeated(listed) ?? listed;
    this.bound = bound;
    // A pipeline stays set until another one is.
    this.#pipelines = bound.map(({ pipeline }, i) => (pipeline === bound[i - 1]?.pipeline ? undefined : pipeline));
    this.#groups = bound.map(({ group }) => group);
    this.#grids = Uint32Array.from(bound.flatMap(({ launch }) => launch.grid));
  }

  /** Waits until it is known whether there is memory behind all that is bound; throws if not. */
  async allocated(): Promise<void> {
    await this.device.allocated(this.laid.places.flat().map(({ buffer }) => buffer));
    await this.device.allocated(this.laid.own);
  }

  /** Where a storage lies during a call of this program. */
  memoryOf(storage: Storage): Memory {
    const memory = memoryIn(this.laid, storage);
    if (!memory) throw new Error('internal: a storage without memory');
    return memory;
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
    release(this.device, this.laid);
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

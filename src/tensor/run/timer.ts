import type { Device, GPUBuffer, GPUCommandEncoder } from '../../gpu/index.ts';
import type { Shared } from './on-demand.ts';
import type { StepProgram } from './step-program.ts';

export interface LaunchTime {
  readonly label: string;
  readonly kernel: string;
  readonly grid: readonly number[];
  /** GPU time by timestamps. */
  readonly ms: number;
}

/** Queries in one set: the limit of the specification. */
const SET_SIZE = 4096;

/** Timestamps around every launch of a program. Each launch gets a pass of its own, so a timed call takes longer than one that is not timed. */
export class Timer {
  readonly #device: Device;
  readonly #program: StepProgram;
  readonly #sets: GPUQuerySet[] = [];
  readonly #resolved: GPUBuffer;

  private constructor(device: Device, program: StepProgram, { bufferUsage, StepError }: Shared) {
    if (!device.features.has('timestamp-query')) {
      throw new StepError(
        `step: '${device.name}' has no timestamps (timestamp-query); make the step without { time: true }`,
      );
    }
    this.#device = device;
    this.#program = program;
    const count = program.launches.length * 2;
    for (let at = 0; at < count; at += SET_SIZE) {
      this.#sets.push(device.gpu.createQuerySet({ type: 'timestamp', count: Math.min(SET_SIZE, count - at) }));
    }
    this.#resolved = device.buffer(Math.max(count * 8, 256), 'timestamps', bufferUsage.queryResolve);
  }

  static async make(device: Device, program: StepProgram, shared: Shared): Promise<Timer> {
    const { value: timer, refusal } = device.scoped(() => {
      const timer = new Timer(device, program, shared);
      const encoder = device.gpu.createCommandEncoder({ label: 'rehearsal' });
      timer.encode(encoder);
      encoder.finish();
      return timer;
    });
    try {
      const refused = await refusal;
      device.alive();
      await device.allocated([timer.#resolved]);
      if (refused) throw shared.refusedError(program.launches, refused);
      return timer;
    } catch (error) {
      timer.dispose();
      throw error;
    }
  }

  encode(encoder: GPUCommandEncoder): void {
    this.#program.bound.forEach(({ launch, pipeline, group }, i) => {
      const querySet = this.#sets[Math.floor((i * 2) / SET_SIZE)] as GPUQuerySet;
      const at = (i * 2) % SET_SIZE;
      const pass = encoder.beginComputePass({
        label: launch.label,
        timestampWrites: { querySet, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 },
      });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...launch.grid);
      pass.end();
    });
    this.#sets.forEach((set, i) => {
      encoder.resolveQuerySet(set, 0, set.count, this.#resolved, i * SET_SIZE * 8);
    });
  }

  async read(): Promise<LaunchTime[]> {
    const encoder = this.#device.gpu.createCommandEncoder({ label: 'timestamps' });
    const { launches } = this.#program;
    const [bytes] = await this.#device.readBack(encoder, [
      { buffer: this.#resolved, offset: 0, bytes: launches.length * 16 },
    ]);
    const stamps = new BigUint64Array(bytes as ArrayBuffer);
    return launches.map((launch, i) => ({
      label: launch.label,
      kernel: launch.kernel.name,
      grid: launch.grid,
      ms: Number((stamps[2 * i + 1] as bigint) - (stamps[2 * i] as bigint)) / 1e6,
    }));
  }

  dispose(): void {
    for (const set of this.#sets) set.destroy();
    this.#device.destroyBuffer(this.#resolved);
  }
}

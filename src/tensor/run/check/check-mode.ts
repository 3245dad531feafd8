import type {
  CompiledKernel,
  GPUBindGroup,
  GPUBuffer,
  GPUCommandEncoder,
  GPUComputePipeline,
} from '../../../gpu/index.ts';
import { type Kernel, Outcome } from '../../../gpu/index.ts';
import type { Launch, Storage, Tensor } from '../../graph/index.ts';
import type { Shared } from '../on-demand.ts';
import type { StepProgram } from '../step-program.ts';
import { type CheckKernels, checkKernels, KINDS, NOTHING } from './kernels.ts';
import { CheckPlan, type Row } from './plan.ts';

/** Words that the kernels of a check share. */
const WORDS = ['table', 'hits', 'isInfinite', 'verdict', 'grids'] as const;
type Words = Readonly<Record<(typeof WORDS)[number], GPUBuffer>>;

interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly grid: readonly number[];
  /** Which of the grids it has, if something bad takes its workgroups. */
  readonly stop: number | undefined;
}

const UNIFORM_ALIGNMENT = 256;

/** Of the rest of the library; set when a check is made. */
let shared: Shared;
/** Made once, as a device compiles each kernel once. */
let kernels: CheckKernels | undefined;

/**
 * A program in check mode: before each launch, what it is to write is filled with NaN, so that an element that it forgets shows;
 * afterwards it is looked at, on the GPU, and the first launch that wrote what it must not stops all that come later.
 *
 * - NaN always stops; where it was given, the input that held it is named. So does an element of i32, u32 or bool that was not written.
 * - An infinity stops if the launch made it from finite numbers. What comes of an infinity that was given, in a tensor, in an
 *   input, or as the value of a `fill`, is let through: a mask of -∞ is no error.
 *
 * All of a call is submitted before it returns, as without check mode: so it sees the moment of its call, and as the GPU works in
 * the order of submission, it shares memory with others as any other program does.
 */
export class Check {
  readonly #name: string;
  readonly #program: StepProgram;
  readonly #inputs: ReadonlyMap<string, Tensor>;
  readonly #rows: readonly Row[];
  readonly #words: Words;
  readonly #own: readonly GPUBuffer[];
  readonly #fills: readonly Dispatch[];
  readonly #dispatches: readonly Dispatch[];
  readonly #grids: Uint32Array;
  readonly #hits: Uint32Array;
  /** What launches write that outlives them. */
  readonly #variables: ReadonlySet<Storage>;

  private constructor(
    name: string,
    program: StepProgram,
    inputs: ReadonlyMap<string, Tensor>,
    kernels: CheckKernels,
    compiled: ReadonlyMap<Kernel | number, CompiledKernel>,
  ) {
    const { device } = program;
    const plan = new CheckPlan(program, kernels, shared);
    const words = {
      table: plan.table.length,
      hits: 3 * plan.scans,
      isInfinite: plan.roots,
      verdict: 1,
      grids: 3 * plan.stops,
    };
    this.#name = name;
    this.#program = program;
    this.#inputs = inputs;
    this.#rows = plan.rows;
    const written = program.launches.flatMap((launch) => launch.tensors.filter((_, i) => shared.writes(launch, i)));
    this.#variables = new Set(written.map((t) => t.storage.root).filter(({ kind }) => kind === 'variable'));
    const own: GPUBuffer[] = [];
    this.#own = own;
    const make = (count: number, label: string, usage: number = shared.bufferUsage.storage) => {
      const buffer = device.buffer(count * 4, `${label} of a check`, usage);
      own.push(buffer);
      return buffer;
    };
    try {
      this.#words = Object.fromEntries(
        WORDS.map((word) => [word, make(words[word], word, shared.bufferUsage.storage | shared.bufferUsage.indirect)]),
      ) as unknown as Words;
      const jobs = [...plan.fills, ...plan.jobs];
      const uniforms = make((jobs.length * UNIFORM_ALIGNMENT) / 4, 'uniforms', shared.bufferUsage.uniform);
      const params = new Uint32Array(uniforms.size / 4);
      let stop = 0;
      const dispatches = jobs.map((job, i): Dispatch => {
        if ('launch' in job) {
          return { pipeline: job.pipeline, group: job.group, grid: job.launch.grid, stop: stop++ };
        }
        const own = job.kernel === kernels.judge ? [...job.params, words.grids] : job.params;
        params.set(own, (i * UNIFORM_ALIGNMENT) / 4);
        const { pipeline, layout } = compiled.get(job.kind ?? job.kernel) as CompiledKernel;
        const resources: GPUBindingResource[] = job.kernel.names.map((name) =>
          job.place && (name === 'x' || name === 'y') ? job.place : { buffer: this.#words[name as keyof Words] },
        );
        resources.push({ buffer: uniforms, offset: i * UNIFORM_ALIGNMENT, size: 16 });
        const group = device.gpu.createBindGroup({
          layout,
          entries: resources.map((resource, binding) => ({ binding, resource })),
          label: job.kernel.name,
        });
        return { pipeline, group, grid: job.grid, stop: job.stops ? stop++ : undefined };
      });
      this.#fills = dispatches.slice(0, plan.fills.length);
      this.#dispatches = dispatches.slice(plan.fills.length);
      this.#grids = Uint32Array.from(dispatches.flatMap(({ grid, stop }) => (stop === undefined ? [] : padded(grid))));
      this.#hits = new Uint32Array(3 * plan.scans).fill(NOTHING);
      device.gpu.queue.writeBuffer(this.#words.table, 0, Uint32Array.from(plan.table));
      device.gpu.queue.writeBuffer(uniforms, 0, params);
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  static async make(
    name: string,
    program: StepProgram,
    ofLibrary: Shared,
    inputs: ReadonlyMap<string, Tensor>,
  ): Promise<Check> {
    shared = ofLibrary;
    kernels ??= checkKernels(shared.kernel);
    const { forget, judge, scan } = kernels;
    const { device } = program;
    const compiled = new Map<Kernel | number, CompiledKernel>();
    for (const kernel of [forget, judge]) compiled.set(kernel, await device.compile(kernel, 'f32', {}));
    for (const KIND of new Set(Object.values(KINDS))) {
      compiled.set(KIND, await device.compile(scan, 'f32', { KIND }));
    }
    device.alive();
    const { value: check, refusal } = device.scoped(() => {
      const check = new Check(name, program, inputs, kernels as CheckKernels, compiled);
      const encoder = device.gpu.createCommandEncoder({ label: 'rehearsal' });
      check.#encode(encoder, [...check.#fills, ...check.#dispatches]);
      encoder.finish();
      return check;
    });
    try {
      const refused = await refusal;
      device.alive();
      await device.allocated(check.#own);
      if (refused) throw shared.refusedError(program.launches, refused);
      return check;
    } catch (error) {
      check.dispose();
      throw error;
    }
  }

  /** Begins a call, before its inputs come: what no launch of it has written is NaN. */
  begin(): void {
    if (this.#fills.length === 0) return;
    const { gpu } = this.#program.device;
    const encoder = gpu.createCommandEncoder({ label: this.#name });
    this.#encode(encoder, this.#fills);
    gpu.queue.submit([encoder.finish()]);
  }

  /** Submits the call, behind what `encoder` holds. Whoever reads its results, or variables that it writes, is told how it went. */
  run(encoder: GPUCommandEncoder, results: Iterable<Tensor>): void {
    const { device } = this.#program;
    const { grids, hits, isInfinite, verdict } = this.#words;
    device.gpu.queue.writeBuffer(grids, 0, this.#grids as GPUAllowSharedBufferSource);
    device.gpu.queue.writeBuffer(hits, 0, this.#hits as GPUAllowSharedBufferSource);
    encoder.clearBuffer(isInfinite);
    encoder.clearBuffer(verdict);
    this.#encode(encoder, this.#dispatches);
    const found = device.readBack(encoder, [
      { buffer: verdict, offset: 0, bytes: 4 },
      { buffer: hits, offset: 0, bytes: this.#hits.byteLength },
    ]);
    const judged = found.then(([row, hits]) => {
      const [number = 0] = new Uint32Array(row as ArrayBuffer);
      const bad = this.#rows[number - 1];
      if (bad) throw this.#complaint(bad, new Uint32Array(hits as ArrayBuffer));
    });
    const outcome = new Outcome(device.reports, judged);
    device.track(outcome.settled);
    for (const { storage } of results) storage.outcome = outcome;
    for (const root of this.#variables) {
      root.outcome = outcome;
      // Whoever reads it later reads what is there: the failure was told then.
      void outcome.settled.then(() => {
        if (root.outcome === outcome) root.outcome = undefined;
      });
    }
  }

  #encode(encoder: GPUCommandEncoder, dispatches: readonly Dispatch[]): void {
    const pass = encoder.beginComputePass({ label: this.#name });
    for (const { pipeline, group, grid, stop } of dispatches) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      if (stop === undefined) pass.dispatchWorkgroups(...padded(grid));
      else pass.dispatchWorkgroupsIndirect(this.#words.grids, stop * 12);
    }
    pass.end();
  }

  #complaint({ launch, tensors, firstScan }: Row, hits: Uint32Array): Error {
    const found = tensors.map((t, i) => {
      const [nan, max, min] = hits.subarray(3 * (firstScan + i)) as unknown as [number, number, number];
      const value = max < min ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
      return nan === NOTHING ? { t, at: Math.min(max, min), value } : { t, at: nan, value: Number.NaN };
    });
    const hasNaN = ({ at, value }: { at: number; value: number }) => at !== NOTHING && Number.isNaN(value);
    const first = found.find(hasNaN) ?? found.find(({ at }) => at !== NOTHING);
    if (!launch || !first) return new Error(`internal: ${this.#name}: the check found nothing that is bad`);
    const { t, at, value } = first;
    const binding = launch.kernel.names[launch.tensors.indexOf(t)];
    const inputs = launch.tensors.filter((other) => other !== t).map((other) => shared.formatShape(other.shape));
    const line = lineOfBody(launch.where);
    const given = Number.isNaN(value) ? this.#givenNaN(launch, hits) : '';
    return new shared.NotFiniteError(
      `${this.#name}: ${given}${launch.label} ${KINDS[t.dtype] === KINDS.u32 ? 'wrote nothing' : `wrote ${value}`} to '${binding}' ` +
        `${shared.formatShape(t.shape)} at ${at} (other tensors: ${inputs.join(', ') || 'none'})${line ? `, recorded ${line}` : ''}`,
      launch.label,
    );
  }

  /** Of what a launch read and no launch wrote, the first that came with NaN: it is not the launch that is wrong. */
  #givenNaN({ tensors }: Launch, hits: Uint32Array): string {
    for (const row of this.#rows.filter(({ launch }) => !launch)) {
      for (const [i, { shape, storage }] of row.tensors.entries()) {
        const at = hits[3 * (row.firstScan + i)];
        const isRead = tensors.some((t) => t.storage === storage) && !this.#variables.has(storage.root);
        if (at === NOTHING || !isRead) continue;
        const [name] = [...this.#inputs].find(([, t]) => t.storage === storage.root) ?? [];
        const what = name === undefined ? `a ${storage.root.kind}` : `input '${name}'`;
        return `${what} ${shared.formatShape(shape)} has NaN at ${at}, so that `;
      }
    }
    return '';
  }

  dispose(): void {
    for (const buffer of this.#own) this.#program.device.destroyBuffer(buffer);
  }
}

function padded(grid: readonly number[]): [number, number, number] {
  const [x = 1, y = 1, z = 1] = grid;
  return [x, y, z];
}

/** The first line of the stack that lies outside of the library's tensor and kernel floors. */
function lineOfBody(stack: string | undefined): string | undefined {
  const lines = (stack ?? '').split('\n').slice(1);
  return lines.find((line) => !/[\\/](src|dist)[\\/](tensor|kernels)[\\/]/.test(line))?.trim();
}

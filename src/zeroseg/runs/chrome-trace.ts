import type { StepTrace, TracePhase, TracePlace } from './step-trace.ts';

/**
 * Rows of the picture, from the top. What is in one row lies behind or within each other; reads back, and what becomes of buckets of gradients,
 * overlap and have marks of their own.
 */
const rows = ['batches', 'queue', 'device', 'read back', 'network', 'checkpoints'] as const;
const rowOf: Readonly<Record<TracePhase, (typeof rows)[number]>> = {
  read: 'batches',
  decode: 'batches',
  upload: 'queue',
  compute: 'device',
  'read back': 'read back',
  ...{ 'bucket read': 'network', 'bucket sum': 'network', 'bucket write': 'network' },
  ...{ copy: 'queue', checkpoint: 'checkpoints', fetch: 'checkpoints', write: 'checkpoints' },
};

const overlapping: ReadonlySet<string> = new Set(['read back', 'network']);

interface Span extends TracePlace {
  readonly phase: TracePhase;
  /** Milliseconds. */
  readonly begin: number;
  readonly end: number;
}

/**
 * The first steps of a training as a Chrome trace, for chrome://tracing and ui.perfetto.dev.
 *
 * ```ts
 * const trace = new ChromeTrace(20);
 * const trainer = await Trainer.create(device, model, data, settings, { trace });
 * for await (const { step } of trainer.run()) if (trace.isComplete(step)) trainer.stop();
 * await files.write('trace.json', trace.json());
 * ```
 */
export class ChromeTrace implements StepTrace {
  readonly #steps: number;
  readonly #spans: Span[] = [];
  #first: number | undefined;
  #open = 0;
  /** When the GPU was done with what it was given before. */
  #done = 0;

  /** Of so many steps, from the first that is traced. */
  constructor(steps: number) {
    this.#steps = steps;
  }

  begin(phase: TracePhase, place: TracePlace): (() => void) | undefined {
    this.#first ??= place.step;
    if (place.step >= this.#first + this.#steps) return undefined;
    const begin = performance.now();
    this.#open++;
    return () => {
      this.#open--;
      const end = performance.now();
      // The GPU takes one after the other: what waits in its queue is not computed yet.
      const from = phase === 'compute' ? Math.max(begin, this.#done) : begin;
      if (phase === 'compute') this.#done = end;
      this.#spans.push({ phase, ...place, begin: from, end });
    };
  }

  /** Whether nothing was done yet that it is of. */
  get isEmpty(): boolean {
    return this.#spans.length === 0;
  }

  /** Whether all steps that are traced are done, `step` being the last that was reported, and nothing of them goes on. */
  isComplete(step: number): boolean {
    return this.#first !== undefined && step >= this.#first + this.#steps - 1 && this.#open === 0;
  }

  /** The share of the time from the first submission to the last result in which the GPU had nothing to compute. */
  get idle(): number {
    const computed = this.#spans.filter(({ phase }) => phase === 'compute');
    const busy = computed.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const whole =
      computed.reduce((last, { end }) => Math.max(last, end), 0) -
      computed.reduce((first, { begin }) => Math.min(first, begin), Number.POSITIVE_INFINITY);
    return whole > 0 ? Math.max(0, 1 - busy / whole) : 0;
  }

  /** The trace as JSON; times are microseconds from the first on. */
  json(): string {
    const zero = this.#spans.reduce((first, { begin }) => Math.min(first, begin), Number.POSITIVE_INFINITY);
    const micros = (ms: number): number => Math.round((ms - zero) * 1000);
    const names = rows.map((name, tid) => ({ ph: 'M', name: 'thread_name', pid: 1, tid, args: { name } }));
    const events = this.#spans.flatMap(({ phase: name, begin, end, ...args }, id): object[] => {
      const event = { name, cat: rowOf[name], pid: 1, tid: rows.indexOf(rowOf[name]), args };
      const [ts, to] = [micros(begin), micros(end)];
      if (!overlapping.has(rowOf[name])) return [{ ...event, ph: 'X', ts, dur: to - ts }];
      return [
        { ...event, ph: 'b', id, ts },
        { ...event, ph: 'e', id, ts: to },
      ];
    });
    const lines = [...names, ...events].map((event) => JSON.stringify(event));
    const otherData = JSON.stringify({ 'idle share of the device': Number(this.idle.toFixed(4)) });
    return `{"displayTimeUnit":"ms","otherData":${otherData},"traceEvents":[\n${lines.join(',\n')}\n]}\n`;
  }
}

import { expect, it } from 'vitest';
import { Prefetch } from '../../../src/zeroseg/runs/prefetch.ts';
import { type IssuedStep, StepTrainer } from '../../../src/zeroseg/runs/step-trainer.ts';

/** Writes down what it is asked for, and in which order. */
class Recorder extends StepTrainer<number, number, number> {
  readonly steps = 5;
  readonly log: string[] = [];
  failing: 'input' | 'report' | undefined;

  readonly #exact: boolean;

  constructor(exact = false) {
    super();
    this.#exact = exact;
  }

  protected isExact(): boolean {
    return this.#exact;
  }

  protected source(done: number): Prefetch<number> {
    const make = (number: number) => {
      this.log.push(`make ${number + 1}`);
      if (this.failing === 'input' && number === 3) throw new RangeError('no such image');
      return number + 1;
    };
    return new Prefetch(done, this.steps, make, 2);
  }

  protected async issue(step: number, source: Prefetch<number>): Promise<IssuedStep<number>> {
    expect(await source.take()).toBe(step);
    this.log.push(`issue ${step}`);
    return { values: Promise.resolve(10 * step) };
  }

  protected async report(step: number, values: number): Promise<number> {
    expect(values).toBe(10 * step);
    this.log.push(`read ${step}`);
    if (this.failing === 'report' && step === 2) throw new RangeError('not a number');
    return step;
  }

  dispose(): void {}
}

const gpuWork = ({ log }: Recorder) => log.filter((line) => !line.startsWith('make')).join(', ');

async function run(made: Recorder, needsModel?: (step: number) => boolean): Promise<number[]> {
  const reports: number[] = [];
  for await (const report of made.run({ needsModel })) {
    expect(made.done).toBe(report);
    reports.push(report);
  }
  return reports;
}

it('asks once a step whether the model is read, also where no step may begin before the last was read', async () => {
  for (const exact of [false, true]) {
    const asked: number[] = [];
    await run(new Recorder(exact), (step) => asked.push(step) % 2 === 0);
    expect(asked).toEqual([1, 2, 3, 4, 5]);
  }
});

it('gives the GPU a step at a time where the model is looked at after each', async () => {
  const made = new Recorder();
  expect(await run(made)).toEqual([1, 2, 3, 4, 5]);
  expect(gpuWork(made)).toBe('issue 1, read 1, issue 2, read 2, issue 3, read 3, issue 4, read 4, issue 5, read 5');
});

it('reads a step while the GPU has the next one, but after those that the model is needed of', async () => {
  const made = new Recorder();
  expect(await run(made, (step) => step === 3)).toEqual([1, 2, 3, 4, 5]);
  expect(gpuWork(made)).toBe('issue 1, issue 2, read 1, issue 3, read 2, read 3, issue 4, issue 5, read 4, read 5');
  // Never two steps ahead of the one that is read.
  const exact = new Recorder(true);
  await run(exact, () => false);
  expect(gpuWork(exact)).toBe(gpuWork(await all(new Recorder())));
});

async function all(made: Recorder): Promise<Recorder> {
  await run(made);
  return made;
}

it('makes at most two inputs ahead', async () => {
  const made = new Recorder();
  await run(made);
  made.log.forEach((line, i) => {
    const [what, number] = line.split(' ');
    if (what !== 'make') return;
    const issued = made.log.slice(0, i).filter((one) => one.startsWith('issue')).length;
    expect(Number(number) - issued).toBeLessThanOrEqual(2);
  });
  expect(made.log.filter((line) => line.startsWith('make'))).toHaveLength(5);
  expect(made.log.indexOf('make 3')).toBeLessThan(made.log.indexOf('issue 2'));
});

it('reports what was issued when it is stopped, and goes on after it', async () => {
  const made = new Recorder();
  const reports: number[] = [];
  for await (const report of made.run({ needsModel: () => false })) {
    reports.push(report);
    if (report === 2) made.stop();
  }
  expect(reports).toEqual([1, 2, 3]);
  expect(made.log.filter((line) => line.startsWith('issue'))).toHaveLength(3);
  expect(await run(made, () => false)).toEqual([4, 5]);
});

it('reports the steps before one that fails, and none after', async () => {
  for (const failing of ['input', 'report'] as const) {
    for (const needsModel of [() => false, () => true]) {
      const made = new Recorder();
      made.failing = failing;
      await expect(run(made, needsModel)).rejects.toThrow(failing === 'input' ? 'no such image' : 'not a number');
      expect(made.done).toBe(failing === 'input' ? 3 : 1);
    }
  }
});

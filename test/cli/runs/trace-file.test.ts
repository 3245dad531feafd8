import { expect, test } from 'vitest';
import { TraceFile } from '../../../cli/src/runs/trace-file.ts';
import { ChromeTrace } from '../../../src/zeroseg/runs/chrome-trace.ts';

test('a trace that cannot be written is a note, and one of nothing is not written', async () => {
  const said: string[] = [];
  const told = {
    log: (words: string) => said.push(`log ${words}`),
    note: (words: string) => said.push(`note ${words}`),
  };
  const trace = new ChromeTrace(1);
  await new TraceFile(trace, '/proc/a.json').end(told);
  trace.begin('compute', { step: 1 })?.();
  await new TraceFile(trace, '/proc/a.json').end(told);
  expect(said).toEqual([
    'note trace: /proc/a.json is not written: no step was made',
    'note trace: /proc/a.json is not written: no file can be made here',
  ]);
});

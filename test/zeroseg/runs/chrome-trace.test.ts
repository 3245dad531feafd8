import { afterEach, expect, it, vi } from 'vitest';
import { ChromeTrace } from '../../../src/zeroseg/runs/chrome-trace.ts';

afterEach(() => vi.restoreAllMocks());

it('what is in one row lies behind or within each other, in microseconds from the first', () => {
  let now = 100;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const trace = new ChromeTrace(2);
  const at = (time: number, mark: (() => void) | undefined) => {
    now = time;
    mark?.();
  };
  const begin = (time: number, ...args: Parameters<ChromeTrace['begin']>) => {
    now = time;
    return trace.begin(...args);
  };
  const read = begin(100, 'read', { step: 7, part: 0 });
  at(102, read);
  const first = begin(103, 'compute', { step: 7, part: 0 });
  const back = begin(103, 'read back', { step: 7, part: 0 });
  // Submitted while the first is computed.
  const second = begin(104, 'compute', { step: 8, part: 1 });
  at(113, first);
  at(114, back);
  expect(trace.isComplete(8)).toBe(false);
  at(120, second);
  const third = begin(125, 'compute', { step: 8 });
  at(128, third);
  expect(trace.begin('compute', { step: 9 })).toBeUndefined();
  expect([trace.isComplete(7), trace.isComplete(8)]).toEqual([false, true]);
  // 10, 7 and 3 of 25 milliseconds.
  expect(trace.idle).toBeCloseTo(5 / 25, 12);
  const { traceEvents, otherData } = JSON.parse(trace.json());
  expect(otherData).toEqual({ 'idle share of the device': 0.2 });
  const rows = traceEvents.filter(({ ph }: { ph: string }) => ph === 'M').map(({ args }: { args: object }) => args);
  expect(rows.map(({ name }: { name: string }) => name)).toEqual([
    ...['batches', 'queue', 'device', 'read back', 'network', 'checkpoints'],
  ]);
  const rest = traceEvents.filter(({ ph }: { ph: string }) => ph !== 'M');
  const event = { pid: 1, cat: 'device', name: 'compute', ph: 'X', tid: 2 };
  expect(rest).toEqual([
    { ...event, name: 'read', cat: 'batches', tid: 0, ts: 0, dur: 2000, args: { step: 7, part: 0 } },
    { ...event, ts: 3000, dur: 10_000, args: { step: 7, part: 0 } },
    { ...event, name: 'read back', cat: 'read back', tid: 3, ph: 'b', id: 2, ts: 3000, args: { step: 7, part: 0 } },
    { ...event, name: 'read back', cat: 'read back', tid: 3, ph: 'e', id: 2, ts: 14_000, args: { step: 7, part: 0 } },
    { ...event, ts: 13_000, dur: 7000, args: { step: 8, part: 1 } },
    { ...event, ts: 25_000, dur: 3000, args: { step: 8 } },
  ]);
});

it('a trace of nothing is one', () => {
  const trace = new ChromeTrace(1);
  expect([trace.idle, trace.isEmpty]).toEqual([0, true]);
  expect(trace.isComplete(5)).toBe(false);
  expect(JSON.parse(trace.json()).traceEvents).toHaveLength(6);
});

it('what becomes of buckets of gradients overlaps, and is in the row of the network', () => {
  const trace = new ChromeTrace(1);
  const [first, second] = [0, 1].map((bucket) => trace.begin('bucket sum', { step: 1, bucket }));
  first?.();
  second?.();
  expect(trace.isEmpty).toBe(false);
  const { traceEvents } = JSON.parse(trace.json());
  const events = traceEvents.filter(({ ph }: { ph: string }) => ph !== 'M');
  expect(events.map(({ ph, id, tid, args }: Record<string, unknown>) => [ph, id, tid, args])).toEqual([
    ...['b', 'e'].map((ph) => [ph, 0, 4, { step: 1, bucket: 0 }]),
    ...['b', 'e'].map((ph) => [ph, 1, 4, { step: 1, bucket: 1 }]),
  ]);
});

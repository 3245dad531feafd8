import { afterEach, describe, expect, test, vi } from 'vitest';
import { Linear } from '../../../src/nn/layers/linear.ts';
import { parameters } from '../../../src/nn/layers/module.ts';
import { buildModule, storedWeights } from '../../../src/nn/layers/weights.ts';
import {
  blobRanges,
  fetchRanges,
  openWeights,
  type RangeSource,
  readSafetensors,
  toFloat32,
  writeSafetensors,
} from '../../../src/nn/safetensors/index.ts';
import { openTorch } from '../../../src/nn/torch/index.ts';
import { read } from '../../../src/tensor/run/index.ts';
import { useDevice } from '../../support/device.ts';

const counted = (n: number, from = 0) => Float32Array.from({ length: n }, (_, i) => from + i / 8);
const bytes = writeSafetensors(
  [
    ['bias', { dtype: 'F32', shape: [4], data: counted(4, 100) }],
    ['k.weight', { dtype: 'F16', shape: [2, 4], data: counted(8, 4) }],
    ['q.weight', { dtype: 'F16', shape: [2, 4], data: counted(8, 1) }],
    ['empty', { dtype: 'F32', shape: [0, 3], data: new Float32Array(0) }],
  ],
  { step: '7' },
);

/** A source that notes what was asked of it. */
function memory(content = bytes): RangeSource & { readonly asked: [number, number][] } {
  const asked: [number, number][] = [];
  return {
    size: content.length,
    asked,
    readRange: async (start, end) => {
      asked.push([start, end]);
      return content.slice(start, end);
    },
  };
}

afterEach(() => vi.unstubAllGlobals());

describe('openWeights', () => {
  test('reads the header alone, then each tensor as it is asked for', async () => {
    const source = memory();
    const { metadata, tensors } = await openWeights(source, 'F');
    const whole = readSafetensors(bytes, 'F');
    expect(metadata).toEqual({ step: '7' });
    expect([...tensors.keys()]).toEqual([...whole.tensors.keys()]);
    expect(source.asked).toHaveLength(2);
    expect(source.asked[1]![1]).toBe(tensors.get('bias')!.start);
    for (const [name, tensor] of whole.tensors) {
      const { read: _, readPart, start, ...info } = tensors.get(name)!;
      const found = await tensors.get(name)!.read();
      expect(found).toEqual({ ...info, bytes: Uint8Array.from(tensor.bytes) });
      expect(source.asked.at(-1)).toEqual([start, start + tensor.bytes.length]);
      expect(toFloat32(found)).toEqual(toFloat32(tensor));
      const elements = toFloat32(found).length;
      const [half, width] = [elements >> 1, found.bytes.length / Math.max(1, elements)];
      expect(await readPart!(half, elements)).toEqual(found.bytes.slice(half * width));
    }
  });

  test('refuses what is none, and says when a source gives too little', async () => {
    const messages: string[] = [];
    const note = (call: Promise<unknown>) => call.catch((error) => messages.push(String(error)));
    await note(openWeights(memory(new Uint8Array(4)), 'F'));
    await note(openWeights(memory(new Uint8Array(40)), 'F'));
    await note(openWeights(memory(bytes.slice(0, -1)), 'F'));
    const source = memory();
    const { tensors } = await openWeights(
      { ...source, readRange: async (a, b) => bytes.slice(a, Math.min(b, bytes.length - 24)) },
      'F',
    );
    await note(tensors.get('q.weight')!.read());
    expect(messages).toMatchInlineSnapshot(`
      [
        "CheckpointError: F: this is no safetensors file: it has 4 bytes",
        "CheckpointError: F: this is no safetensors file: its header is no JSON",
        "CheckpointError: F: the file is cut off: tensor "q.weight" ends at byte 336; the file has 335 bytes",
        "CheckpointError: F: tensor "q.weight": bytes 320 to 336 were asked for, and 0 came; the file has changed since it was opened",
      ]
    `);
  });
});

describe('sources', () => {
  test('what is none', async () => {
    await expect(openWeights(Promise.resolve(memory()) as never)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: openWeights: a source has { size, readRange }, as blobRanges(blob) and await fetchRanges(url) give it; got a promise; await it]`,
    );
    await expect(openTorch(bytes as never)).rejects.toThrow(/^openTorch: a source has .*; got a Uint8Array$/);
  });

  test('a Blob', async () => {
    const { tensors } = await openWeights(blobRanges(new Blob([bytes])), 'blob');
    expect(toFloat32(await tensors.get('q.weight')!.read())).toEqual(counted(8, 1));
  });

  /** A server in the stead of `fetch`. */
  const serve = (answer: (range: string) => Response) =>
    vi.stubGlobal('fetch', async (_: string, { headers }: { headers: Headers }) => answer(headers.get('Range') ?? ''));

  test('a server that answers ranges', async () => {
    const asked: string[] = [];
    serve((range) => {
      asked.push(range);
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range)!.map(Number) as [number, number, number];
      const headers = { 'Content-Range': `bytes ${from}-${to}/${bytes.length}` };
      return new Response(bytes.slice(from, to + 1), { status: 206, headers });
    });
    const { tensors } = await openWeights(await fetchRanges('https://example.org/w'), 'w');
    expect(toFloat32(await tensors.get('bias')!.read())).toEqual(counted(4, 100));
    expect(await tensors.get('empty')!.read()).toMatchObject({ bytes: new Uint8Array(0) });
    expect(asked.slice(0, 2)).toEqual(['bytes=0-7', 'bytes=0-7']);
  });

  test('a server that does not says so', async () => {
    const answers = [
      new Response(bytes, { status: 200 }),
      new Response('', { status: 404, statusText: 'Not Found' }),
      new Response(bytes.slice(0, 8), { status: 206 }),
    ];
    const messages: string[] = [];
    for (const answer of answers) {
      serve(() => answer);
      await fetchRanges('https://example.org/w').catch((error) => messages.push(String(error)));
    }
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('network')));
    await fetchRanges('https://example.org/w').catch((error) => messages.push(String(error)));
    expect(messages).toMatchInlineSnapshot(`
      [
        "CheckpointError: https://example.org/w: the server ignores Range and would send the whole file (status 200, expected 206); fetch it whole and give its bytes, or use a server that answers ranges",
        "CheckpointError: https://example.org/w: it cannot be fetched: 404 Not Found",
        "CheckpointError: https://example.org/w: the server does not say how long the file is; it must send (and to other origins expose) Content-Range",
        "CheckpointError: https://example.org/w: it cannot be fetched",
      ]
    `);
  });
});

describe('buildModule', () => {
  const device = useDevice();
  const names = (name: string) => (name === 'weight' ? ['q.weight', 'k.weight'] : name);

  test('streams weights in the order of the file, joined, as those of memory', async () => {
    const source = memory();
    const { tensors } = await openWeights(source, 'F');
    const weights = storedWeights(device.current, tensors, 'F', names);
    const streamed = await buildModule(weights, (from) => new Linear(from, 4, 4));
    const stored = new Linear(storedWeights(device.current, readSafetensors(bytes, 'F').tensors, 'F', names), 4, 4);
    for (const [name, t] of parameters(streamed)) {
      expect(await read(t)).toEqual(await read(parameters(stored).get(name)!));
    }
    expect(await read(streamed.weight)).toEqual(Float32Array.from([...counted(8, 1), ...counted(8, 4)]));
    const starts = source.asked.slice(2).map(([start]) => start);
    const place = (name: string) => tensors.get(name)!.start;
    expect(starts).toEqual([place('bias'), place('q.weight'), place('k.weight')]);
  });

  test('a wrong shape is refused before anything is read; a failing read frees what was made', async () => {
    const source = memory();
    const { tensors } = await openWeights(source, 'F');
    const wrong = storedWeights(device.current, tensors, 'F', names);
    await expect(buildModule(wrong, (from) => new Linear(from, 4, 6))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: F: tensor 'q.weight' is [2, 4]; expected [3, 4]]`,
    );
    expect(source.asked).toHaveLength(2);
    expect(() => new Linear(wrong, 4, 4)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: weights: 'weight' is in a file that is read tensor by tensor; build the module by buildModule(weights, …)]`,
    );
    const before = device.current.bytes;
    const broken = await openWeights(
      { ...source, readRange: async (a, b) => bytes.slice(a, Math.min(b, bytes.length - 24)) },
      'F',
    );
    const cut = storedWeights(device.current, broken.tensors, 'F', names);
    await expect(buildModule(cut, (from) => new Linear(from, 4, 4))).rejects.toThrow(/the file has changed/);
    expect(device.current.bytes).toBe(before);
  });
});

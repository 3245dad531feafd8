import { afterEach, describe, expect, test, vi } from 'vitest';
import { AdamW, newWeights, parameters } from '../../../src/nn/index.ts';
import { type RangeSource, readTensor, toFloat32, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { readAll } from '../../../src/tensor/run/index.ts';
import { openWeightSource } from '../../../src/zeroseg/checkpoints/weight-file.ts';
import { sha256 } from '../../../src/zeroseg/host/hash.ts';
import { resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { loadOptimizer, modelFile, openModel, optimizerFile } from '../../../src/zeroseg/model/model-file.ts';
import { ZeroSeg } from '../../../src/zeroseg/model/zeroseg.ts';
import { useDevice } from '../../support/device.ts';

const device = useDevice();

/** Ranges of bytes; `max` is the most bytes that were given out and not answered for at once. */
function ranges(bytes: Uint8Array): RangeSource & { asked: [number, number][]; max: number } {
  let open = 0;
  const source = {
    size: bytes.length,
    asked: [] as [number, number][],
    max: 0,
    readRange: async (start: number, end: number) => {
      source.asked.push([start, end]);
      open += end - start;
      source.max = Math.max(source.max, open);
      await Promise.resolve();
      open -= end - start;
      return bytes.slice(start, end);
    },
  };
  return source;
}

const values = (n: number) => Float32Array.from({ length: n }, (_, i) => i / 8);
const f32 = (n: number) => ({ dtype: 'F32' as const, shape: [n], data: values(n) });
const small = writeSafetensors([['a', f32(4)]], { step: '7' });
/** More than is fetched at once. */
const large = writeSafetensors(
  [
    ['a', f32(4)],
    ['b', f32(4_300_000)],
    ['c', f32(8)],
  ],
  {},
);

const config = resolveConfig({
  ...{ image: 16, patch: 4, dim: 16, depth: 1, heads: 2, dec_dim: 16, dec_depth: 1, dec_heads: 2 },
  ...{
    seg_depths: [1, 1, 1],
    group_tokens: [4, 2],
    output_groups: [4, 2],
    seg_heads: 2,
    proj_hidden: 16,
    clip_dim: 12,
  },
});

test('a model and an optimizer are read tensor by tensor', async () => {
  const model = new ZeroSeg(newWeights(device.current, 1), config);
  const file = ranges(await modelFile(model, { step: 7, teacher: 'T' }));
  const opened = await openModel(device.current, file);
  expect(opened.info).toMatchObject({ step: 7, teacher: 'T' });
  const [wanted, found] = [parameters(model), parameters(opened.model)];
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  expect(await readAll([...found.values()])).toEqual(await readAll([...wanted.values()]));
  const largest = Math.max(...[...wanted.values()].map((t) => 4 * t.size));
  const [, [, header]] = file.asked as [unknown, [number, number]];
  expect(file.asked).toHaveLength(2 + wanted.size);
  expect(file.max).toBeLessThanOrEqual(Math.max(largest, header));
  expect(file.max).toBeLessThan(file.size / 2);

  const optimizer = new AdamW(device.current, found);
  const state = ranges(await optimizerFile(optimizer.state(), { step: '7' }));
  expect(await loadOptimizer(optimizer.state(), state)).toMatchObject({ step: '7' });
  expect(state.max).toBeLessThan(state.size / 2);
  await expect(loadOptimizer(optimizer.state(), file, 'F')).rejects.toThrowErrorMatchingInlineSnapshot(
    `[CheckpointError: F: is no optimizer state of ZeroSeg; expected format 'zeroseg-optimizer-1' in its metadata]`,
  );
  optimizer.dispose();
});

test('the hash of a file is read range by range', async () => {
  const source = ranges(large);
  const { hash } = await openWeightSource(source, 'large');
  expect(await hash?.()).toBe(await sha256(large));
  expect(source.max).toBe(2 ** 24);
  expect(await (await openWeightSource(small, 'small')).hash?.()).toBe(await sha256(small));
  expect(await (await openWeightSource(new Blob([small]), 'blob')).hash?.()).toBe(await sha256(small));
});

describe('an address', () => {
  afterEach(() => vi.unstubAllGlobals());

  /** Answers as a server does, and notes what it was asked. */
  function serve(bytes: Uint8Array<ArrayBuffer>, { isRanged = true, isOpen = true } = {}): string[] {
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (_: string, init?: RequestInit) => {
      const range = new Headers(init?.headers).get('Range');
      asked.push(range ?? 'all');
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '')?.map(Number) ?? [];
      if (!isRanged || from === undefined || to === undefined) return new Response(bytes);
      const end = Math.min(to, bytes.length - 1);
      const headers = isOpen ? { 'Content-Range': `bytes ${from}-${end}/${bytes.length}` } : undefined;
      return new Response(bytes.slice(from, end + 1), { status: 206, ...(headers && { headers }) });
    });
    return asked;
  }

  const first = `bytes=0-${2 ** 24 - 1}`;
  const valuesAt = async (bytes: Uint8Array<ArrayBuffer>, options = {}) => {
    const asked = serve(bytes, options);
    const { name, tensors, metadata } = await openWeightSource('https://example.org/w', 'model');
    const tensor = tensors.get('a');
    return { asked, name, metadata, a: tensor && toFloat32(await readTensor(tensor)) };
  };

  test('a small file takes one request', async () => {
    const { asked, name, metadata, a } = await valuesAt(small);
    expect([asked, name, metadata, a]).toEqual([[first], 'https://example.org/w', { step: '7' }, values(4)]);
  });

  test('of a large file, what is asked for is fetched', async () => {
    const { asked, a } = await valuesAt(large);
    expect(a).toEqual(values(4));
    const [one, ...others] = asked;
    expect(one).toBe(first);
    for (const range of others) {
      const [from = 0, to = Number.POSITIVE_INFINITY] = range.replace('bytes=', '').split('-').map(Number);
      expect(to - from).toBeLessThan(1000);
    }
  });

  test('a server that sends no ranges, or hides the length, sends the file once more or once', async () => {
    const ignored = await valuesAt(large, { isRanged: false });
    expect([ignored.asked, ignored.a]).toEqual([[first], values(4)]);
    const hidden = await valuesAt(small, { isOpen: false });
    expect([hidden.asked, hidden.a]).toEqual([[first, 'all'], values(4)]);
  });

  test('what is not there says so', async () => {
    vi.stubGlobal('fetch', async () => new Response('', { status: 404, statusText: 'Not Found' }));
    await expect(openWeightSource('https://example.org/w', 'model')).rejects.toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: https://example.org/w: it cannot be fetched: 404 Not Found]`,
    );
    await expect(openWeightSource(7 as never, 'model')).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: model: give bytes, a Blob, a URL, ranges, or an opened file of weights; got 7]`,
    );
  });
});

describe('what is no file of weights is told by what it is', () => {
  const tar = new Uint8Array(600);
  new TextEncoder().encodeInto('ustar', tar.subarray(257));
  const text = (value: string) => new TextEncoder().encode(value.padEnd(64));
  test.each([
    [text('<!DOCTYPE html><html lang="en">'), 'a page of a website'],
    [text('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a'), 'a pointer of Git LFS'],
    [tar, 'a tar archive'],
    [Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), 'a gzip archive'],
    [Uint8Array.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]), 'an HDF5 file'],
    [text('GGUF\x03'), 'a GGUF file'],
    [Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 0x4a, 0x46), 'a picture, not a file of weights'],
    [text('RIFF\x04\x01\x00\x00WEBPVP8 '), 'a picture, not a file of weights'],
    [text('%PDF-1.7'), 'a PDF, not a file of weights'],
    [Uint8Array.from([0x80, 4, 0x95, 26, 0, 0, 0, 0, 0, 0, 0, 0x7d]), 'no safetensors file'],
    [
      Uint8Array.from([0x80, 2, 0x7d, 0x71, 0, 0x28, 0x58, 1, 0, 0]),
      'a pickle of Python that torch.save did not write',
    ],
  ])('%#', async (bytes, what) => {
    await expect(openWeightSource(ranges(bytes), 'F')).rejects.toThrow(`F: this is ${what}`);
  });
});

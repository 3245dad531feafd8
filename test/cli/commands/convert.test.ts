/** `zeroseg convert`: what PyTorch wrote, and parts with an index, as one safetensors file. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import {
  readSafetensors,
  type SafetensorsFile,
  toFloat32,
  writeSafetensors,
} from '../../../src/nn/safetensors/index.ts';
import { openTorch } from '../../../src/nn/torch/index.ts';
import { loadTorchFile } from '../../support/fixture.ts';
import { zip } from '../../support/zip.ts';

const base = await mkdtemp(join(tmpdir(), 'zeroseg-convert-'));
afterAll(() => rm(base, { recursive: true, force: true }));
const at = (...parts: string[]): string => join(base, ...parts);

async function convert(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const [out, error]: [string[], string[]] = [[], []];
  const code = await commandLine(['convert', ...args], {
    out: (line) => out.push(line),
    note: (line) => error.push(line),
  });
  const hide = (lines: string[]): string => lines.join('\n').replaceAll(base, '…');
  return { code, out: hide(out), error: hide(error) };
}

const read = async (path: string): Promise<SafetensorsFile> =>
  readSafetensors(new Uint8Array(await readFile(path)), path);
for (const name of ['kinds', 'kinds-legacy', 'training', 'teacher', 'script', 'module'])
  await writeFile(at(`${name}.pt`), await loadTorchFile(name));

describe('files of PyTorch', () => {
  test.each(['kinds', 'kinds-legacy'])('%s: every tensor, whatever its type, strides and ties', async (name) => {
    const { tensors: expected } = await openTorch(
      { size: (await loadTorchFile(name)).length, readRange: async (a, b) => (await loadTorchFile(name)).slice(a, b) },
      name,
    );
    const { code, out } = await convert(at(`${name}.pt`), '--out', at(`${name}.safetensors`));
    expect([code, out.split('\n').slice(1)]).toEqual([
      0,
      [`  tied and also_tied are one tensor in …/${name}.pt; each has its own copy in …/${name}.safetensors`],
    ]);
    const { tensors, metadata } = await read(at(`${name}.safetensors`));
    expect(metadata).toEqual({ format: 'pt' });
    expect([...tensors.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [key, tensor] of expected) {
      const written = tensors.get(key)!;
      expect([key, written.dtype, written.shape]).toEqual([key, tensor.dtype, tensor.shape]);
      expect(Buffer.from(written.bytes).equals(Buffer.from((await tensor.read()).bytes)), key).toBe(true);
    }
  });

  test.each([
    ['f16', 'F16'],
    ['bf16', 'BF16'],
    ['f32', 'F32'],
  ])('--dtype %s: all floats in it, whole numbers as they are', async (dtype, stored) => {
    expect((await convert(at('kinds.pt'), '--out', at('typed.safetensors'), '--dtype', dtype)).code).toBe(0);
    const { tensors } = await read(at('typed.safetensors'));
    const types = Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.dtype]));
    expect(types).toMatchObject({
      f32: stored,
      f64: stored,
      bf16: stored,
      f16: stored,
      i64: 'I64',
      bool: 'BOOL',
      empty: stored,
    });
    // All of these have few digits: no type rounds them.
    expect([...toFloat32(tensors.get('f64')!)]).toEqual([0.125, 0.25, 0.375, 0.5, 0.625, 0.75]);
    expect([...toFloat32(tensors.get('transposed')!)].slice(0, 3)).toEqual([0.125, 0.875, 1.625]);
  });

  test('the weights of a training, with what is noted beside them', async () => {
    const { out } = await convert(at('training.pt'), '--out', at('training.safetensors'));
    expect(out).toMatchInlineSnapshot(
      `"…/training.safetensors: 224 bytes, 2 tensors of …/training.pt ('model' of it), F32"`,
    );
    expect((await read(at('training.safetensors'))).metadata).toEqual({ format: 'pt', epoch: '7', name: 'tiny' });
    await convert(at('teacher.pt'), '--out', at('teacher.safetensors'));
    expect([...(await read(at('teacher.safetensors'))).tensors.keys()]).toEqual([
      'module.backbone.weight',
      'module.backbone.bias',
    ]);
    await convert(at('script.pt'), '--out', at('script.safetensors'));
    expect([...(await read(at('script.safetensors'))).tensors.keys()].sort()).toEqual([
      'inner.bias',
      'inner.weight',
      'scale',
    ]);
  });
});

test('parts with an index, or their folder, are one file', async () => {
  const part = (name: string, value: number): Uint8Array =>
    writeSafetensors([[name, { dtype: 'F32', shape: [1], data: Float32Array.of(value) }]], {
      format: 'pt',
      [name]: 'yes',
    });
  await mkdir(at('sharded'));
  await writeFile(at('sharded', 'model-00001-of-00002.safetensors'), part('a', 1));
  await writeFile(at('sharded', 'model-00002-of-00002.safetensors'), part('b', 2));
  const weight_map = { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' };
  await writeFile(at('sharded', 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
  for (const place of [at('sharded'), at('sharded', 'model.safetensors.index.json')]) {
    expect((await convert(place, '--out', at('one.safetensors'))).code).toBe(0);
    const { tensors, metadata } = await read(at('one.safetensors'));
    expect([...tensors].map(([name, tensor]) => [name, ...toFloat32(tensor)])).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    expect(metadata).toEqual({ format: 'pt', a: 'yes', b: 'yes' });
  }
  const { code, error } = await convert(at('sharded'), '--out', at('sharded', 'model-00002-of-00002.safetensors'));
  expect([code, error]).toEqual([
    1,
    'zeroseg: --out: …/sharded/model-00002-of-00002.safetensors is what is converted; give another file',
  ]);
  weight_map.b = '../sharded/model-00002-of-00002.safetensors';
  await writeFile(at('sharded', 'model.safetensors.index.json'), JSON.stringify({ weight_map }));
  expect((await convert(at('sharded'), '--out', at('two.safetensors'))).error).toMatch(/which is no file beside it$/);
});

test('what cannot be converted leaves what was there, and nothing half written', async () => {
  await writeFile(at('kept.safetensors'), 'as it was');
  const large = writeSafetensors([
    ['fine', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }],
    ['scale', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 70_000) }],
  ]);
  await writeFile(at('large.safetensors'), large);
  const evil = Uint8Array.from('\x80\x02cposix\nsystem\nX\x05\0\0\0touch\x85R.', (letter) => letter.charCodeAt(0));
  await writeFile(at('evil.pth'), zip({ 'a/data.pkl': evil }));
  const attempts: [string[], RegExp][] = [
    [
      [at('large.safetensors'), '--dtype', 'f16'],
      /tensor "scale": element 1, 70000, is too large for F16, which ends at 65504; write F32 instead$/,
    ],
    [[at('module.pt')], /it is refused: it names __main__\.Two, which weights do not need/],
    [[at('evil.pth')], /evil\.pth: it is refused: it names posix\.system, which weights do not need/],
    [[at('nothing.pt')], /nothing\.pt: there is no such file or folder$/],
  ];
  for (const [args, message] of attempts) {
    const { code, error } = await convert(...args, '--out', at('kept.safetensors'));
    expect([code, error]).toEqual([1, expect.stringMatching(message)]);
    expect(await readFile(at('kept.safetensors'), 'utf8')).toBe('as it was');
  }
  expect((await readdir(base)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { verify } from '../../../cli/src/commands/verify.ts';
import { printableTerminal } from '../../../cli/src/shell/index.ts';
import {
  readSafetensors,
  toFloat32,
  toInt32,
  type WritableTensor,
  writeSafetensors,
} from '../../../src/nn/safetensors/index.ts';
import { useDevice } from '../../support/device.ts';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
/** More fixtures, where this checkout lies beside them. */
const shared = fileURLToPath(new URL('../../../../shared/fixtures/', import.meta.url));

let folder: string;
let lines: string[];
const device = useDevice();
const context = {
  terminal: printableTerminal({ out: (line) => void lines.push(line), note: () => {} }),
  get device() {
    return device.current;
  },
};

beforeEach(async () => {
  lines = [];
  folder = await mkdtemp(join(tmpdir(), 'zeroseg-verify-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** The summary, without the time it took. */
const summary = () =>
  lines
    .at(-1)
    ?.trim()
    .replace(/ \(.*\)$/, '');
const failures = () => lines.filter((line) => /^ {2}FAIL \S/.test(line));

async function take(...names: string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(folder, 'ops'), { recursive: true });
    for (const end of ['.json', '.safetensors']) await cp(join(fixtures, name + end), join(folder, name + end));
  }
}

describe('zeroseg verify', () => {
  it('prints a line for each op, and a summary', async () => {
    await take('ops/cross_entropy', 'ops/linear');
    expect(await verify(context, [folder], {})).toBe(true);
    const table = lines
      .join('\n')
      .replace(/^on .*/, 'on ADAPTER')
      .replace(/\d\.\de-\d+|\d+\.\d s/g, (found) => found.replace(/\d/g, 'n'));
    expect(table.split('\n').filter((line) => line.startsWith('ops/')).length).toBe(2);
    expect(table).toMatch(/ {2}pass {2}cross_entropy +4 /);
    expect(table).toMatch(/ {2}pass {2}linear +15 /);
    expect(summary()).toBe('19 passed, 0 failed');
  });

  it.each(['ops/linear.json', 'ops/linear.safetensors'])('takes a single file: %s', async (file) => {
    await take('ops/cross_entropy', 'ops/linear');
    expect(await verify(context, [join(folder, file)], {})).toBe(true);
    expect(summary()).toBe('15 passed, 0 failed');
  });

  it('fails when one number was changed', async () => {
    await take('ops/linear');
    const path = join(folder, 'ops/linear.safetensors');
    const { tensors } = readSafetensors(await readFile(path), path);
    const changed = [...tensors].map(([name, stored]): [string, WritableTensor] => {
      const data = toFloat32(stored).slice();
      if (name === 'plain/in.x') data[3] = (data[3] as number) + 0.01;
      return [name, { dtype: 'F32', shape: stored.shape, data }];
    });
    await writeFile(path, writeSafetensors(changed));
    expect(await verify(context, [folder], {})).toBe(false);
    expect(summary()).toBe('13 passed, 2 failed');
    expect(failures().map((line) => line.split(':')[0])).toEqual([
      '  FAIL linear plain/out.y',
      '  FAIL linear plain/grad.weight',
    ]);
  });

  it('fails on an op that is not known', async () => {
    await take('ops/linear');
    const path = join(folder, 'ops/linear.json');
    await writeFile(path, (await readFile(path, 'utf8')).replace('"op": "linear"', '"op": "bilinear"'));
    expect(await verify(context, [folder], {})).toBe(false);
    expect(failures()).toMatchInlineSnapshot(`
      [
        "  FAIL bilinear plain: the op 'bilinear' is not known",
      ]
    `);
  });

  it('fails on broken files, and verifies the others', async () => {
    await take('ops/linear', 'ops/cross_entropy');
    await writeFile(join(folder, 'ops/linear.safetensors'), 'no tensors');
    await writeFile(join(folder, 'broken.json'), '{ "cases": ');
    await writeFile(join(folder, 'other.json'), '{ "name": "other" }');
    await writeFile(join(folder, 'lost.json'), '{ "family": "lost", "file": "lost.safetensors", "cases": [] }');
    expect(await verify(context, [folder], {})).toBe(false);
    expect(
      failures().map((line) => line.replaceAll(folder, '').replace(/\(Unexpected.*\)/, '(...)')),
    ).toMatchInlineSnapshot(`
      [
        "  FAIL file broken.json: /broken.json: not valid JSON (...)",
        "  FAIL file lost.json: /lost.safetensors: there is no such file or folder",
        "  FAIL file ops/linear.json: /ops/linear.safetensors: this is no safetensors file: such a file begins with the length of its header",
        "  FAIL manifest other.json: this JSON is no manifest of a fixture",
      ]
    `);
    expect(summary()).toBe('4 passed, 4 failed');
  });

  it('fails when there is nothing, with a sentence that names the path', async () => {
    const message = async (path: string, options = {}) =>
      verify(context, [path], options).catch(
        (error: Error) => `${error.name}: ${error.message.replaceAll(folder, '')}`,
      );
    expect(await message(folder)).toMatchInlineSnapshot(
      `"FileError: verify: : there is no manifest of a fixture here"`,
    );
    expect(await message(join(folder, 'none'))).toMatchInlineSnapshot(
      `"FileError: verify: /none: there is no such file or folder"`,
    );
    await take('ops/linear');
    expect(await message(folder, { filter: 'quadratic' })).toMatchInlineSnapshot(
      `"FileError: verify: : there is no manifest of a fixture here with 'quadratic' in its path"`,
    );
    await writeFile(join(folder, 'alone.safetensors'), '');
    expect(await message(join(folder, 'alone.safetensors'))).toMatchInlineSnapshot(
      `"FileError: verify: /alone.safetensors: no manifest (.json) in its folder names this file"`,
    );
  });

  it('prints JSON', async () => {
    await take('ops/cross_entropy');
    expect(await verify(context, [folder], { json: true })).toBe(true);
    const { passed, failed, rows } = JSON.parse(lines.join('\n'));
    expect([passed, failed, rows.length]).toEqual([4, 0, 4]);
    expect(rows[0]).toMatchObject({ manifest: 'ops/cross_entropy.json', family: 'cross_entropy', pass: true });
  });

  it('writes what was computed under the keys of the fixture, so that it can stand for it', async () => {
    await take('ops/linear', 'ops/gather');
    const out = join(folder, 'out');
    expect(await verify(context, [folder], { out, filter: 'ops' })).toBe(true);
    expect((await readdir(join(out, 'ops'))).sort()).toEqual(['gather.safetensors', 'linear.safetensors']);
    const read = async (path: string) => readSafetensors(await readFile(path), path).tensors;
    for (const name of ['gather', 'linear']) {
      const given = await read(join(folder, `ops/${name}.safetensors`));
      const computed = await read(join(out, `ops/${name}.safetensors`));
      const results = [...given.keys()].filter((key) => /\/(out|grad)\./.test(key));
      expect([...computed.keys()].sort()).toEqual(results.sort());
      for (const [key, { dtype, shape }] of computed) {
        expect([dtype, shape]).toEqual([given.get(key)?.dtype, given.get(key)?.shape]);
      }
      const both = [...given, ...computed].map(([key, stored]): [string, WritableTensor] => [
        key,
        stored.dtype === 'I32'
          ? { dtype: 'I32', shape: stored.shape, data: toInt32(stored) }
          : { dtype: 'F32', shape: stored.shape, data: toFloat32(stored) },
      ]);
      await writeFile(join(folder, `ops/${name}.safetensors`), writeSafetensors(new Map(both)));
    }
    expect(await verify(context, [join(folder, 'ops')], { json: true })).toBe(true);
    const { rows } = JSON.parse(lines.slice(lines.lastIndexOf('{')).join('\n'));
    expect(rows.every(({ error }: { error: number }) => error === 0)).toBe(true);
  });

  it('writes nothing out of --out, whatever a manifest or a link says', async () => {
    await take('ops/linear');
    const manifest = JSON.parse(await readFile(join(folder, 'ops/linear.json'), 'utf8'));
    await mkdir(join(folder, 'deep/a'), { recursive: true });
    await rename(join(folder, 'ops/linear.safetensors'), join(folder, 'x.safetensors'));
    await writeFile(join(folder, 'deep/a/m.json'), JSON.stringify({ ...manifest, file: '../../x.safetensors' }));
    const out = join(folder, 'one/two/out');
    expect(await verify(context, [join(folder, 'deep/a')], { out })).toBe(false);
    expect(failures()).toEqual(['  FAIL file m.json: ../../x.safetensors is not in --out; it was not written']);
    await rename(join(folder, 'x.safetensors'), join(folder, 'deep/a/x.safetensors'));
    await writeFile(join(folder, 'deep/a/m.json'), JSON.stringify({ ...manifest, file: 'x.safetensors' }));
    await mkdir(join(folder, 'mine'));
    await mkdir(out, { recursive: true });
    await symlink(join(folder, 'mine'), join(out, 'a'));
    lines = [];
    expect(await verify(context, [join(folder, 'deep')], { out })).toBe(false);
    expect(await readdir(join(folder, 'mine'))).toEqual([]);
    expect(await readdir(join(folder, 'one'), { recursive: true })).toEqual(['two', 'two/out', 'two/out/a']);
  });
});

/**
 * What is not in `test/fixtures`, whose fixtures `test/zeroseg/fixtures.test.ts` computes: neither a file of the same bytes nor
 * another seed of the same configuration.
 */
async function others(): Promise<string[]> {
  const files = (await readdir(shared, { recursive: true }).catch(() => [])).filter((name) => name.endsWith('.json'));
  const isHere = async (name: string) => {
    const read = (path: string) => readFile(path).catch(() => undefined);
    const [theirs, ours] = await Promise.all([read(join(shared, name)), read(join(fixtures, name))]);
    return ours !== undefined && theirs?.equals(ours);
  };
  const known = await Promise.all(files.map(isHere));
  const isKnown = (name: string) => known[files.indexOf(name)];
  const withoutSeed = (name: string) => name.replace(/-seed\d+\.json$/, '');
  return files
    .filter((name) => !isKnown(name))
    .filter((name) => !files.some((other) => isKnown(other) && withoutSeed(other) === withoutSeed(name)))
    .sort();
}

test.for(await others())('%s, beside this checkout, agrees', { timeout: 3_600_000 }, async (name) => {
  const agreed = await verify(context, [join(shared, name)], {});
  expect(failures()).toEqual([]);
  expect(agreed).toBe(true);
});

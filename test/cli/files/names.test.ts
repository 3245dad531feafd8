/** Names that every JavaScript object has are names: nobody has a class, a preset or a file called so unless they say so. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encode } from 'fast-png';
import { afterAll, describe, expect, it } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import { openDataSet } from '../../../cli/src/photos/data-sets.ts';
import { findModel } from '../../../cli/src/runs/find-model.ts';
import { oneOf, parseNames } from '../../../cli/src/shell/arguments.ts';
import { parseClasses } from '../../../cli/src/shell/class-choices.ts';
import { resolveOptions } from '../../../cli/src/shell/train-options.ts';
import { Fields } from '../../../cli/src/verify/manifest.ts';
import { kindOf } from '../../../cli/src/verify/verify.ts';
import { openClip } from '../../../cli/src/weights/clip-folder.ts';
import { ZeroSegError } from '../../../src/gpu/errors.ts';
import { ownValue } from '../../../src/gpu/own-value.ts';
import { parseVariant } from '../../../src/kernels/matmul/variants.ts';
import { readSafetensors, writeSafetensors } from '../../../src/nn/safetensors/index.ts';
import { fillTemplate, templateList } from '../../../src/zeroseg/clip/vocabulary.ts';
import { firstRepeated } from '../../../src/zeroseg/host/first-repeated.ts';
import { baseConfig, resolveConfig } from '../../../src/zeroseg/model/config.ts';
import { SceneAtlas } from '../../../src/zeroseg/scenes/atlas.ts';
import { plural } from '../../../src/zeroseg/scenes/caption.ts';
import { Tokenizer } from '../../../src/zeroseg/text/tokenizer.ts';
import { objectNames } from '../../support/hostile.ts';

const folder = await mkdtemp(join(tmpdir(), 'zeroseg-names-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const key = { teacher: 't', dim: 8, grids: [1] };
const features = { folder: 'f', length: 64, key };
const object = (name: string, value: unknown) => Object.fromEntries([[name, value]]);

/** Places where a name is looked up that is not there: an error that repeats the name. */
const refused: Readonly<Record<string, (name: string) => unknown>> = {
  'a key of a configuration': (name) => resolveConfig(object(name, 1)),
  'a key with an object': (name) => resolveConfig(object(name, { image: 8 })),
  '--config': (name) => resolveOptions({ config: name }, features),
  '--set': (name) => resolveOptions({ config: 'tiny', set: [`${name}={"image":8}`] }, features),
  '--set of a number': (name) => resolveOptions({ config: 'tiny', set: [`${name}=1`] }, features),
  '--clip': (name) => openClip(name),
  '--model': (name) => findModel(name),
  '--templates': (name) => templateList(name as 'full'),
  'a data set': (name) => openDataSet(name as 'voc', folder),
  'a choice': (name) => {
    try {
      oneOf('a', 'b')(name);
    } catch {
      throw new (class extends ZeroSegError {
        readonly code = 'choice';
      })(name);
    }
  },
};

/** Places where it is a name like any other. */
const taken: Readonly<Record<string, (name: string) => unknown>> = {
  '--classes': async (name) => expect(await parseClasses(name)).toEqual([{ name, words: [name] }]),
  'a list of names': (name) => expect(parseNames(`dog, ${name}`)).toEqual(['dog', name]),
  'a name twice': (name) => expect(firstRepeated([name, 'a', name])).toBe(name),
  'a table': (name) => {
    expect(ownValue<unknown>({}, name)).toBeUndefined();
    expect(ownValue(object(name, 5), name)).toBe(5);
  },
  'a tensor and metadata': (name) => {
    const tensor = { dtype: 'F32' as const, shape: [1], data: Float32Array.of(7) };
    const { tensors, metadata } = readSafetensors(
      writeSafetensors([[name, tensor]], object(name, 'x') as Record<string, string>),
    );
    expect([...tensors.keys()]).toEqual([name]);
    expect(Object.entries(metadata)).toEqual([[name, 'x']]);
  },
  'a word': async (name) => {
    const tokenizer = await Tokenizer.clip();
    expect(tokenizer.decode(tokenizer.encode(name)).replaceAll(' ', '')).toBe(name.toLowerCase());
    expect(fillTemplate('a {}.', name)).toBe(`a ${name}.`);
    expect(plural(name)).toMatch(new RegExp(`^${name.slice(0, -1)}`));
  },
  'a symbol of a vocabulary': (name) => {
    const vocab = Object.fromEntries([...new Set(name)].map((letter, i) => [letter, i]));
    const ids = { ...vocab, ...object(name, 100), '<|startoftext|>': 101, '<|endoftext|>': 102 };
    expect(Tokenizer.fromTokenizerJson({ model: { vocab: ids, merges: [] } }).decode([100, 102])).toBe(name);
  },
  'a class and a style of an atlas': (name) => {
    const index = {
      format: 'zeroseg-atlas',
      version: 1,
      side: 2,
      columns: 1,
      styles: [name],
      classes: [{ name, group: name, keywords: [name] }],
    };
    const png = encode({ width: 2, height: 2, data: new Uint8Array(16).fill(9), channels: 4 });
    expect(SceneAtlas.parse(png, index).cutOut(name, name)[0]).toBe(9);
    expect(() => SceneAtlas.parse(png, { ...index, styles: ['s'] }).cutOut(name, name)).toThrow(ZeroSegError);
  },
  'a field of a manifest': (name) => {
    expect(new Fields({}, 'x').has(name)).toBe(false);
    expect(new Fields({}, 'x').raw(name)).toBeUndefined();
    expect(new Fields(object(name, 1), 'x').number(name)).toBe(1);
    expect(kindOf(object(name, []))).toBeUndefined();
  },
  'a variant that was kept': (name) => expect(parseVariant(name)).toBeUndefined(),
};

describe('names that every object has', () => {
  for (const name of objectNames) {
    it(name, async () => {
      for (const [place, look] of Object.entries(refused)) {
        const error: unknown = await Promise.resolve(name)
          .then(look)
          .then(
            () => undefined,
            (thrown: unknown) => thrown,
          );
        expect(error, place).toBeInstanceOf(ZeroSegError);
        expect((error as Error).message, place).toContain(name);
      }
      for (const use of Object.values(taken)) await use(name);
      expect(resolveConfig({})).toEqual(baseConfig);
    });
  }

  it('as arguments of every command that looks one up', async () => {
    const some = objectNames.slice(0, 3);
    const lines: string[] = [];
    const terminal = { out: (line: string) => void lines.push(line), note: (line: string) => void lines.push(line) };
    const out = join(folder, 'out');
    for (const name of some) {
      for (const args of [
        [name],
        ['experiment', name, '--out', out],
        ['scenes', '--out', out, '--classes', name],
        ['scenes', '--out', out, '--styles', name],
        ['scenes', '--out', out, '--grounds', name],
        ['scenes', '--out', out, '--preset', name],
        ['eval', '--data', name, '--root', folder, '--model', 'm', '--clip', 'c'],
        ['score', '--classes', name],
        ['bench', '--json', name],
        ['cache', folder, '--clip', name, '--out', out],
      ]) {
        lines.length = 0;
        expect(await commandLine(args, terminal), args.join(' ')).toBe(1);
        expect(lines.join('\n'), args.join(' ')).not.toMatch(/unexpected error|undefined|\[object|native code/);
      }
    }
  });
});

import { expect, it } from 'vitest';
import * as library from '../src/index.ts';
import * as zeroseg from '../src/zeroseg/index.ts';

/** Every source file as text. */
const sources = import.meta.glob(['../src/**/*.ts', '../cli/src/**/*.ts'], {
  query: '?raw',
  import: 'default',
  eager: true,
}) as Record<string, string>;

/** Every class of errors with the one that it extends, and its code. */
const classes = Object.entries(sources).flatMap(([file, text]) =>
  [...text.matchAll(/class (\w+) extends (\w*Error)\b([\s\S]*?)\n\}/g)].map(([, name = '', base = '', body = '']) => ({
    file: file.replace(/^\.\.\/(cli\/)?src\//, ''),
    name,
    base,
    code: /readonly code(?:: string)? = '([^']+)'/.exec(body)?.[1],
  })),
);

it('every class of errors is one for users, with a code of its own', () => {
  expect(classes.length).toBeGreaterThan(20);
  const bases = new Set([
    'ZeroSegError',
    ...classes.filter(({ base }) => base === 'ZeroSegError').map(({ name }) => name),
  ]);
  expect(classes.filter(({ base }) => !bases.has(base))).toEqual([
    { file: 'gpu/errors.ts', name: 'ZeroSegError', base: 'Error', code: undefined },
  ]);
  const own = classes.filter(({ name }) => name !== 'ZeroSegError');
  expect(own.filter(({ code }) => code === undefined)).toEqual([]);
  expect(new Set(own.map(({ code }) => code)).size).toBe(own.length);
});

it('codes are what they were: programs depend on them', () => {
  expect(Object.fromEntries(classes.map(({ name, code }) => [name, code]))).toMatchInlineSnapshot(`
    {
      "ArgumentError": "argument",
      "CacheError": "cache",
      "CheckpointError": "checkpoint",
      "ConfigError": "config",
      "DataSetError": "data-set",
      "DeviceError": "device",
      "FileError": "file",
      "FixtureError": "fixture",
      "FontError": "font",
      "ImageError": "image",
      "Interrupted": "interrupted",
      "KernelError": "kernel",
      "LockError": "lock",
      "MatError": "mat-file",
      "MpiError": "mpi",
      "NotFiniteError": "not-finite",
      "OutOfMemoryError": "out-of-memory",
      "PixelError": "pixel",
      "RunError": "run",
      "SceneError": "scene",
      "ScoreError": "score",
      "ShapeError": "shape",
      "StepError": "step",
      "TrainingError": "training",
      "UsageError": "usage",
      "VocabularyError": "vocabulary",
      "WgslError": "wgsl",
      "ZeroSegError": undefined,
    }
  `);
});

it('nothing else is thrown, but for what cannot happen', () => {
  const bare = Object.entries(sources).flatMap(([file, text]) =>
    [...text.matchAll(/new (\w*Error)\(\s*([`'"]?.{0,10})/g)]
      .filter(
        ([, name = '', words = '']) =>
          /^(?:Range|Type|Syntax|Reference|Eval|URI)?Error$/.test(name) && !/^[`'"]internal: /.test(words),
      )
      .map(([whole]) => `${file.replace(/^\.\.\/(cli\/)?src\//, '')}: ${whole}`),
  );
  expect(bare).toEqual([
    // As `JSON.parse`, in whose place it stands: whoever calls it knows what the text is.
    'gpu/json.ts: new SyntaxError(`it is nest',
    // The place of a launch, never thrown.
    'tensor/graph/record.ts: new Error().stack : ',
  ]);
});

it('the base and its classes are exported', () => {
  const exported = { ...library, ...zeroseg } as Record<string, unknown>;
  const files = /^(?:gpu|tensor|kernels|nn|zeroseg)\//;
  // Fonts are told by `createLettering`, fixtures by the rows of `verifyFixture`.
  const inner = new Set(['FontError', 'FixtureError']);
  for (const { file, name } of classes) {
    if (!files.test(file) || inner.has(name)) continue;
    expect(exported[name], name).toBeTypeOf('function');
    if (name !== 'ZeroSegError')
      expect((exported[name] as typeof Error).prototype).toBeInstanceOf(library.ZeroSegError);
  }
});

it('an error tells its kind by its code', () => {
  const error: unknown = new library.ShapeError('matmul', 'inner sizes must agree', { a: [2, 3] });
  expect(error).toBeInstanceOf(library.ZeroSegError);
  expect((error as library.ZeroSegError).code).toBe('shape');
});

import { expect, it } from 'vitest';

/** Every source file as text, by its path in the repository. */
const sources: ReadonlyMap<string, string> = new Map(
  Object.entries(
    import.meta.glob(['../src/**/*.ts', '../cli/src/**/*.ts', '!**/*.d.ts'], {
      query: '?raw',
      import: 'default',
      eager: true,
    }) as Record<string, string>,
  ).map(([file, text]) => [file.replace('../', ''), text]),
);

/**
 * The rooms, from the ground up: a room imports only from rooms before it. A folder that is not listed belongs to the room
 * around it. Rooms that begin with `cli/` are the package `zeroseg`, which reaches the others by the name of their package.
 */
const rooms = [
  'src/gpu',
  'src/tensor/values',
  'src/tensor/graph',
  'src/tensor/run',
  'src/kernels/axis',
  'src/kernels/layout',
  'src/kernels/elementwise',
  'src/kernels/comparison',
  'src/kernels/functions',
  'src/kernels/statistics',
  'src/kernels/indexing',
  'src/kernels/random',
  'src/kernels/row-ops',
  'src/kernels/matmul',
  'src/kernels/spatial',
  'src/kernels/attention',
  'src/kernels/optimizer',
  'src/kernels/zeroseg',
  'src/kernels',
  'src/nn/safetensors',
  'src/nn/torch',
  'src/nn/layers',
  'src/nn/optimizer',
  'src/nn/distributed',
  'src/nn',
  'src/zeroseg/host',
  'src/zeroseg/storage',
  'src/zeroseg/image',
  'src/zeroseg/regions',
  'src/zeroseg/text',
  'src/zeroseg/checkpoints',
  'src/zeroseg/runs',
  'src/zeroseg/model',
  'src/zeroseg/vit',
  'src/zeroseg/clip',
  'src/zeroseg/clip-files',
  'src/zeroseg/siglip',
  'src/zeroseg/clip-training',
  'src/zeroseg/groupvit',
  'src/zeroseg/segclip',
  'src/zeroseg/features',
  'src/zeroseg/training',
  'src/zeroseg/inspection',
  'src/zeroseg/pixels',
  'src/zeroseg/inference',
  'src/zeroseg/open-vocabulary',
  'src/zeroseg/scenes',
  'src/zeroseg/teacher-scenes',
  'src/zeroseg/drawing',
  'src/zeroseg/evaluation',
  'src/zeroseg/finetune',
  'src/zeroseg/baselines',
  'src/zeroseg/studies',
  'src/zeroseg/demo',
  'src/zeroseg/votes',
  'src/zeroseg',
  'src',
  'cli/src/files',
  'cli/src/mpi',
  'cli/src/archives',
  'cli/src/photos',
  'cli/src/weights',
  'cli/src/features',
  'cli/src/runs',
  'cli/src/bench',
  'cli/src/wgsl',
  'cli/src/gpu-model',
  'cli/src/plan',
  'cli/src/verify',
  'cli/src/page',
  'cli/src/shell',
  'cli/src/hub',
  'cli/src/html',
  'cli/src/completion',
  'cli/src/segments',
  'cli/src/votes',
  'cli/src/evaluations',
  'cli/src/studies',
  'cli/src/inspect',
  'cli/src/reports',
  'cli/src/commands',
  'cli/src',
] as const;

/** Packages and aliases that the library may import, and who may. Whatever is not listed is refused. */
const packages: Readonly<Record<string, RegExp>> = {
  '#provider': /^src\/gpu\//,
  fflate: /^src\/zeroseg\//,
  'fastest-levenshtein': /^src\/zeroseg\/(clip|host)\//,
  tinyqueue: /^src\/zeroseg\/text\//,
  'character-entities': /^src\/zeroseg\/text\//,
  'character-entities-legacy': /^src\/zeroseg\/text\//,
  'fast-png': /^src\/zeroseg\/scenes\//,
  webgpu: /\.node\.ts$/,
  'tar-fs': /\.node\.ts$/,
};

/** Platform-neutral code may use these globals of browsers, workers and Node alike, and what ECMAScript itself has. */
const isNodeFile = (file: string): boolean => file.startsWith('cli/') || file.endsWith('.node.ts');

interface Import {
  readonly file: string;
  readonly specifier: string;
}

const importsOf = (files: Iterable<readonly [string, string]>): Import[] =>
  [...files].flatMap(([file, text]) =>
    [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'([^'\s]+)'/gm)].map(([, specifier = '']) => ({
      file,
      specifier,
    })),
  );

const imports: readonly Import[] = importsOf(sources);

const roomOf = (file: string): string => {
  let folder = file.slice(0, file.lastIndexOf('/'));
  while (!(rooms as readonly string[]).includes(folder) && folder.includes('/')) {
    folder = folder.slice(0, folder.lastIndexOf('/'));
  }
  return folder;
};

const floorOf = (file: string): number => (rooms as readonly string[]).indexOf(roomOf(file));

/** The file that a relative import means. */
const target = ({ file, specifier }: Import): string => new URL(specifier, `file:///${file}`).pathname.slice(1);

it('knows the room of every file, and every room has files', () => {
  expect(sources.size).toBeGreaterThan(250);
  expect([...sources.keys()].filter((file) => floorOf(file) < 0)).toEqual([]);
  const used = new Set([...sources.keys()].map(roomOf));
  expect(rooms.filter((room) => !used.has(room))).toEqual([]);
});

it('imports point down, from room to room', () => {
  const up = imports
    .filter(({ specifier }) => specifier.startsWith('.'))
    .filter((one) => floorOf(target(one)) > floorOf(one.file));
  expect(up.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('a room is entered by its index.ts: what is not there is its own', () => {
  const deep = imports.filter((one) => {
    if (!one.specifier.startsWith('.')) return false;
    const to = target(one);
    return roomOf(to) !== roomOf(one.file) && to !== `${roomOf(to)}/index.ts`;
  });
  expect(deep.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('a file does not enter its own room by the front door', () => {
  const round = imports.filter(
    (one) =>
      one.specifier.startsWith('.') && target(one) === `${roomOf(one.file)}/index.ts` && roomOf(one.file) !== 'src',
  );
  expect(round.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('below the files for Node, only listed packages are imported, and no module of Node', () => {
  const wrong = imports.filter(({ file, specifier }) => {
    if (specifier.startsWith('.') || file.startsWith('cli/')) return false;
    if (isNodeFile(file) && specifier.startsWith('node:')) return false;
    return !packages[specifier]?.test(file);
  });
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('what measures devices does so in browsers too: no module of Node, and no file but its own', () => {
  const wrong = imports.filter(
    (one) =>
      /^cli\/src\/(bench|wgsl|gpu-model)\//.test(one.file) &&
      (one.specifier.startsWith('.')
        ? !/^cli\/src\/(bench|wgsl|gpu-model)\//.test(target(one))
        : !/^(@zeroseg\/core(\/.*)?|tinybench)$/.test(one.specifier)),
  );
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('the command line reaches the library by the names of its packages', () => {
  const wrong = imports.filter(
    (one) => one.file.startsWith('cli/') && one.specifier.startsWith('.') && !target(one).startsWith('cli/src/'),
  );
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

it('the page reaches the library by the names of its packages', () => {
  const files = import.meta.glob(['../web/src/**/*.{ts,tsx}', '!**/*.d.ts'], {
    query: '?raw',
    import: 'default',
    eager: true,
  }) as Record<string, string>;
  const all = importsOf(Object.entries(files).map(([file, text]) => [file.replace('../', ''), text]));
  expect(all.length).toBeGreaterThan(50);
  const wrong = all.filter(({ file, specifier }) =>
    specifier.startsWith('.')
      ? !target({ file, specifier }).startsWith('web/')
      : /^@zeroseg\/core\/(?!nn$|zeroseg$)/.test(specifier),
  );
  expect(wrong.map(({ file, specifier }) => `${file} imports ${specifier}`)).toEqual([]);
});

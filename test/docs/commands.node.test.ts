/** Every command in the documentation is taken by the parser that it is meant for; those of the guides run, one after the other. */
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { resolveOptions, type TrainOptions } from '../../cli/src/shell/train-options.ts';
import { temporaryFolder, useCommandLine, writeClip, writeConfig, writePhotos, writeVoc } from '../support/made-up.ts';
import { parseYaml } from './block-yaml.ts';
import { makeProgram } from './command-reference.ts';
import { blocksIn, repository } from './markdown.ts';
import { commandsIn } from './shell.ts';

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
}
const manifest: Manifest = JSON.parse(await readFile(join(repository, 'package.json'), 'utf8'));

/** What is looked at of a job of the MPI operator. */
interface MpiJob {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly slotsPerWorker: number;
    readonly mpiReplicaSpecs: Readonly<Record<'Launcher' | 'Worker', Replicas>>;
  };
}

interface Replicas {
  readonly replicas: number;
  readonly template: {
    readonly spec: {
      readonly containers: readonly {
        readonly command?: readonly string[];
        readonly args?: readonly string[];
        readonly resources?: { readonly limits: Readonly<Record<string, number>> };
        readonly volumeMounts?: readonly { readonly name: string }[];
      }[];
      readonly volumes?: readonly { readonly name: string }[];
    };
  };
}

const commands = blocksIn('sh').flatMap(({ page, text }) => commandsIn(text).map((words) => ({ page, words })));

/** The arguments of `zeroseg` in a command that calls it, by whatever name. */
function zerosegArguments([first, second, third, ...rest]: readonly string[]): readonly string[] | undefined {
  const all = [first, second, third, ...rest].filter((word) => word !== undefined);
  if (first === 'mpirun' || first === 'srun') return zerosegArguments(all.slice(all.indexOf('npx')));
  if (first === 'zeroseg') return all.slice(1);
  if (first === 'npx' && second === 'zeroseg') return all.slice(2);
  if (first === 'node' && second === 'cli/bin/zeroseg.js') return all.slice(2);
  if (first === 'npm' && second === 'run') {
    const called = /node cli\/bin\/zeroseg\.js (.+)$/.exec(manifest.scripts[third ?? ''] ?? '')?.[1];
    if (called !== undefined) return [...called.split(' '), ...rest.slice(rest[0] === '--' ? 1 : 0)];
  }
  return undefined;
}

/** What is wrong with the arguments of `zeroseg`: the parser's own words. Nothing is run. */
async function zerosegProblem(args: readonly string[]): Promise<string | undefined> {
  if (args.length === 1 && /^--(help|version)$/.test(args[0] as string)) return undefined;
  const program = makeProgram();
  const command = program.commands.find((one) => one.name() === args[0]);
  if (!command) return `there is no command ${args[0]}`;
  let problem: string | undefined;
  command.configureOutput({ writeErr: () => undefined, writeOut: () => undefined });
  command.action(() => undefined);
  try {
    // What a file of options holds is not known: nothing is missing, as where options are only printed.
    const file = args.indexOf('--options');
    const given = file < 0 ? args : [...args.slice(0, file), '--print-options', ...args.slice(file + 2)];
    await program.parseAsync([...given], { from: 'user' });
    if (command.name() === 'train') await trainingOf(command.opts());
  } catch (error) {
    const { message, code } = error as { message: string; code?: string };
    if (code !== 'commander.helpDisplayed' && code !== 'zeroseg.printOptions') problem = message;
  }
  return problem;
}

/** Keys and values of `--set`, and presets, are checked when a training begins: against a cache that fits. */
async function trainingOf(options: TrainOptions): Promise<void> {
  if (options.config?.endsWith('.json')) return;
  const isSmall = options.config !== undefined;
  const key = { teacher: 'any', dim: isSmall ? 64 : 768, grids: [1, 2, 3, 4] };
  await resolveOptions(options, { folder: 'cache', length: 100_000, key });
}

/** Commands of other programs that the documentation may use, and what of them can be checked here. */
const others: readonly { readonly is: RegExp; readonly problem: (words: readonly string[]) => string | undefined }[] = [
  { is: /^cd |^git clone |^npm create vite@latest /, problem: () => undefined },
  { is: /^npm (ci|test)\b/, problem: () => undefined },
  {
    is: /^npm run /,
    problem: ([, , script = '', ...more]) => {
      const called = manifest.scripts[script];
      if (called === undefined) return `package.json has no script ${script}`;
      const file = /node (\S+main\.mjs)$/.exec(called)?.[1];
      return file === undefined ? undefined : optionProblem(file, more);
    },
  },
  {
    is: /^npm pack /,
    problem: ([, , ...folders]) => missing(folders.map((folder) => join(folder, 'package.json'))),
  },
  {
    is: /^npm install /,
    problem: ([, , ...words]) =>
      words
        .filter((word) => word.endsWith('.tgz'))
        .find((word) => !new RegExp(`^zeroseg(-core|-pretrained)?-${manifest.version}\\.tgz$`).test(basename(word))),
  },
  {
    is: /^npx vitest run --project (node|browser|package)\b/,
    problem: ([, , , , , ...files]) => missing(files.filter((file) => !file.startsWith('-'))),
  },
  {
    is: /^npx (biome|tsc|vite)\b/,
    problem: ([, program = '']) => missing([`node_modules/.bin/${program}`]),
  },
  { is: /^(node|bash) scripts\//, problem: ([, script = '']) => missing([script]) },
];

function missing(files: readonly string[]): string | undefined {
  const found = files.find((file) => !existsSync(join(repository, file)));
  return found === undefined ? undefined : `${found} is not there`;
}

/** Options of the benchmarks that are not of `zeroseg`: their programs list them in a call of `readOptions`. */
async function optionsOf(file: string): Promise<readonly string[]> {
  const source = await readFile(join(repository, file), 'utf8');
  const list = /readOptions\(command, \{([\s\S]*?)\n\}\)/.exec(source)?.[1] ?? '';
  return [...list.matchAll(/^ {2}(\w+): \{/gm)].map(([, name = '']) => `--${name}`);
}
const benchOptions = new Map(
  await Promise.all(
    ['bench/peers/main.mjs', 'bench/ladder/main.mjs', 'bench/plan/main.mjs', 'bench/cache/main.mjs'].map(
      async (file) => [file, await optionsOf(file)] as const,
    ),
  ),
);

function optionProblem(file: string, words: readonly string[]): string | undefined {
  const known = benchOptions.get(file) ?? [];
  const strange = words.find((word) => word.startsWith('--') && word !== '--' && !known.includes(word));
  return strange === undefined ? undefined : `${file} has no option ${strange}; it has ${known.join(', ')}`;
}

async function problemOf(words: readonly string[]): Promise<string | undefined> {
  const args = zerosegArguments(words);
  if (args) return zerosegProblem(args);
  const line = words.join(' ');
  const other = others.find(({ is }) => is.test(line));
  return other ? other.problem(words) : 'no test knows how to check this command';
}

test('every command in every page is understood: it exists, its options do, their values are valid', async () => {
  expect(commands.length).toBeGreaterThan(60);
  const problems: string[] = [];
  for (const { page, words } of commands) {
    const problem = await problemOf(words);
    if (problem !== undefined) problems.push(`${page}: ${words.join(' ')}: ${problem}`);
  }
  expect(problems).toEqual([]);
});

test('the manifest for Kubernetes parses, and its command is one that the command line takes', async () => {
  const [manifest] = blocksIn('yaml').map(({ text }) => parseYaml(text) as unknown as MpiJob);
  const { Launcher, Worker } = (manifest as MpiJob).spec.mpiReplicaSpecs;
  expect([manifest?.apiVersion, manifest?.kind]).toEqual(['kubeflow.org/v2beta1', 'MPIJob']);
  const [launcher, worker] = [Launcher.template.spec.containers[0], Worker.template.spec.containers[0]] as const;
  const command = [...(launcher?.command ?? []), ...(launcher?.args ?? [])];
  // In a manifest numbers are no words: Kubernetes refuses them.
  expect(command.filter((word) => typeof word !== 'string')).toEqual([]);
  expect(command.slice(0, 3)).toEqual([
    'mpirun',
    '-n',
    String(Worker.replicas * (manifest as MpiJob).spec.slotsPerWorker),
  ]);
  expect(await zerosegProblem(zerosegArguments(command) as readonly string[])).toBeUndefined();
  const volumes = Worker.template.spec.volumes?.map(({ name }) => name);
  expect(worker?.volumeMounts?.map(({ name }) => name)).toEqual(volumes);
  expect(worker?.resources?.limits).toEqual({ 'nvidia.com/gpu': 1 });
  expect(() => parseYaml('a: 1\n    b: 2')).toThrowErrorMatchingInlineSnapshot(
    `[Error: yaml: 'b: 2' stands too far right]`,
  );
});

test('a wrong command would be noticed', async () => {
  const wrong = [
    'npx zeroseg segmentt a.jpg',
    'zeroseg segment a.jpg --classes dog --colour red --out out',
    'zeroseg train --cache c --out o --config tiny --set mask_ration=0.5',
    'zeroseg score --scenes many',
    'npm run bench:peers -- --turns 3',
    'npm run nothing',
    'curl https://example.org/weights',
  ];
  for (const line of wrong) expect(await problemOf(commandsIn(line)[0] ?? []), line).toEqual(expect.any(String));
});

/** Pages whose commands of `zeroseg` run, in this order, in one folder that was empty. What ran before with the same options is left out. */
const guides = ['README.md', 'docs/training.md'];

/** What makes a command short: options that are added to it. The last of two counts. */
const shortened: readonly { readonly is: RegExp; readonly by: readonly string[]; readonly because: string }[] = [
  {
    is: /^train (?!.*--resume)/,
    by: ['--config', 'small.json', '--steps', '2'],
    because: 'the full model learns for weeks without a GPU, and 1.7 GB of CLIP are stood in for by a small one',
  },
  { is: /^train .*--resume/, by: ['--steps', '4'], because: 'goes on for as long' },
  { is: /^score /, by: ['--scenes', '1', '--templates', 'identity'], because: 'scores 500 scenes in minutes' },
  { is: /^scenes /, by: ['--count', '2'], because: 'makes thousands' },
  { is: /^segment .*built-in/, by: ['--templates', 'identity'], because: 'embeds 54 names in 80 sentences' },
  {
    is: /^(segment|eval) .*clip-vit-large/,
    by: ['--tokenizer', 'hash'],
    because: 'the small CLIP has not 49,408 words',
  },
];

/** What is not run here. */
const notRun: readonly { readonly is: RegExp; readonly because: string }[] = [
  { is: /^demo/, because: 'takes minutes; test/cli/commands/demo.test.ts runs it' },
  {
    is: /^train-teacher /,
    because:
      'learns for half an hour; the built-in teacher stands in, and test/cli/commands/train-teacher.test.ts runs it',
  },
  {
    is: /^train .*--config scenes/,
    because:
      'compiles for a minute on SwiftShader; the built-in student stands in, and test/cli/commands/demo.test.ts trains one',
  },
  { is: /^experiment /, because: 'takes hours; test/cli/commands/experiment.test.ts runs it' },
  { is: /^bench/, because: 'takes a minute; test/cli/commands/bench.test.ts runs it' },
  { is: /^verify /, because: 'test/cli/commands/verify.test.ts runs it' },
  { is: /^page/, because: 'serves until it is stopped' },
  {
    is: /^download /,
    because: 'needs the network: 1.7 GB; test/cli/hub/download.test.ts downloads from a server of its own',
  },
  { is: /^--help/, because: 'prints' },
];

describe('the commands of the guides', () => {
  const zeroseg = useCommandLine();
  const before = process.cwd();
  beforeAll(async () => {
    const folder = await temporaryFolder();
    await writePhotos(join(folder, 'photos'), 6);
    await writeClip(join(folder, 'clip-vit-large-patch14'));
    await writeVoc(join(folder, 'VOCdevkit/VOC2012'), 3);
    await writeConfig(join(folder, 'small.json'));
    await cp(join(repository, 'pretrained/teacher'), join(folder, 'teacher'), { recursive: true });
    await mkdir(join(folder, 'runs/scenes'), { recursive: true });
    const student = join(repository, 'pretrained/student/student.safetensors');
    await copyFile(student, join(folder, 'runs/scenes/model.safetensors'));
    await copyFile(join(repository, 'pretrained/photos/nagasaki-boats.jpg'), join(folder, 'photo.jpg'));
    process.chdir(folder);
  });
  afterAll(() => process.chdir(before));

  const ran = new Set<string>();
  const lines = guides
    .flatMap((guide) => commands.filter(({ page }) => page === guide))
    .flatMap(({ words }) => {
      const args = zerosegArguments(words);
      if (!args || notRun.some(({ is }) => is.test(args.join(' ')))) return [];
      // Another run is another training; another photo is not another way to segment.
      const isMade = /^(cache|train|scenes)$/.test(args[0] as string);
      const key = isMade ? args.join(' ') : [args[0], ...args.filter((arg) => arg.startsWith('--')).sort()].join(' ');
      return ran.size === ran.add(key).size ? [] : [args];
    });

  test.each(lines.map((args) => [args.join(' '), args] as const))('zeroseg %s', async (line, args) => {
    const more = shortened.find(({ is }) => is.test(line))?.by ?? [];
    const { code, err } = await zeroseg(...args, ...more);
    expect([code, code === 0 ? '' : err]).toEqual([0, '']);
  });
});

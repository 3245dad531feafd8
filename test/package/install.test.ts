import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { checkFirstExample } from './first-example.ts';
import {
  bytesBelow,
  exampleOf,
  firstExample,
  install,
  type PackageName,
  packAll,
  repository,
  run,
} from './projects.ts';

const MB = 1e6;

describe('what is packed', () => {
  it.each<[PackageName, readonly string[]]>([
    [
      '@zeroseg/core',
      ['dist/index.js', 'dist/index.d.ts', 'dist/nn/index.js', 'dist/distributed.d.ts', 'dist/zeroseg/index.js'],
    ],
    ['zeroseg', ['bin/zeroseg.js', 'dist/main.js', 'dist/index.d.ts', 'page/index.html']],
    ['@zeroseg/pretrained', ['index.js', 'index.d.ts', 'student/student.safetensors', 'scenes/atlas.png']],
  ])('%s: what a user needs, licence and notices, and nothing of the development', async (name, needed) => {
    const { paths } = packAll().packages[name];
    expect(paths).toEqual(expect.arrayContaining([...needed, 'LICENSE', 'README.md', 'THIRD-PARTY-NOTICES.md']));
    expect(paths.filter((path) => /^(test|bench|scripts|docs|out|\.ci|node_modules)\//.test(path))).toEqual([]);
  });

  it.each<PackageName>(['@zeroseg/core', 'zeroseg', '@zeroseg/pretrained'])(
    '%s: no script that npm warns of where it installs a tarball',
    (name) => {
      const scripts = Object.keys(packAll().packages[name].manifest.scripts ?? {});
      expect(scripts.filter((script) => /^(pre|post)?(install|prepare)$/.test(script))).toEqual([]);
    },
  );

  it('the page that ships has no weights and drawings of its own: they are served from their package', async () => {
    const { paths } = packAll().packages.zeroseg;
    expect(paths.filter((path) => path.startsWith('page/pretrained'))).toEqual([]);
  });

  it('@zeroseg/core holds nothing of the other two', async () => {
    const { paths } = packAll().packages['@zeroseg/core'];
    expect(paths.filter((path) => /^(cli|pretrained)\/|\.(safetensors|png|jpg|woff)$/.test(path))).toEqual([]);
  });
});

describe("a page's project: @zeroseg/core without what Node alone needs", () => {
  it('installs at most 3.7 MB, and no adapter', async () => {
    const page = await install('size', ['@zeroseg/core'], { omitOptional: true });
    const installed = (await readdir(join(page, 'node_modules'))).filter((name) => !name.startsWith('.')).sort();
    expect(installed).toEqual([
      '@zeroseg',
      'character-entities',
      'character-entities-legacy',
      'fast-png',
      'fastest-levenshtein',
      'fflate',
      'iobuffer',
      'tinyqueue',
    ]);
    expect(await bytesBelow(join(page, 'node_modules'))).toBeLessThan(3.7 * MB);
  });
});

describe('a project for Node: @zeroseg/core', () => {
  let project = '';
  beforeAll(async () => {
    const example = await firstExample();
    project = await install('node', ['@zeroseg/core', '@zeroseg/pretrained'], { files: { 'first.mts': example } });
  });

  it('brings the adapters along as optional dependencies, and nothing of the command line', () => {
    const has = (name: string): boolean => existsSync(join(project, 'node_modules', name));
    expect(has('webgpu')).toBe(true);
    for (const name of ['sharp', 'commander', 'opentype.js', '@fontsource', 'zeroseg']) expect(has(name)).toBe(false);
  });

  it("runs the documentation's first example", async () => {
    await run(
      process.execPath,
      [
        join(repository, 'node_modules/typescript/bin/tsc'),
        '--module',
        'nodenext',
        '--target',
        'es2022',
        '--skipLibCheck',
        'first.mts',
      ],
      { cwd: project },
    );
    const { stdout } = await run(process.execPath, ['first.mjs'], { cwd: project });
    checkFirstExample(stdout.trim().split(/\s+/).map(Number));
  });

  it('reaches trained weights, scenes and photos by the name of their package', async () => {
    const program = `
      import { readFileSync } from 'node:fs';
      import { photos, scenes, student, teacher } from '@zeroseg/pretrained';
      import config from '@zeroseg/pretrained/student/config.json' with { type: 'json' };
      const urls = [student, teacher, scenes, photos].flatMap(Object.values);
      console.log(JSON.stringify([config !== null, ...urls.map((url) => readFileSync(url).length > 0)]));`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '--no-warnings', '--eval', program], {
      cwd: project,
    });
    expect(JSON.parse(stdout)).toEqual(Array(9).fill(true));
  });
});

describe('a project for Node: zeroseg', () => {
  let project = '';
  beforeAll(async () => {
    const example = await exampleOf('README.md', 'openVocabulary');
    const files = { 'segment.mjs': example };
    project = await install('command', ['@zeroseg/core', '@zeroseg/pretrained', 'zeroseg'], { files });
  });

  it('brings the command', async () => {
    const { stdout } = await run('npx', ['--no-install', 'zeroseg', '--version'], { cwd: project });
    expect(stdout.trim()).toBe(packAll().packages.zeroseg.manifest.version);
  });

  it.each(['linux', 'darwin'])('has a thread for each core to decode photos in, on %s', async (platform) => {
    // In the process that the user starts, and in that of the command, which it starts.
    const preload = `
      if (process.env.ZEROSEG_NOTES) process.on('exit', () => console.log('threads: ' + process.env.UV_THREADPOOL_SIZE));
      else {
        require('node:os').availableParallelism = () => 9;
        require('node:module').syncBuiltinESMExports();
        Object.defineProperty(process, 'platform', { value: '${platform}' });
      }`;
    await writeFile(join(project, 'preload.cjs'), preload);
    const args = ['--require', './preload.cjs', 'node_modules/zeroseg/bin/zeroseg.js', 'completion', 'bash'];
    const { UV_THREADPOOL_SIZE: _, ...env } = process.env;
    const { stdout } = await run(process.execPath, args, { cwd: project, env });
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('threads: 9');
  });

  it("runs README's segmentation by words", async () => {
    const { stdout } = await run(process.execPath, ['segment.mjs'], { cwd: project });
    expect(stdout).toMatch(/^512 410 (boat|water|sky)\n/);
  });
});

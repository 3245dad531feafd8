import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { firstExample, install, repository, run } from './projects.ts';

/** Runs a compiler over a project and returns what it says: nothing, if all is well. */
async function compile(typescript: string, project: string): Promise<string> {
  const tsc = join(repository, 'node_modules', typescript, 'bin/tsc');
  return run(process.execPath, [tsc, '-p', project]).then(
    () => '',
    (error: { readonly stdout: string }) => error.stdout,
  );
}

const everything = `
import * as core from '@zeroseg/core';
import * as distributed from '@zeroseg/core/distributed';
import * as nn from '@zeroseg/core/nn';
import * as zeroseg from '@zeroseg/core/zeroseg';
import { scenes, student } from '@zeroseg/pretrained';
export const all = [core, distributed, nn, zeroseg, scenes, student];
`;

describe("declarations in a strict page's project that does not name @webgpu/types", () => {
  let project = '';
  beforeAll(async () => {
    const example = await firstExample();
    const files = { 'first.ts': example, 'everything.ts': everything };
    project = await install('types', ['@zeroseg/core', '@zeroseg/pretrained'], { omitOptional: true, files });
  });

  describe.each(['typescript', 'typescript-5.9'])('%s', (typescript) => {
    it.each([
      ['a page', { module: 'esnext', moduleResolution: 'bundler', lib: ['es2023', 'dom'] }],
      ['a worker', { module: 'nodenext', lib: ['es2023', 'webworker'] }],
    ])('%s, with and without skipLibCheck', async (_, options) => {
      for (const skipLibCheck of [false, true]) {
        const compilerOptions = {
          target: 'es2022',
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          types: [],
          ...options,
          skipLibCheck,
        };
        await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
        expect(await compile(typescript, project)).toBe('');
      }
    });
  });
});

describe("the library's own sources", () => {
  const planted = join(repository, 'src/gpu/.planted');
  const names = ['process', 'Buffer', '__dirname', 'setImmediate', 'require', 'global', 'document', 'window'];

  it('may not use what Node or a page alone has', async () => {
    // A tsconfig beside the real one, which takes the planted file and nothing else.
    await mkdir(planted, { recursive: true });
    try {
      const lines = [...names.map((name) => `export const ${name}_: unknown = ${name};`), "import 'node:fs';"];
      await writeFile(join(planted, 'names.ts'), lines.join('\n'));
      await writeFile(
        join(planted, 'tsconfig.json'),
        JSON.stringify({ extends: '../../../tsconfig.neutral.json', include: ['names.ts'], exclude: [] }),
      );
      const said = await compile('typescript', planted);
      const refused = [...said.matchAll(/names\.ts\((\d+),/g)].map(([, line]) => Number(line));
      expect(refused).toEqual(lines.map((_, i) => i + 1));
    } finally {
      await rm(planted, { recursive: true, force: true });
    }
  });
});

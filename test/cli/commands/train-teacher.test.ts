import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { builtInTeacher } from '../../../cli/src/weights/built-in.ts';
import { openClip } from '../../../cli/src/weights/clip-folder.ts';
import { temporaryFolder, useCommandLine } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

async function refused(...args: string[]): Promise<string> {
  const { code, err } = await zeroseg('train-teacher', ...args);
  expect(code).toBe(1);
  return err.replaceAll(base, 'BASE');
}

describe('train-teacher', () => {
  test('makes a teacher that opens as any CLIP does', async () => {
    const { code, out, err } = await zeroseg(
      ...['train-teacher', '--out', at('teacher'), '--classes', '2', '--styles', 'noto'],
      ...['--steps', '4', '--batch', '8', '--validate-every', '2', '--validate-crops', '20'],
    );
    expect(code, err).toBe(0);
    expect(out).toMatch(/2 classes in noto, on /);
    expect(out).toMatch(/step 2: a class that is present named on \d+\.\d % \(of objects \d+\.\d %\) of new crops/);
    expect((await readdir(at('teacher'))).sort()).toEqual([
      'checkpoints',
      'config.json',
      'log.json',
      'metrics.jsonl',
      'teacher.safetensors',
    ]);
    expect((await stat(at('teacher', 'teacher.safetensors'))).size).toBeLessThan(1.6e6);
    const log = JSON.parse(await readFile(at('teacher', 'log.json'), 'utf8'));
    expect(log.command.replace(base, 'BASE')).toBe(
      'zeroseg train-teacher --out BASE/teacher --config tiny --classes 2 --styles noto --steps 4 --batch 8 --lr 0.001 --seed 1',
    );
    expect([log.classes, log.steps, log.validations.length]).toEqual([['dog', 'cat'], 4, 1]);
    expect(Object.keys(log.final)).toEqual(['scenes', 'synonyms']);
    const metrics = (await readFile(at('teacher', 'metrics.jsonl'), 'utf8')).trim().split('\n');
    expect(metrics.map((line) => JSON.parse(line).step)).toEqual([1, 2, 3, 4]);

    const clip = await openClip(at('teacher'));
    expect([clip.config.projection, clip.config.vision.stem, clip.config.text.vocab]).toEqual([64, 'conv', 49408]);
    expect((await clip.tokens()).size).toBe(49408);

    expect(await refused('--out', at('teacher'))).toMatchInlineSnapshot(
      `"zeroseg: train-teacher: BASE/teacher: there is a run in this folder; resume it, or choose another folder"`,
    );
    const same = ['--classes', '2', '--styles', 'noto', '--batch', '8', '--validate-crops', '20'];
    expect(await refused('--out', at('teacher'), ...same, '--steps', '4', '--resume')).toMatchInlineSnapshot(
      `"zeroseg: train-teacher: BASE/teacher: this training is at its end; give more --steps to make it longer, or choose another --out"`,
    );
  });

  test('one that died before it was saved is begun again by --resume', async () => {
    const options = ['--classes', '2', '--styles', 'noto', '--steps', '4', '--batch', '8', '--validate-crops', '20'];
    // What such a training leaves: what was known at its start, and lines of steps.
    const { final: _, ...log } = JSON.parse(await readFile(at('teacher', 'log.json'), 'utf8'));
    const command = log.command.replaceAll(at('teacher'), at('dead'));
    await mkdir(at('dead'));
    await writeFile(at('dead', 'log.json'), JSON.stringify({ ...log, command, steps: 0, validations: [] }));
    await writeFile(at('dead', 'metrics.jsonl'), '{"step":1}\n{"st');
    const { code, err } = await zeroseg('train-teacher', '--out', at('dead'), ...options, '--resume');
    expect(code, err).toBe(0);
    const losses = async (name: string): Promise<number[]> => {
      const lines = (await readFile(at(name, 'metrics.jsonl'), 'utf8')).trim().split('\n');
      return lines.map((line) => JSON.parse(line).loss);
    };
    expect(await losses('dead')).toEqual(await losses('teacher'));

    // Made longer, it keeps what it has learnt, and says of itself what it is now.
    const longer = await zeroseg('train-teacher', '--out', at('dead'), ...options, '--steps', '5', '--resume');
    expect(longer.code, longer.err).toBe(0);
    expect((await losses('dead')).slice(0, 4)).toEqual(await losses('teacher'));
    expect(await losses('dead')).toHaveLength(5);
    const end = JSON.parse(await readFile(at('dead', 'log.json'), 'utf8'));
    expect([end.steps, end.settings.steps, /--steps (\d+)/.exec(end.command)?.[1]]).toEqual([5, 5, '5']);
  });

  test('options that do not make sense', async () => {
    expect(await refused('--out', at('never'), '--classes', '0')).toMatchInlineSnapshot(
      `"zeroseg train-teacher: option '--classes <n>' argument '0' is invalid. It must be a whole number from 1, or all. See zeroseg train-teacher --help."`,
    );
    expect(await refused('--out', at('never'), '--classes', '500')).toMatchInlineSnapshot(
      `"zeroseg: --classes must be a whole number from 1 to 137; got 500"`,
    );
    expect(await refused('--out', at('never'), '--styles', 'oil')).toMatchInlineSnapshot(
      `"zeroseg: --styles must be of noto, fluent-flat, fluent-3d; got oil"`,
    );
    expect(await refused('--out', at('never'), '--steps', '0')).toMatchInlineSnapshot(
      `"zeroseg train-teacher: option '--steps <n>' argument '0' is invalid. It must be a whole number from 1 to 1000000000. See zeroseg train-teacher --help."`,
    );
    expect(await refused('--out', at('never'), '--resume')).toMatchInlineSnapshot(
      `"zeroseg: train-teacher: BASE/never: there is no training to go on with; leave --resume out to begin one"`,
    );
    expect(await refused('--out', at('never'), '--atlas', at('nowhere'))).toMatchInlineSnapshot(
      `"zeroseg: BASE/nowhere/atlas.json: there is no such file or folder"`,
    );
    await mkdir(at('begun'));
    const begun = { format: 'zeroseg teacher training', command: 'zeroseg train-teacher --out BASE/begun --classes 3' };
    await writeFile(at('begun', 'log.json'), JSON.stringify(begun));
    expect(await refused('--out', at('begun'), '--resume')).toMatchInlineSnapshot(
      `"zeroseg: train-teacher: BASE/begun was begun with 'zeroseg train-teacher --out BASE/begun --classes 3'; give the same options with --resume, or another --out"`,
    );
  });
});

test('a package without its teacher says how to make one', async () => {
  await expect(builtInTeacher(at('nowhere'))).rejects.toThrowErrorMatchingInlineSnapshot(
    `[FileError: openClip: built-in: the trained teacher is not in this copy of @zeroseg/pretrained (teacher); make one with \`zeroseg train-teacher\`, and give its folder]`,
  );
});

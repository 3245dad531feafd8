import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeCommands } from '../../docs/command-reference.ts';
import { temporaryFolder, useCommandLine, writeClip, writeConfig, writePhotos } from '../../support/made-up.ts';

const zeroseg = useCommandLine();
const base = await temporaryFolder();
const at = (...names: string[]): string => join(base, ...names);

async function optionsFile(content: string): Promise<string> {
  await writeFile(at('options.json'), content);
  return at('options.json');
}

describe('--options and --print-options', () => {
  const training = ['train', '--cache', 'out/cache', '--out', 'my runs', '--base-lr', '1e-3', '--checkpoint'];

  test('what is printed is taken again, and holds the same', async () => {
    const { code, out, err } = await zeroseg(...training, '--set', 'dim=32', '--set', 'heads=2', '--print-options');
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual({
      cache: 'out/cache',
      out: 'my runs',
      set: ['dim=32', 'heads=2'],
      'base-lr': 0.001,
      checkpoint: true,
      'watch-every': 10,
    });
    expect((await zeroseg('train', '--options', await optionsFile(out), '--print-options')).out).toBe(out);
  });

  test('the command line wins, also where an option may come more than once', async () => {
    const file = await optionsFile('{ "cache": "c", "steps": "5", "seed": 3, "set": "dim=8", "log": "tensorboard" }');
    const { out } = await zeroseg('--options', file, 'train', '--steps', '7', '--set', 'a=1', '--print-options');
    expect(JSON.parse(out)).toEqual({
      cache: 'c',
      set: ['a=1'],
      steps: 7,
      seed: 3,
      'watch-every': 10,
      log: 'tensorboard',
    });
  });

  test('a command runs by a file: what the file gives is not missing, and other flags stay off', async () => {
    const values = { out: at('scenes'), count: 2, classes: 'cat, dog', size: 32, named: 1, quiet: true };
    const { code, out, err } = await zeroseg('scenes', '--options', await optionsFile(JSON.stringify(values)));
    expect([code, err]).toEqual([0, '']);
    expect(out.replace(base, 'BASE').replace(/in [^,]*$/, 'in TIME')).toBe(
      'BASE/scenes: 2 scenes of seed 1, 2 objects and 14 kinds of ground, in TIME',
    );
    const off = await optionsFile('{ "no-cache": false, "force": false, "classes": "cat" }');
    expect(JSON.parse((await zeroseg('segment', '--options', off, '--print-options')).out)).toEqual({
      classes: 'cat',
      out: 'out/segments',
      tokenizer: 'clip',
    });
  });

  test('defaults of every command are written as their parsers read them', () => {
    const defaults = makeCommands().flatMap(({ options }) =>
      options.filter(({ defaultValue }) => defaultValue !== undefined),
    );
    expect(defaults.length).toBeGreaterThan(20);
    for (const { parseArg, defaultValue, negate } of defaults) {
      if (!negate && typeof defaultValue !== 'number') {
        expect(parseArg?.(String(defaultValue), undefined as never) ?? defaultValue).toEqual(defaultValue);
      }
    }
  });

  test('says in one sentence what is wrong with the file', async () => {
    const say = async (content: string): Promise<string> => {
      const { code, out, err } = await zeroseg('train', '--options', await optionsFile(content), '--print-options');
      expect([code, out]).toEqual([1, '']);
      // What is wrong with JSON, Node says, every version in other words.
      return err.replaceAll(base, 'BASE').replace(/(not valid JSON) .*/, '$1');
    };
    expect(await say('{ "steps": "x" }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "steps" may not be "x": it must be a whole number from 1 to 1000000000"`,
    );
    expect(await say('{ "stepz": 1 }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "stepz" is no option of zeroseg train; did you mean "steps"?"`,
    );
    expect(await say('{ "--steps": 1 }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "--steps" is no option of zeroseg train; did you mean "steps"?"`,
    );
    expect(await say('{ "__proto__": 1 }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "__proto__" is no option of zeroseg train; zeroseg train --help lists them"`,
    );
    expect(await say('{ "options": "more.json" }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "options" is no option of zeroseg train; zeroseg train --help lists them"`,
    );
    expect(await say('{ "resume": 1 }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "resume" must be true or false; got 1"`,
    );
    expect(await say('{ "steps": [1] }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "steps" takes one value, as --steps <n> does; got [1]"`,
    );
    expect(await say('{ "set": ["dim=8", {}] }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "set" must be a text, a number or a list of them; got ["dim=8",{}]"`,
    );
    expect(await say('{ "seed": null }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "seed" must be a text or a number; got null"`,
    );
    expect(await say('{ "precision": "f64" }')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "precision" may not be "f64": allowed choices are f32, f16"`,
    );
    expect(await say('["seed"]')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: it must be an object of options by their long names, such as { "seed": 7 }; got ["seed"]"`,
    );
    expect(await say('{ "seed": 1')).toMatchInlineSnapshot(`"zeroseg: BASE/options.json: not valid JSON"`);
    const photos = await optionsFile('{ "photos": "a.jpg" }');
    expect((await zeroseg('segment', '--options', photos)).err.replace(base, 'BASE')).toMatchInlineSnapshot(
      `"zeroseg: --options: BASE/options.json: "photos" is no option but an argument of zeroseg segment: it stands on the command line"`,
    );
    expect((await zeroseg('train', '--options', at('none.json'))).err.replace(base, 'BASE')).toMatchInlineSnapshot(
      `"zeroseg: BASE/none.json: there is no such file or folder"`,
    );
  });

  test('a slip of the command line is told also where options are only printed', async () => {
    expect(await zeroseg('train', '--stepz', '1', '--print-options')).toEqual({
      code: 1,
      out: '',
      err: "zeroseg train: unknown option '--stepz' (Did you mean --steps?) See zeroseg train --help.",
    });
  });
});

test('help COMMAND is COMMAND --help; an unknown one is refused with the nearest', async () => {
  expect(await zeroseg('help', 'words')).toEqual(await zeroseg('words', '--help'));
  expect(await zeroseg('help')).toEqual(await zeroseg('--help'));
  expect(await zeroseg('help', 'segmnt')).toEqual({
    code: 1,
    out: '',
    err: "zeroseg: unknown command 'segmnt' (Did you mean segment?) See zeroseg --help.",
  });
});

describe('--quiet', () => {
  test('leaves results and errors', async () => {
    await writePhotos(at('photos'), 8);
    await writeFile(at('photos/broken.jpg'), 'no photo');
    await writeClip(at('clip'));
    await writeConfig(at('small.json'));
    await mkdir(at('empty'));
    const steady = (text: string): string =>
      text
        .replaceAll(base, 'BASE')
        .replace(/[\d.]+ [kM]?i?B\b/g, 'BYTES')
        .replace(/\(step \d, validation loss [\d.]+\)/, '(STEP)')
        .replace(/ \([0-9a-f]{12}…\)/, '');
    const run = async (...args: string[]) => {
      const { code, out, err } = await zeroseg(...args, '--quiet');
      return [code, steady(out), steady(err)];
    };
    const views = ['--grids', '1,2', '--image-size', '16'];
    expect(
      await run('cache', at('photos'), '--clip', at('clip'), '--out', at('cache'), ...views),
    ).toMatchInlineSnapshot(`
      [
        0,
        "1 photo could not be used:
        broken.jpg: this is not an image, or of a kind that cannot be read
      BASE/cache: 8 photos, BYTES",
        "",
      ]
    `);
    const short = ['--config', at('small.json'), '--steps', '2', '--validate', '0.25', '--validate-every', '1'];
    expect(await run('train', '--cache', at('cache'), '--out', at('run'), ...short)).toMatchInlineSnapshot(`
      [
        0,
        "model: BASE/run/model.safetensors (teacher clip)
      best:  BASE/run/best.safetensors (STEP)
      report: BASE/run/report.html",
        "",
      ]
    `);
    expect(existsSync(at('run/report.html'))).toBe(true);
    expect(await run('cache', at('empty'), '--clip', at('clip'), '--out', at('none'))).toMatchInlineSnapshot(`
      [
        1,
        "",
        "zeroseg: BASE/empty: there are no photos (jpg, jpeg, jfif, png, webp, gif, tif, tiff, avif) in this folder",
      ]
    `);
  });
});

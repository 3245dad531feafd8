/** What a slip of the keyboard is told: one sentence that names the argument or the file, before a device is opened or anything is written. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { commandLine } from '../../../cli/src/command-line.ts';
import { temporaryFolder, writePhotos } from '../../support/made-up.ts';

const base = await temporaryFolder();
const at = (...names: string[]) => join(base, ...names);

beforeAll(async () => {
  await writePhotos(at('photos'), 1);
  await mkdir(at('empty'));
  await writeFile(at('crlf.txt'), '\ufeffcat\r\n\r\ndog|cat\r\n');
  await writeFile(at('utf16.txt'), Buffer.from('\ufeffcat\n', 'utf16le'));
  await writeFile(at('list.json'), '[1]');
  await writeFile(at('typo.json'), '{ "clases": "cat" }');
  await writeFile(at('type.json'), '\ufeff{ "classes": "cat",\r\n "top": "many" }');
});

const segment = ['segment', at('photos'), '--out', at('out')];
const score = ['score', '--scenes', '1'];

test.each([
  [[...segment, '--clases', 'cat'], "segment: unknown option '--clases' (Did you mean --classes?) See zeroseg segment"],
  [[...segment, '--classes', 'cat, CAT'], '--classes: "cat" is there twice'],
  [[...segment, '--classes', `@${at('crlf.txt')}`], '--classes: "cat" is there twice'],
  [
    [...segment, '--classes', `@${at('utf16.txt')}`],
    `--classes: ${at('utf16.txt')}: this is no text in UTF-8; save it`,
  ],
  [[...segment, '--classes', '猫, قطة, 🐈'], '--classes: the CLIP built-in knows 145 words, and not "猫", "قطة", "🐈"'],
  [[...segment, '--classes', 'cat', '--short', '3'], '--short must be at least 8 pixels, a patch of the model; got 3'],
  [[...segment, '--classes', 'cat', '--short', 'NaN'], "option '--short <pixels>' argument 'NaN' is invalid"],
  [[...segment, '--classes', 'cat', '--out', at('crlf.txt')], `${at('crlf.txt')}: this is a file; give a folder`],
  [['segment', '', '--classes', 'cat'], '<photos>: an empty text was given'],
  [
    ['plan', '--device', 'nowhere'],
    'plan: --device nowhere: there is neither such a file nor such a device; give h100, rtx4090, m3, arc, mali, m3-max, or a file',
  ],
  [
    ['cache', at('photos'), '--clip', 'built-in', '--out', at('out'), '--precision', 'f16', '--regions', 'pooled'],
    'cache: --precision f16 is for --regions crops; got pooled',
  ],
  [[...segment, '--classes', 'cat', '--out', ''], '--out: an empty text was given; give a folder'],
  [[...segment, '--classes', 'cat', '--clip', ''], '--clip: an empty text was given; give a place'],
  [[...segment, '--classes', ' , ,'], "--classes: there is no name in ' , ,'; give names such as"],
  [[...segment, '--classes', '|'], '--classes: a class has no name in "|"'],
  [[...segment, '--classes', '"cat'], '--classes: a quote (") is not closed'],
  [[...segment, '--classes', 'cat=red'], 'a colour is #rrggbb, such as cat=#ff8800; got "red"'],
  [[...segment, '--classes', `@${at('empty')}`], `--classes: ${at('empty')}: this is a folder, not a file`],
  [[...segment, '--classes', 'cat', '--cutout', 'dog'], '--cutout: "dog" is none of --classes'],
  [[...segment, '--classes', 'cat', '--model', at('empty')], `${at('empty')}: there is no model and no checkpoint`],
  [['segment', at('empty'), '--classes', 'cat'], `${at('empty')}: there are no photos (jpg,`],
  [[...segment, '--options', at('list.json')], 'it must be an object of options by their long names'],
  [[...segment, '--options', at('typo.json')], '"clases" is no option of zeroseg segment; did you mean "classes"?'],
  [[...segment, '--options', at('type.json')], '"top" may not be "many": it must be a whole number'],
  [['cache', at('photos'), '--clip', 'built-in', '--out', at('crlf.txt')], `${at('crlf.txt')}: this is a file`],
  [['train', '--cache', at('nosuch'), '--out', at('out')], `--cache ${at('nosuch')}: there is no such folder;`],
  [['train', '--cache', at('photos'), '--out', at('out'), '--clip', 'built-in'], 'no feature cache'],
  [['eval', '--data', 'scenes', '--root', at('empty')], `${at('empty')}: there are no scenes here (no classes.json);`],
  [[...score, '--size', '13'], 'its patches of 8 pixels do not divide scenes of 13 pixels; give a --size that is'],
  [[...score, '--grounds', 'lava'], '--grounds: there is no ground lava; grounds are sky, night,'],
  [[...score, '--grounds', ','], '--grounds: no ground is named; grounds are sky, night,'],
  [['scenes', '--out', at('out'), '--count', '1', '--classes', '0'], '--classes must be a whole number from 1 to 137'],
  [['train', '--cache', '', '--out', at('out')], '--cache: an empty text was given; give a folder'],
  [['eval', '--data', 'voc', '--root', at('nosuch')], at('nosuch')],
  [['eval', '--data', 'voc', '--root', at('empty'), '--out', at('empty')], `--out ${at('empty')}: this is a folder`],
  [
    ['eval', '--data', 'folder', '--root', at('photos'), '--out', at('list.json')],
    `eval: --out ${at('list.json')}: this file is there, and is no result of this command`,
  ],
  [['score', '--out', at('crlf.txt', 'a', 'b.json')], `${at('crlf.txt')} is a file, not a folder`],
  // What permissions allow, and the system does not.
  ...['bench --json', 'bench --chart', 'plan --json', 'plan --chart', 'score --out'].map(
    (words) =>
      [
        [...words.split(' '), `/proc/a.${words.endsWith('chart') ? 'svg' : 'json'}`],
        `zeroseg: ${words.replace(' ', ': ')} /proc/a.${words.endsWith('chart') ? 'svg' : 'json'}: no file can be made in /proc`,
      ] as const,
  ),
  [
    ['eval', '--data', 'scenes', '--root', at('empty'), '--out', '/proc/a/b.json'],
    'zeroseg: eval: --out /proc/a/b.json: no file can be made in /proc',
  ],
  [
    ['train', '--cache', at('nosuch'), '--out', at('out'), '--trace', '/proc/a.json'],
    'zeroseg: train: --trace /proc/a.json: no file can be made in /proc',
  ],
  [['verify', 'test/fixtures/ops', '--out', '/proc/a'], 'zeroseg: verify: --out /proc/a: no file can be made in /proc'],
  [
    ['export', '--model', 'pretrained/student/student.safetensors', '--out', '/proc/a'],
    'zeroseg: export: --out /proc/a: no file can be made in /proc',
  ],
  [['study', '--tally', at('list.json'), '--json', at('typo.json')], `study: --json ${at('typo.json')}: this file is`],
  [
    ['experiment', 'table4', '--out', at('photos')],
    `${at('photos')}: the folder is not empty (photo-0.png) and holds no`,
  ],
  [['scenes', '--out', at('crlf.txt')], `${at('crlf.txt')}: this is a file; give a folder`],
  [['download', 'a/b', '--out', at('crlf.txt')], `--out ${at('crlf.txt')}: this is a file; give a folder`],
  [['verify', at('typo.json')], `${at('typo.json')}: this JSON is no manifest of a fixture`],
  [['verify', at('crlf.txt')], `${at('crlf.txt')}: no manifest (.json) in its folder names this file`],
  [['verify', base], 'none of 3 JSON files is a manifest of a fixture'],
  [['info', '/dev/null'], '/dev/null: this is a pipe or a device; give a file or a folder'],
  [['info', at('nosuch')], `${at('nosuch')}: there is no such file or folder`],
  [['scenes', '--out', at('out'), '--grounds', 'sky,sky'], '--grounds: sky is there twice; grounds are sky, night,'],
] as const)('%j', async (args, words) => {
  const before = await readdir(base);
  const lines: string[] = [];
  // No device is given: to open one would be told.
  const code = await commandLine(args, { out: () => undefined, note: (line) => void lines.push(line) });
  expect([code, lines.at(-1)]).toEqual([1, expect.stringContaining(words)]);
  expect(lines.at(-1)).toMatch(/^zeroseg/);
  expect(lines.join()).not.toContain('no GPU found');
  expect(await readdir(base)).toEqual(before);
});

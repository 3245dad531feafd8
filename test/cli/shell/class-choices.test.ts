import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  parseClasses,
  parseSynonyms,
  readColours,
  withoutUnknown,
  withSynonyms,
} from '../../../cli/src/shell/class-choices.ts';
import { dataSets } from '../../../src/zeroseg/text/index.ts';
import { temporaryFolder } from '../../support/made-up.ts';

const folder = await temporaryFolder();
const file = async (name: string, text: string) => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
const reason = (work: Promise<unknown>) =>
  work.then(
    () => 'nothing was wrong',
    (error: Error) => error.message.replaceAll(folder, 'FOLDER'),
  );

test('a list, a file, a data set', async () => {
  const list = [
    { name: 'sofa', words: ['sofa', 'couch'], colour: [255, 136, 0] },
    { name: 'salt, pepper', words: ['salt, pepper'] },
  ];
  expect(await parseClasses('sofa|couch=#f80, "salt, pepper"')).toEqual(list);
  expect(await parseClasses(`@${await file('names.txt', '# furniture\nsofa|couch=#f80\n"salt, pepper"\n')}`)).toEqual(
    list,
  );
  expect((await parseClasses('voc')).map(({ name }) => name)).toEqual(dataSets.voc.prompts);
  expect(await parseClasses('imagenet')).toHaveLength(1000);
});

test('a file that is no text is called what it is', async () => {
  const jpeg = join(folder, 'photo.jpg');
  await writeFile(jpeg, Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16));
  const other = join(folder, 'other.bin');
  await writeFile(other, Uint8Array.of(0xff, 0xfe, 0x41));
  expect([await reason(parseClasses(`@${jpeg}`)), await reason(readColours(other))]).toMatchInlineSnapshot(`
    [
      "--classes: FOLDER/photo.jpg: this is a JPEG image; give a text with a class a line",
      "--colors: FOLDER/other.bin: this is no text in UTF-8; save it as UTF-8",
    ]
  `);
});

test('synonyms join the class that they name, by its prompt or by its name in the data set', async () => {
  const { prompts, classes } = dataSets.voc;
  const synonyms = await parseSynonyms('sofa|couch, tvmonitor|tv|screen');
  const all = withSynonyms(prompts, synonyms, classes.slice(1));
  expect(all.filter((one) => typeof one !== 'string')).toEqual([
    ['sofa', 'couch'],
    ['monitor', 'tv', 'screen'],
  ]);
  expect(all.map((one) => [one].flat()[0])).toEqual(prompts);
  const unknown = [{ name: 'tv' }, { name: 'sofa' }, { name: 'couch' }] as never;
  expect(withoutUnknown(all, unknown).filter((one) => typeof one !== 'string')).toEqual([
    ['sofa', 'couch'],
    ['monitor', 'screen'],
  ]);
  const wrong = async (text: string) => withSynonyms(prompts, await parseSynonyms(text), classes.slice(1));
  expect(await reason(wrong('settee|couch'))).toMatchInlineSnapshot(
    `"--synonyms: "settee" is none of 20 classes; the first word must be the name of one"`,
  );
  expect(await reason(wrong('sofa|chair'))).toMatchInlineSnapshot(
    `"--synonyms: "chair" would be a word of two classes"`,
  );
});

test('colours of a file', async () => {
  expect([...(await readColours(await file('colours.txt', 'cat|kitten=#ff8800\n"a, b"=#000\n')))]).toEqual([
    ['cat', [255, 136, 0]],
    ['kitten', [255, 136, 0]],
    ['a, b', [0, 0, 0]],
  ]);
  expect(await reason(readColours(await file('colours.txt', 'cat\n')))).toMatchInlineSnapshot(
    `"--colors: FOLDER/colours.txt: "cat" has no colour; write a line such as cat=#ff8800"`,
  );
  expect(await reason(readColours(join(folder, 'nowhere.txt')))).toMatchInlineSnapshot(
    `"--colors: FOLDER/nowhere.txt: there is no such file or folder"`,
  );
});

test('what is no list is said', async () => {
  const texts = ['dog, cat|dog', 'dog, "cat', 'cat=orange', ''];
  expect(await Promise.all(texts.map((text) => reason(parseClasses(text))))).toMatchInlineSnapshot(`
    [
      "--classes: "dog" is there twice; 3 names must differ",
      "--classes: a quote (") is not closed in "dog, \\"cat"",
      "--classes: "cat=orange": a colour is #rrggbb, such as cat=#ff8800; got "orange" (quote a name that has a =)",
      "--classes: there is no name in it; give names such as "dog, sofa, window"",
    ]
  `);
});

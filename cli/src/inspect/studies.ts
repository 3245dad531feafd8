import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { checkStudy, studyFile } from '@zeroseg/core/zeroseg';
import { readJson } from '../files/index.ts';
import { commandText } from '../shell/index.ts';
import type { Info } from './fact.ts';
import { sizeFacts } from './folders.ts';

/** The folder of `zeroseg study`. */
export async function studyInfo(place: string): Promise<Info> {
  const file = join(place, studyFile);
  const {
    question,
    titles,
    pictures,
    votes,
    same,
    unknown = { a: [], b: [] },
  } = checkStudy(await readJson(file), file);
  return {
    kind: 'study',
    place,
    facts: {
      question,
      compared: [titles.a, titles.b],
      pairs: pictures.length,
      'votes a pair': votes,
      'photos left out, of which both made the same': same,
      ...(unknown.a.length > 0 && { [`words that ${titles.a} does not know`]: unknown.a }),
      ...(unknown.b.length > 0 && { [`words that ${titles.b} does not know`]: unknown.b }),
      ...(await sizeFacts(place)),
    },
    uses: [
      { for: 'voting, in its part Study', command: commandText('page', {}) },
      { for: 'counting the votes', command: `${commandText('study', { tally: true })} votes-*.json` },
    ],
  };
}

const result = /^((?:table|fig)\d|beyond)(?:\.json)?$/;

/** The folder of `zeroseg experiment`; undefined where it is none. */
export async function experimentInfo(place: string, names: readonly string[]): Promise<Info | undefined> {
  const made = [...new Set(names.flatMap((name) => result.exec(name)?.[1] ?? []))].sort();
  if (made.length === 0) return undefined;
  const isPage = (name: string): boolean => /^((table|fig)\d|beyond)(-\d+)?\.(md|html|png|svg)$/.test(name);
  const within = await Promise.all(
    made
      .filter((name) => names.includes(name))
      .map(async (name) => (await readdir(join(place, name))).map((file) => `${name}/${file}`)),
  );
  return {
    kind: 'experiments',
    place,
    facts: { made, files: [...names.filter(isPage), ...within.flat()].sort(), ...(await sizeFacts(place)) },
    uses: [],
  };
}

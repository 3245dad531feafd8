import { describe, expect, test } from 'vitest';
import { memoryFileSystem } from '../../../src/zeroseg/storage/index.ts';
import { openStudy, pairsFor, Sitting } from '../../../src/zeroseg/votes/sitting.ts';
import { checkStudy, type PreferenceStudy } from '../../../src/zeroseg/votes/study-file.ts';
import { tallyVotes } from '../../../src/zeroseg/votes/tally.ts';
import { type Choice, checkVotes, type VotesFile } from '../../../src/zeroseg/votes/votes-file.ts';

function studyOf(count: number): PreferenceStudy {
  return {
    format: 'zeroseg-study-1',
    id: '0123456789abcdef',
    seed: 7,
    votes: 5,
    question: 'Which is better?',
    titles: { a: 'ours', b: 'theirs' },
    pictures: Array.from({ length: count }, (_, i) => ({
      name: `photo ${i}`,
      a: `pictures/${i}-1.png`,
      b: `pictures/${i}-2.png`,
      photo: null,
    })),
    same: 0,
  };
}

async function folderOf(study: unknown, pictures: PreferenceStudy['pictures']) {
  const files = memoryFileSystem();
  await files.write('study.json', JSON.stringify(study));
  for (const { a, b } of pictures) for (const path of [a, b]) await files.write(path, 'a picture');
  return files;
}

describe('what a voter sees', () => {
  test('every picture once, in an order of their own, each of the two on the left half of the time', () => {
    const study = studyOf(200);
    const [ada, grace] = [pairsFor(study, 'Ada'), pairsFor(study, 'Grace')];
    for (const pairs of [ada, grace]) {
      expect(new Set(pairs.map(({ picture }) => picture.name)).size).toBe(200);
      expect(pairs.filter(({ left }) => left === 'a')).toHaveLength(100);
    }
    expect(ada).toEqual(pairsFor(study, 'Ada'));
    const places = ada.filter(({ picture }, i) => picture === grace[i]?.picture).length;
    expect(places).toBeLessThan(10);
    const sides = ada.filter(({ picture, left }) => grace.find((one) => one.picture === picture)?.left === left).length;
    expect(sides).toBeGreaterThan(70);
    expect(sides).toBeLessThan(130);
    expect(pairsFor({ ...study, seed: 8 }, 'Ada')).not.toEqual(ada);
  });
});

describe('a sitting', () => {
  test('is on disk vote by vote: who comes back goes on; the last vote can be taken back', async () => {
    const study = studyOf(4);
    const files = await folderOf(study, study.pictures);
    const sitting = await Sitting.open(files, await openStudy(files), ' Ada  L. ', new Date(0));
    const [first, second] = sitting.pairs as [(typeof sitting.pairs)[0], (typeof sitting.pairs)[0]];
    await sitting.vote('left', 1.234);
    await sitting.vote('right', 2);
    await sitting.undo();
    await sitting.vote('tie', 3);
    const again = await Sitting.open(files, study, 'Ada L.');
    expect(again.content).toEqual({
      format: 'zeroseg-votes-1',
      study: study.id,
      titles: study.titles,
      question: study.question,
      pictures: 4,
      voter: 'Ada L.',
      began: '1970-01-01T00:00:00.000Z',
      votes: [
        { picture: first.picture.name, choice: first.left, left: first.left, seconds: 1.2 },
        { picture: second.picture.name, choice: 'tie', left: second.left, seconds: 3 },
      ],
    });
    expect(again.next).toEqual(sitting.pairs[2]);
    for (let i = 0; i < 3; i++) await again.vote('right', 1);
    expect(again.next).toBeUndefined();
    expect(again.content.votes).toHaveLength(4);
    expect(again.content.votes[3]?.choice).not.toBe(again.content.votes[3]?.left);
    expect(await Sitting.voters(files)).toEqual(['Ada L.']);
  });

  test('names that no file system could hold are held', async () => {
    const study = studyOf(1);
    const files = await folderOf(study, study.pictures);
    for (const name of ['..', 'a/b', 'ä*?', 'CON.']) {
      await (await Sitting.open(files, study, name)).vote('left', 1);
    }
    expect((await Sitting.voters(files)).sort()).toEqual(['..', 'CON.', 'a/b', 'ä*?'].sort());
    await expect(Sitting.open(files, study, '  ')).rejects.toThrow('a voter has a name of 1 to 60 letters');
  });

  test('votes of another study are not gone on with', async () => {
    const study = studyOf(3);
    const files = await folderOf(study, study.pictures);
    await (await Sitting.open(files, study, 'Ada')).vote('left', 1);
    await expect(Sitting.open(files, { ...study, id: 'ffffffffffffffff' }, 'Ada')).rejects.toThrow(
      'votes/Ada.json: these votes are of another study',
    );
  });
});

describe('files that are no studies, or no votes, are refused in a sentence', () => {
  const study = studyOf(2);
  test.each<[string, unknown, string]>([
    [
      'another file',
      { format: 'zeroseg-segments-1' },
      "this is no study that `zeroseg study` made: 'format' cannot be",
    ],
    ['a list', [], 'it must be an object'],
    ['no pictures', { ...study, pictures: [] }, 'the study has no pictures'],
    ['the same twice', { ...study, pictures: [study.pictures[0], study.pictures[0]] }, 'have the same name'],
    ['a way out', { ...study, pictures: [{ ...study.pictures[0], a: '../secret.png' }] }, "'pictures' cannot be"],
    ['no id', { ...study, id: '../..' }, "'id' cannot be"],
  ])('%s', (_, value, reason) => {
    expect(() => checkStudy(value, 'study.json')).toThrow(reason);
  });

  test('a picture that is missing', async () => {
    const files = await folderOf(study, study.pictures.slice(1));
    await expect(openStudy(files)).rejects.toThrow('pictures/0-1.png: this picture of the study is missing');
  });

  test('votes', () => {
    expect(() => checkVotes({ votes: [] }, 'v.json')).toThrow("v.json: these are no votes that the page's Study gave");
    const twice = votesOf('Ada', ['a', 'b']);
    const vote = twice.votes[0] as VotesFile['votes'][0];
    expect(() => checkVotes({ ...twice, votes: [vote, vote] }, 'v.json')).toThrow('Ada votes twice on photo 0');
    expect(() => checkVotes({ ...twice, pictures: 1 }, 'v.json')).toThrow('more votes than its study has pictures');
    expect(checkVotes(twice, 'v.json')).toBe(twice);
  });
});

/** Votes on photo 0, photo 1 and so on, with `a` on the left of those with even numbers. */
function votesOf(voter: string, choices: readonly Choice[], pictures = choices.length): VotesFile {
  const { id, titles, question } = studyOf(1);
  return {
    format: 'zeroseg-votes-1',
    study: id,
    titles,
    question,
    pictures,
    voter,
    began: '2026-01-01T00:00:00.000Z',
    votes: choices.map((choice, i) => ({ picture: `photo ${i}`, choice, left: i % 2 === 0 ? 'a' : 'b', seconds: 1 })),
  };
}

const filesOf = (...contents: VotesFile[]) => contents.map((content) => ({ file: `${content.voter}.json`, content }));

describe('tallyVotes', () => {
  test('shares of votes and of pictures, sides, agreement', () => {
    const tally = tallyVotes(
      filesOf(
        votesOf('Ada', ['a', 'a', 'b', 'tie']),
        votesOf('Grace', ['a', 'b', 'b'], 4),
        votesOf('Mary', ['a', 'a'], 4),
      ),
    );
    expect(tally.votes).toMatchObject({ a: 5, b: 3, ties: 1 });
    expect(tally.votes.shareOfA).toMatchObject({ fraction: 5 / 8, of: 8 });
    expect(tally.votes.p).toBeCloseTo((2 * (56 + 28 + 8 + 1)) / 256, 12);
    // Photo 0: aaa, 1: aba, 2: bb, 3: a tie.
    expect(tally.byPicture).toMatchObject({ a: 2, b: 1, ties: 1, p: 1 });
    expect(tally.pictures).toEqual({ all: 4, voted: 4, fewest: 1, max: 3 });
    expect(tally.voters.map(({ votes }) => votes)).toEqual([4, 3, 2]);
    // Left is a, b, a, b: photo 0 three times, photo 1 once.
    expect(tally.left).toMatchObject({ count: 4, of: 8, p: 1 });
    expect(tally.agreement).toBeCloseTo((3 + 1 + 1) / (3 + 3 + 1), 12);
  });

  test('ties are left out, or half of them go to each', () => {
    const votes = filesOf(votesOf('Ada', ['a', 'a', 'a', 'b', 'tie', 'tie', 'tie']));
    expect(tallyVotes(votes).votes).toMatchObject({ shareOfA: { fraction: 3 / 4, of: 4 }, p: 10 / 16 });
    const split = tallyVotes(votes, { ties: 'split' }).votes;
    expect(split).toMatchObject({ a: 3, b: 1, ties: 3, shareOfA: { fraction: 4 / 6, of: 6 } });
    expect(split.p).toBeCloseTo((2 * (15 + 6 + 1)) / 64, 12);
  });

  test('nobody has chosen yet', () => {
    expect(tallyVotes(filesOf(votesOf('Ada', ['tie']))).votes).toMatchObject({ shareOfA: null, p: 1 });
    expect(tallyVotes(filesOf(votesOf('Ada', [], 3)))).toMatchObject({
      agreement: null,
      pictures: { fewest: 0, max: 0 },
    });
  });

  test('other studies and the same voter twice are refused', () => {
    const [ada, grace] = [votesOf('Ada', ['a']), votesOf('Grace', ['a'])];
    expect(() => tallyVotes(filesOf(ada, { ...grace, study: 'ff' }))).toThrow(
      'Grace.json: these votes are of another study than those of Ada.json',
    );
    expect(() => tallyVotes(filesOf(ada, ada))).toThrow("'Ada' voted in Ada.json, too; give each voter a name");
    expect(() => tallyVotes([])).toThrow('there are no votes');
  });
});

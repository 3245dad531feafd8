import { describe, expect, test } from 'vitest';
import {
  describeUnknown,
  type KnownWords,
  knownWordsMetadata,
  readKnownWords,
  unknownNames,
} from '../../../src/zeroseg/clip/known-words.ts';

const known: KnownWords = {
  seen: 'drawings',
  objects: { cat: ['kitten'], strawberry: ['berry'], bus: [], umbrella: ['parasol'] },
  grounds: { grass: ['lawn'], 'brick wall': ['bricks'], stones: ['pebbles'] },
  adjectives: ['red', 'large'],
};
const unknown = (...names: string[]) => unknownNames(known, names);

describe('names that a CLIP was taught', () => {
  test('are found whatever their case, number and article, with its adjectives, and by synonyms', () => {
    expect(unknown('Cat', 'a cat', 'the CATS', 'kittens', ' brick  wall', 'buses', 'berries', 'large red bus')).toEqual(
      [],
    );
  });

  test('others are told, with the nearest', () => {
    expect(unknown('cat', 'gras', 'house cat', 'stone', 'unicorn', 'umbrlela', 'wet grass', 'red', '')).toEqual([
      { name: 'gras', suggestions: ['grass'] },
      { name: 'house cat', suggestions: ['cat'] },
      { name: 'stone', suggestions: ['stones'] },
      { name: 'unicorn', suggestions: [] },
      { name: 'umbrlela', suggestions: ['umbrella'] },
      { name: 'wet grass', suggestions: ['grass'] },
      { name: 'red', suggestions: [] },
      { name: '', suggestions: [] },
    ]);
    expect(unknown('x'.repeat(1000))).toEqual([{ name: 'x'.repeat(1000), suggestions: [] }]);
  });

  test('a CLIP that says nothing may be asked for anything', () => {
    expect(unknownNames(undefined, ['unicorn', 'x'])).toEqual([]);
    expect(readKnownWords({ format: 'pt' }, 'clip')).toBeUndefined();
  });

  test('are described in a sentence', () => {
    const names = unknown('gras', 'unicorn', 'bat');
    expect(describeUnknown(names)).toBe('"gras" (did you mean grass?), "unicorn", "bat" (did you mean cat?)');
    expect(describeUnknown(names, 1)).toBe('"gras" (did you mean grass?) and 2 more');
  });
});

describe('in the metadata of a file', () => {
  test('come back as they were', () => {
    expect(readKnownWords(knownWordsMetadata(known), 'clip')).toEqual(known);
  });

  test('that are none of the kind are refused', () => {
    const read = (text: string) => () => readKnownWords({ known_words: text }, 'clip.safetensors');
    expect(read('{')).toThrowErrorMatchingInlineSnapshot(
      `[CheckpointError: clip.safetensors: the known_words in its metadata must be an object with seen, objects, grounds, adjectives]`,
    );
    expect(read(JSON.stringify({ ...known, objects: ['cat'] }))).toThrow('known_words');
    expect(read(JSON.stringify({ ...known, grounds: { grass: 1 } }))).toThrow('known_words');
    expect(read(JSON.stringify({ ...known, adjectives: undefined }))).toThrow('known_words');
  });
});

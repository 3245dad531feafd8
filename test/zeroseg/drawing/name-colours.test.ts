import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameColours } from '../../../src/zeroseg/drawing/name-colours.ts';
import { colourDistance, labOf } from '../../../src/zeroseg/image/colour-distance.ts';
import type { Colour } from '../../../src/zeroseg/image/palette.ts';
import { grounds as all, horizons } from '../../../src/zeroseg/scenes/grounds/grounds.ts';
import { packagedAtlas } from '../../support/atlas.ts';

const grounds = all.map(({ name }) => name);

/** The pair of colours that is hardest to tell apart. */
function closest(colours: readonly Colour[]): number {
  const distances = colours.flatMap((a, i) => colours.slice(0, i).map((b) => colourDistance(a, b)));
  return Math.min(...distances);
}

describe('colourDistance', () => {
  it('is the distance in CIE Lab', () => {
    // Values of CIE: of sRGB's primaries and of white under D65.
    for (const [colour, lab] of [
      [
        [255, 255, 255],
        [100, 0, 0],
      ],
      [
        [0, 0, 0],
        [0, 0, 0],
      ],
      [
        [255, 0, 0],
        [53.24, 80.09, 67.2],
      ],
      [
        [0, 0, 255],
        [32.3, 79.19, -107.86],
      ],
    ] as [Colour, Colour][]) {
      labOf(colour).forEach((value, i) => {
        expect(value).toBeCloseTo(lab[i] as number, 1);
      });
    }
    expect(colourDistance([0, 0, 0], [255, 255, 255])).toBeCloseTo(100, 2);
  });
});

describe('nameColours', () => {
  it('gives grounds their own colours, by any of their words, whatever else there is', () => {
    const [grass, sky, lawn] = nameColours(['grass', 'sky', 'lawn']) as [Colour, Colour, Colour];
    expect(grass[1]).toBeGreaterThan(1.5 * Math.max(grass[0], grass[2]));
    expect(sky[2]).toBeGreaterThan(sky[0] + 80);
    expect(lawn).toEqual(grass);
    expect(nameColours(['cat', 'grass'])[1]).toEqual(grass);
  });

  it('tells all grounds apart', () => {
    expect(closest(nameColours(grounds))).toBeGreaterThan(20);
  });

  it('tells apart what there is in a picture: four grounds and eight things of the atlas', async () => {
    const things = (await packagedAtlas()).classes.map(({ name }) => name);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(things, { minLength: 1, maxLength: 8 }),
        fc.shuffledSubarray(grounds, { minLength: 1, maxLength: 4 }),
        (some, on) => {
          expect(closest(nameColours([...some, ...on]))).toBeGreaterThan(20);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('tells apart at a glance what most pictures hold: two grounds that differ and four things', async () => {
    const things = (await packagedAtlas()).classes.map(({ name }) => name);
    const pairs = horizons.map((pair) => [...pair]);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(things, { minLength: 1, maxLength: 4 }),
        fc.constantFrom(...pairs),
        (some, on) => {
          const colours = nameColours([...some, ...on]);
          for (const [i, thing] of colours.slice(0, some.length).entries()) {
            const others = colours.filter((_, j) => j !== i);
            expect(Math.min(...others.map((other) => colourDistance(thing, other)))).toBeGreaterThan(50);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives a thing the same colour in pictures that leave it free, and others another', () => {
    expect(nameColours(['cat', 'grass'])[0]).toEqual(nameColours(['cat', 'sky'])[0]);
    const count = nameColours(Array.from({ length: 60 }, (_, i) => `thing ${i}`));
    expect(count).toHaveLength(60);
    expect(new Set(count.map(String)).size).toBeGreaterThan(40);
  });
});

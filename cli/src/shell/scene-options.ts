import { firstRepeated } from '@zeroseg/core/internal';
import { groundNames } from '@zeroseg/core/zeroseg';
import { numberFrom, parseNames } from './arguments.ts';
import { UsageError } from './errors.ts';

/** Options of commands that make scenes. */
export const groundsOption: [string, string, (text: string) => string[]] = [
  '--grounds <names>',
  'what lies behind and below things, such as "sky, grass" (default: all 14)',
  parseGrounds,
];

export const redrawnOption: [string, string, (text: string) => number] = [
  '--redrawn <fraction>',
  'fraction of objects that are drawn anew: grey, in other colours, in two, in flat tones, as outlines (default: 0)',
  numberFrom(0, 1),
];

function parseGrounds(text: string): string[] {
  const grounds = parseNames(text);
  const strange = grounds.find((name) => !groundNames.includes(name));
  const twice = firstRepeated(grounds);
  if (grounds.length > 0 && strange === undefined && twice === undefined) return grounds;
  const problem =
    strange !== undefined
      ? `there is no ground ${strange}`
      : twice !== undefined
        ? `${twice} is there twice`
        : 'no ground is named';
  throw new UsageError(`--grounds: ${problem}; grounds are ${groundNames.join(', ')}`);
}

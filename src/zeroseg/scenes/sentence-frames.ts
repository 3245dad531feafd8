import type { Random } from '../../nn/layers/index.ts';
import { promptTemplates } from '../text/index.ts';
import { pick } from './colour.ts';

const media = [
  ...[
    'photo',
    'photo',
    'photo',
    'picture',
    'image',
    'painting',
    'drawing',
    'sketch',
    'doodle',
    'rendition',
    'rendering',
  ],
  ...['sculpture', 'tattoo', 'cartoon', 'view'],
];
const masses = ['art', 'graffiti', 'itap'];
const qualities = ['bad', 'good', 'cool', 'nice', 'clean', 'weird', 'jpeg corrupted', 'cropped', 'close-up', 'small'];
const kinds = ['plastic', 'embroidered', 'origami', 'toy', 'plushie', 'cartoon', 'stuffed'];
const properties = ['clean', 'dirty', 'cool', 'nice', 'weird', 'large', 'small', 'hard to see', 'good', ...kinds];
const determiners = ['a', 'a', 'a', 'the', 'the', 'my', 'one', 'some', 'this', ''];

const templates = new Set(promptTemplates.full.map(plain));

/**
 * A sentence with `{}` where a name goes, put together of the words of CLIP's 80 templates, and never one of them: so a teacher
 * that read such sentences knows the words of the templates and not the templates.
 *
 * `isTrue` are adjectives of the picture, one of which is then said: dark, blurry, black and white.
 *
 * ```ts
 * sentenceFrame(random(1)); // 'a nice drawing of my {}'
 * ```
 */
export function sentenceFrame(draw: Random, isTrue: readonly string[] = []): string {
  for (;;) {
    const frame = tidy(compose(draw, isTrue));
    if (!templates.has(plain(frame))) return frame;
  }
}

/** All words that {@link sentenceFrame} draws from. */
export function frameWords(): string[] {
  const all = [...media, ...masses, ...qualities, ...properties, ...determiners];
  return [
    ...all,
    'an of there here are is in the scene video game many . dark bright blurry low resolution pixelated black and white',
  ];
}

function compose(draw: Random, isTrue: readonly string[]): string {
  const dot = draw() < 0.5 ? '.' : '';
  const property = draw() < 0.3 ? `${pick(draw, properties)} ` : '';
  const thing = `${pick(draw, determiners)} ${property}{}`;
  const choice = draw();
  if (isTrue.length === 0 && choice < 0.12) return `{}${dot}`;
  if (isTrue.length === 0 && choice < 0.4) return `${thing}${dot}`;
  if (choice < 0.46)
    return `${pick(draw, ['there is', 'there are', 'this is', 'here is'])} ${thing} in the scene${dot}`;
  if (choice < 0.5) return `${thing} in ${pick(draw, ['a', 'the'])} video game${dot}`;
  if (isTrue.length === 0 && choice < 0.56) return `${pick(draw, masses)} of ${thing}${dot}`;
  const said = isTrue.length > 0 ? pick(draw, isTrue) : draw() < 0.4 ? pick(draw, qualities) : '';
  const several = draw() < 0.08;
  return `${pick(draw, ['a', 'a', 'the'])} ${said} ${pick(draw, media)} of ${several ? `many ${property}{}` : thing}${dot}`;
}

function tidy(frame: string): string {
  return frame
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/\ba ([aeiou])/g, 'an $1');
}

/** What two templates have in common that differ in articles and the dot. */
function plain(template: string): string {
  return template.replace(/\.$/, '').replace(/\ban\b/g, 'a');
}

/** A frame with a name in place of `{}`, "an" before a vowel. */
export function fillFrame(frame: string, name: string): string {
  const vowel = /^[aeiou]/.test(name);
  return frame.replace(/\ban? \{\}/, `${vowel ? 'an' : 'a'} {}`).replace('{}', () => name);
}

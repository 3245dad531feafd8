import { photos } from '@zeroseg/pretrained';
import scenes from '../../samples/samples.json';

export interface Sample {
  /** What recorded runs know it by. */
  readonly file: string;
  readonly title: string;
  readonly url: string;
  readonly words: readonly string[];
  /** Whether it was drawn of what the built-in model knows. */
  readonly isScene: boolean;
}

const urls = import.meta.glob<string>('../../samples/*.png', { query: '?url', import: 'default', eager: true });

const photo = (file: string, title: string, url: URL, words: readonly string[]): Sample => ({
  ...{ file, title, url: url.href, words },
  isScene: false,
});

/** Pictures to begin with: made-up scenes, which the built-in model knows, and photos, which it does not. */
export const samples = [
  ...scenes.map(
    ({ file, caption, words }): Sample => ({
      ...{ file, title: caption, words },
      url: urls[`../../samples/${file}`] as string,
      isScene: true,
    }),
  ),
  photo('boats.jpg', 'a photograph of boats in Nagasaki', photos.boats, ['boat', 'house', 'water', 'sky']),
  photo('cat.jpg', 'photographs of a cat that walks', photos.cat, ['cat', 'tiles', 'night']),
] as unknown as readonly [Sample, ...Sample[]];

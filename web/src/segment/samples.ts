import { photos } from '@zeroseg/pretrained';
export interface Sample {
  readonly title: string;
  readonly url: string;
  readonly words: readonly string[];
}
export const samples: readonly [Sample, ...Sample[]] = [
  { title: 'Boats', url: photos.boats.href, words: ['boat', 'water', 'sky'] },
];

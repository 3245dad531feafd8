import {
  type Paint,
  paintCut,
  paintGroups,
  paintLeaving,
  paintMasked,
  paintNamed,
  paintRepainted,
  paintSegments,
  paintViews,
} from './painting/pictures.ts';

/** The steps in their order: what the overview shows of each. */
export const steps: readonly { readonly id: string; readonly title: string; readonly paint: Paint }[] = [
  { id: 'patches', title: 'Patches', paint: paintCut },
  { id: 'masking', title: 'Masking', paint: paintMasked },
  { id: 'encoder', title: 'Encoder', paint: paintLeaving },
  { id: 'decoder', title: 'Repainting', paint: paintRepainted },
  { id: 'groups', title: 'Groups', paint: paintGroups },
  { id: 'segments', title: 'Segments', paint: paintSegments },
  { id: 'views', title: 'Views', paint: paintViews },
  { id: 'words', title: 'Words', paint: paintNamed },
];

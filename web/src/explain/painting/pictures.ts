/** The picture at each step, as the figures and the overview draw it. */

import { marked, pointed } from '../pointed.ts';
import { grouped, hard, named, seen, subject } from '../state.ts';
import { blend, css, groupColours, segmentColour } from './colours.ts';
import { asSource, paintPatches } from './paint.ts';

export type Paint = (context: CanvasRenderingContext2D) => void;

const clear: Paint = (context) => context.clearRect(0, 0, context.canvas.width, context.canvas.height);

export const paintPicture: Paint = (context) => {
  const { value } = subject;
  if (!value) return clear(context);
  const source = asSource(value.square);
  paintPatches(context, { cols: value.cols, source, fill: () => 'picture', marked: marked.value?.patches });
};

export const paintCut: Paint = (context) => {
  const { value } = subject;
  if (!value) return clear(context);
  const source = asSource(value.square);
  paintPatches(context, { cols: value.cols, source, fill: () => 'picture', gap: 0.16, marked: marked.value?.patches });
};

export const paintMasked: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, seen];
  if (!value || !found) return clear(context);
  paintPatches(context, {
    cols: value.cols,
    source: asSource(value.square),
    fill: (patch) => (found.mask[patch] === 1 ? undefined : 'picture'),
    gap: 0.06,
    marked: marked.value?.patches,
  });
};

const paintTokens =
  (which: 'entering' | 'leaving'): Paint =>
  (context) => {
    const [{ value }, { value: found }] = [subject, seen];
    if (!value || !found) return clear(context);
    const colours = found[which];
    const at = pointed.value;
    const alike =
      which === 'leaving' && at?.what === 'patch' && found.mask[at.number] === 0 ? alikeTo(at.number) : undefined;
    paintPatches(context, {
      cols: value.cols,
      fill: (patch) => {
        if (found.mask[patch] === 1) return undefined;
        const [red, green, blue] = colours.subarray(3 * patch, 3 * patch + 3) as unknown as [number, number, number];
        return css([red, green, blue], alike ? Math.max(0.06, alike(patch)) : 1);
      },
      gap: 0.12,
      marked: alike ? undefined : marked.value?.patches,
    });
  };
export const paintEntering: Paint = paintTokens('entering');
export const paintLeaving: Paint = paintTokens('leaving');

/** Cosine of a token with each other one; below 0 is 0. */
function alikeTo(patch: number): (other: number) => number {
  const { directions, mask } = seen.peek() as NonNullable<typeof seen.value>;
  const dim = directions.length / mask.length;
  const own = directions.subarray(patch * dim, (patch + 1) * dim);
  return (other) => {
    let sum = 0;
    for (let i = 0; i < dim; i++) sum += own[i]! * directions[other * dim + i]!;
    return Math.max(0, sum);
  };
}

export const paintRepainted: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, seen];
  if (!value || !found) return clear(context);
  const source = asSource(found.repainted);
  paintPatches(context, { cols: value.cols, source, fill: () => 'picture', marked: marked.value?.patches });
};

export const paintGroups: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return clear(context);
  const colours = groupColours(found);
  const [stage] = found.stages;
  const isHard = hard.value;
  const colourOf = (patch: number): string | undefined => {
    const group = found.groupOf[patch]!;
    if (group < 0 || !stage) return undefined;
    if (isHard) return css(colours[group]!);
    const member = found.memberOf[patch]!;
    return css(blend(colours, (one) => stage.soft[one * stage.members + member]!));
  };
  const edges = isHard ? found.groupOf : undefined;
  paintPatches(context, { cols: value.cols, fill: colourOf, edges, marked: marked.value?.patches });
};

export const paintSegments: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return clear(context);
  const colourOf = (patch: number): string | undefined => {
    const segment = found.segmentOf[patch]!;
    return segment < 0 ? undefined : css(segmentColour(segment));
  };
  paintPatches(context, { cols: value.cols, fill: colourOf, edges: found.segmentOf, marked: marked.value?.patches });
};

/** The segments over the picture. */
export const paintNamed: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return clear(context);
  void named.value;
  paintPatches(context, {
    cols: value.cols,
    source: asSource(value.square),
    fill: () => 'picture',
    marked: marked.value?.patches,
  });
  const { width: size } = context.canvas;
  const cut = (i: number): number => Math.round((i * size) / value.cols);
  for (const [patch, segment] of found.segmentOf.entries()) {
    if (segment < 0) continue;
    const [col, row] = [patch % value.cols, Math.floor(patch / value.cols)];
    const isFaint = marked.value && marked.value.patches.size > 0 && !marked.value.patches.has(patch);
    context.fillStyle = css(segmentColour(segment), isFaint ? 0.2 : 0.55);
    context.fillRect(cut(col), cut(row), cut(col + 1) - cut(col), cut(row + 1) - cut(row));
  }
};

/** The finest grid over the picture, with the views that segments are nearest to. */
export const paintViews: Paint = (context) => {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return clear(context);
  const { width: size } = context.canvas;
  context.drawImage(asSource(value.square), 0, 0, size, size);
  context.fillStyle = 'rgb(12 14 18 / 0.35)';
  context.fillRect(0, 0, size, size);
  for (const [segment, view] of found.nearest.entries()) {
    if (view < 0 || found.segmentSizes[segment] === 0) continue;
    const [left, top, right, bottom] = value.boxes[view]!.map((at) => (at * size) / value.side) as [
      number,
      number,
      number,
      number,
    ];
    context.strokeStyle = css(segmentColour(segment));
    context.lineWidth = Math.max(2, size / 40);
    context.strokeRect(left + 1, top + 1, right - left - 2, bottom - top - 2);
  }
};

import { Formula, over, sub, sup } from '../math.tsx';
import type { Grouped } from '../messages.ts';
import { css, groupColours, segmentColour } from '../painting/colours.ts';
import { paintSegments } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { marked, pointAt, pointAway } from '../pointed.ts';
import { grouped, subject } from '../state.ts';
import { SegmentChips } from './segment-chips.tsx';
import { Step } from './step.tsx';

export function SegmentsStep() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  const { segments, embedding } = value.trained;
  const used = found.segmentSizes.filter((size) => size > 0).length;
  return (
    <Step
      id="segments"
      says={
        <>
          The same once more: {segments} segment tokens look at the groups, and each group joins one. {used} segments
          are left, wherever their patches lie. Each is then translated into {embedding} numbers of the space in which
          CLIP compares pictures with texts.
        </>
      }
      controls={<SegmentChips />}
      formula={
        <>
          <Formula
            parts={[
              sub('s', ['i', 'p']),
              '=',
              over('∑', 'g'),
              sub(sup('A', '2'), ['i', 'g']),
              sub(sup('A', '1'), ['g', 'p']),
            ]}
          />
          <Formula
            parts={[
              sub('g', 'i'),
              '=',
              'MLP',
              '(',
              'LN',
              '(',
              sub('z', 'i'),
              ')',
              ')',
              ',',
              'z',
              '=',
              'MLP',
              '(',
              over('mean', 'i'),
              sub('z', 'i'),
              ')',
            ]}
          />
          <p>
            Both assignments together say how much of segment i is in patch p. The whole picture’s embedding z goes
            through the same projector.
          </p>
        </>
      }
    >
      <Figure paint={paintSegments} label={`The picture in ${used} segments`}>
        Each patch in the colour of its segment
      </Figure>
      <Merging found={found} />
    </Step>
  );
}

const [WIDTH, GAP, THICK] = [320, 6, 14];

/** Groups on the left flow into segments on the right, as thick as they have patches. */
function Merging({ found }: { found: Grouped }) {
  const colours = groupColours(found);
  const groups = Array.from(found.groupSizes.keys())
    .filter((group) => found.groupSizes[group]! > 0)
    .sort((a, b) => found.segmentOfGroup[a]! - found.segmentOfGroup[b]! || a - b);
  const segments = [...new Set(groups.map((group) => found.segmentOfGroup[group]!))];
  const total = groups.reduce((sum, group) => sum + found.groupSizes[group]!, 0);
  const height = 300;
  const room = height - GAP * (groups.length - 1);
  const high = (patches: number): number => (room * patches) / total;
  // Segments are as high as their groups, and lie as far apart as these leave room for.
  const between = segments.length > 1 ? (height - room) / (segments.length - 1) : 0;
  let [left, right, before] = [0, 0, -1];
  const flows = groups.map((group) => {
    const segment = found.segmentOfGroup[group]!;
    if (before >= 0 && before !== segment) right += between;
    before = segment;
    const size = high(found.groupSizes[group]!);
    const flow = { group, segment, size, left, right };
    left += size + GAP;
    right += size;
    return flow;
  });
  const at = marked.value;
  const isFaint = (group: number): boolean => at !== undefined && at.groups.size > 0 && !at.groups.has(group);
  return (
    <figure class="figure figure-wide">
      <svg viewBox={`0 0 ${WIDTH} ${height}`} class="merging" aria-hidden="true">
        {flows.map(({ group, segment, size, left: from, right: to }) => {
          const [x0, x1] = [THICK, WIDTH - THICK];
          const middle = (x0 + x1) / 2;
          const path = `M${x0} ${from}C${middle} ${from} ${middle} ${to} ${x1} ${to}V${to + size}C${middle} ${to + size} ${middle} ${from + size} ${x0} ${from + size}Z`;
          return (
            <g
              key={group}
              opacity={isFaint(group) ? 0.15 : 1}
              onPointerEnter={() => pointAt('group', group)}
              onPointerLeave={pointAway}
            >
              <path d={path} fill={css(colours[group]!)} opacity="0.45" />
              <rect x="0" y={from} width={THICK} height={size} rx="3" fill={css(colours[group]!)} />
              <rect x={WIDTH - THICK} y={to} width={THICK} height={size} fill={css(segmentColour(segment))} />
            </g>
          );
        })}
      </svg>
      <figcaption class="hint merging-caption">
        <span>{groups.length} groups</span>
        <span>{segments.length} segments</span>
      </figcaption>
    </figure>
  );
}

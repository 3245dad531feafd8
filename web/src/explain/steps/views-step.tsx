import { Slider } from '../controls.tsx';
import { Formula, frac, over, sub } from '../math.tsx';
import { css, segmentColour } from '../painting/colours.ts';
import { PointingButton } from '../pointing-button.tsx';
import { gridCount, grouped, shownGrids, subject } from '../state.ts';
import { Step } from './step.tsx';
import { ViewsFigure } from './views-figure.tsx';
import { viewName } from './views-layout.ts';

export function ViewsStep() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  const { grids, trained } = value;
  const compared = grids.slice(0, shownGrids.value);
  const views = compared.reduce((sum, k) => sum + k * k, 0);
  const finest = Math.max(...compared);
  return (
    <Step
      id="views"
      says={
        <>
          What a segment should mean is said by a teacher that stays as it is: CLIP’s image encoder. It looks at the
          whole picture and at its parts, {views} views in all. Each segment must become like the part that it resembles
          max already, and the picture’s embedding like all of them. Nobody has named anything yet.
        </>
      }
      controls={
        <>
          <Slider
            label="Grids"
            min={1}
            max={grids.length}
            step={1}
            value={shownGrids.value}
            says={finest === 1 ? '1 × 1' : `up to ${finest} × ${finest}`}
            onValue={(next) => {
              gridCount.value = next;
            }}
          />
          <dl class="losses">
            <div>
              <dt>Whole picture to {views === 1 ? 'its view' : `${views} views`}</dt>
              <dd>{(found.terms['distill'] ?? 0).toFixed(4)}</dd>
            </div>
            <div>
              <dt>Segments to their nearest views</dt>
              <dd>{(found.terms['match'] ?? 0).toFixed(4)}</dd>
            </div>
            {(trained.weights['compose'] ?? 0) > 0 && (
              <div>
                <dt>Views made of their segments (beyond the paper)</dt>
                <dd>{(found.terms['compose'] ?? 0).toFixed(4)}</dd>
              </div>
            )}
          </dl>
        </>
      }
      formula={
        <>
          <Formula
            parts={[
              sub('L', 'distill'),
              '=',
              frac(1, 'V'),
              over('∑', 'j'),
              sub(['‖', 'z', '−', sub('v', 'j'), '‖'], 1),
              '=',
              Number((found.terms['distill'] ?? 0).toFixed(4)),
            ]}
          />
          <Formula
            parts={[
              sub('L', 'match'),
              '=',
              ...(trained.sumsSegments ? [] : [frac(1, 'S')]),
              over('∑', 'i'),
              over('min', ['j', '>', 1]),
              sub(['‖', sub('g', 'i'), '−', sub('v', 'j'), '‖'], 1),
              '=',
              Number((found.terms['match'] ?? 0).toFixed(4)),
            ]}
          />
          <p>
            L1 distances, {trained.sumsFeatures ? 'added up' : 'averaged'} over the {trained.embedding} numbers of a
            feature. The whole picture is no part, so segments are never matched with it. The loss of training is{' '}
            {weighted(trained.weights)}, here {found.total.toFixed(3)}.
          </p>
        </>
      }
    >
      <div class="views-figure">
        <ViewsFigure />
        <Matches />
      </div>
    </Step>
  );
}

const symbols: Readonly<Record<string, string>> = {
  rec: 'L rec',
  distill: 'L distill',
  match: 'L match',
  compose: 'L compose',
};

/** The weighted sum in words. */
function weighted(weights: Readonly<Record<string, number>>): string {
  return Object.entries(weights)
    .filter(([, weight]) => weight > 0)
    .map(([name, weight]) => `${weight === 1 ? '' : `${weight} `}${symbols[name]}`)
    .join(' + ');
}

/** Each segment with its nearest view and their distance. */
function Matches() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  return (
    <ul class="matches" aria-label="Nearest views">
      {Array.from(found.segmentSizes.keys())
        .filter((segment) => found.segmentSizes[segment]! > 0)
        .map((segment) => {
          const view = found.nearest[segment]!;
          const distance = view < 0 ? undefined : found.distance[segment * value.boxes.length + view]!;
          return (
            <li key={segment}>
              <PointingButton what="segment" number={segment} class="match">
                <span class="swatch" style={{ background: css(segmentColour(segment)) }} />
                <span class="match-view">{view < 0 ? 'no part to match' : viewName(value.grids, view)}</span>
                {distance !== undefined && <span class="match-distance">{distance.toFixed(3)}</span>}
              </PointingButton>
            </li>
          );
        })}
    </ul>
  );
}

import { Choice, Roll, Slider } from '../controls.tsx';
import { Formula, frac, over, sub } from '../math.tsx';
import { css, groupColours } from '../painting/colours.ts';
import { paintGroups } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { pointed } from '../pointed.ts';
import { PointingButton } from '../pointing-button.tsx';
import { grouped, hard, noise, noiseSeed, shownTau, subject, tau } from '../state.ts';
import { Step } from './step.tsx';

/** Temperatures are chosen by their logarithm. */
const [COLDEST, HOTTEST] = [0.1, 10];

export function GroupsStep() {
  const [{ value }, { value: found }] = [subject, grouped];
  if (!value || !found) return null;
  const { groups, rounds, fromImage } = value.trained;
  const used = found.groupSizes.filter((size) => size > 0).length;
  return (
    <Step
      id="groups"
      says={
        <>
          {groups} group tokens look at the patches, and every patch joins the one that fits best: {used} have found
          some. In training, noise makes patches try another group now and then; the hotter, the less certain a choice.
        </>
      }
      controls={
        <>
          <Choice
            label="Assignment"
            options={[
              ['hard', 'One group each'],
              ['soft', 'A share of each'],
            ]}
            value={hard.value ? 'hard' : 'soft'}
            onValue={(next) => {
              hard.value = next === 'hard';
            }}
          />
          <Slider
            label="Temperature"
            min={Math.log10(COLDEST)}
            max={Math.log10(HOTTEST)}
            step={0.1}
            value={Math.log10(shownTau.value)}
            says={shownTau.value.toPrecision(2)}
            onValue={(next) => {
              tau.value = Number((10 ** next).toPrecision(2));
            }}
          />
          <div class="turn-row">
            <label class="check">
              <input
                type="checkbox"
                checked={noise.value}
                onChange={(event) => {
                  noise.value = event.currentTarget.checked;
                }}
              />
              Gumbel noise
            </label>
            {noise.value && <Roll label="Other noise" onRoll={() => noiseSeed.value++} />}
          </div>
        </>
      }
      formula={
        <>
          <Formula
            parts={[
              sub('A', ['g', 'p']),
              '=',
              sub('softmax', 'g'),
              frac([sub('q', 'g'), '·', sub('k', 'p'), '+', sub('ε', ['g', 'p'])], 'τ'),
            ]}
          />
          <Formula
            parts={[
              sub('z', 'g'),
              '=',
              sub('q', 'g'),
              '+',
              frac(
                [over('∑', 'p'), sub('A', ['g', 'p']), sub('v', 'p')],
                [over('∑', 'p'), sub('A', ['g', 'p']), '+', 1],
              ),
            ]}
          />
          <p>
            ε is Gumbel noise, τ = {shownTau.value} the temperature. With one group each, A is 1 at its largest value
            and 0 elsewhere, while gradients flow as if it were soft.
            {fromImage && ' This model’s group tokens begin at patches of the picture itself'}
            {fromImage && rounds > 0 && `, and move ${rounds} times to the mean of what they won`}
            {fromImage && ' (beyond the paper).'}
          </p>
        </>
      }
    >
      <Figure paint={paintGroups} label={`The picture in ${used} groups`}>
        {hard.value ? 'Each patch in the colour of its group' : 'Colours mixed by the shares of the groups'}; shades of
        one colour will be merged
      </Figure>
      <GroupBars />
    </Step>
  );
}

/** The groups as bars: how many patches each has, or what the patch that is pointed at gives to each. */
function GroupBars() {
  const { value: found } = grouped;
  if (!found) return null;
  const [stage] = found.stages;
  const colours = groupColours(found);
  const at = pointed.value;
  const member = at?.what === 'patch' ? (found.memberOf[at.number] ?? -1) : -1;
  const fraction = (group: number): number =>
    member >= 0 && stage
      ? stage.soft[group * stage.members + member]!
      : found.groupSizes[group]! / Math.max(...found.groupSizes);
  return (
    <div class="bars-figure">
      <p class="hint">
        {member >= 0 ? 'What this patch gives to each group' : 'Patches in each group; point at a patch for its shares'}
      </p>
      <ul class="bars" aria-label="Groups">
        {Array.from(found.groupSizes, (size, group) => (
          <li key={group}>
            <PointingButton
              what="group"
              number={group}
              class="bar"
              disabled={size === 0}
              label={`Group ${group + 1}: ${size} patches, segment ${found.segmentOfGroup[group]! + 1}`}
            >
              <span
                class="bar-fill"
                style={{
                  height: `${Math.max(3, 100 * fraction(group)).toFixed(1)}%`,
                  background: css(colours[group]!),
                }}
              />
            </PointingButton>
          </li>
        ))}
      </ul>
    </div>
  );
}

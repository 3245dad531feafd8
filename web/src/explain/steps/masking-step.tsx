import { Roll, Slider } from '../controls.tsx';
import { Formula, sub } from '../math.tsx';
import { paintMasked } from '../painting/pictures.ts';
import { Figure } from '../painting/square.tsx';
import { maskRatio, maskSeed, mostMasked, seen, shownMaskRatio, subject } from '../state.ts';
import { Step } from './step.tsx';

export function MaskingStep() {
  const { value } = subject;
  if (!value) return null;
  const all = value.cols ** 2;
  const hidden = seen.value?.hidden ?? 0;
  const ratio = Math.min(shownMaskRatio.value, mostMasked.value);
  return (
    <Step
      id="masking"
      says={
        ratio > 0 ? (
          <>
            In training, part of the patches are hidden at random and the encoder never sees them: here {hidden} of{' '}
            {all}. What is learnt from the rest has to make up for them.
          </>
        ) : (
          <>
            Nothing is hidden, as at test time. In training, part of the patches are, and the encoder never sees them.
          </>
        )
      }
      controls={
        <>
          <Slider
            label="Hidden"
            min={0}
            max={mostMasked.value}
            step={0.05}
            value={ratio}
            says={`${Math.round(100 * ratio)} %`}
            onValue={(next) => {
              maskRatio.value = next;
            }}
          />
          <Roll label="Other patches" onRoll={() => maskSeed.value++} />
        </>
      }
      formula={
        <>
          <Formula
            parts={[sub('u', 'p'), '∼', 'U', '(', 0, ',', 1, ')', ',', 'n', '=', '⌊', 'N', '(', 1, '−', 'r', ')', '⌋']}
          />
          <p>
            Every patch draws a number; the n = {all - hidden} smallest of N = {all} are kept, at a ratio r ={' '}
            {ratio.toFixed(2)}.
          </p>
        </>
      }
    >
      <Figure paint={paintMasked} label={`The picture with ${hidden} of ${all} patches hidden`}>
        {all - hidden} of {all} patches are left
      </Figure>
    </Step>
  );
}

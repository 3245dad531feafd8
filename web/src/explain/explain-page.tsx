import { useEffect } from 'preact/hooks';
import { address } from '../app/address.ts';
import { dropPhotos, pastePhotos } from '../picture/incoming.ts';
import { PhotoPicker } from '../picture/photo-picker.tsx';
import { picture } from '../picture/picture.ts';
import { Choice } from './controls.tsx';
import { Overview, showStep } from './overview.tsx';
import { grouped, openFirst, openPicture, phase, problem, setPhase, startExplaining, subject, took } from './state.ts';
import { DecoderStep } from './steps/decoder-step.tsx';
import { EncoderStep } from './steps/encoder-step.tsx';
import { GroupsStep } from './steps/groups-step.tsx';
import { MaskingStep } from './steps/masking-step.tsx';
import { PatchesStep } from './steps/patches-step.tsx';
import { SegmentsStep } from './steps/segments-step.tsx';
import { ViewsStep } from './steps/views-step.tsx';
import { WordsStep } from './steps/words-step.tsx';
import './explain.css';

let isStarted = false;

export function ExplainPage() {
  useEffect(() => {
    if (!isStarted) {
      isStarted = true;
      startExplaining();
    }
    openFirst();
    const stopDropping = dropPhotos(document.body, openPicture);
    const stopPasting = pastePhotos(document, openPicture);
    return () => {
      stopDropping();
      stopPasting();
    };
  }, []);
  const isReady = grouped.value !== undefined;
  const step = address.value.parameters.get('step');
  useEffect(() => {
    if (isReady && step) showStep(step);
  }, [isReady, step]);
  return (
    <div class="explain">
      <section class="explain-head" aria-labelledby="how-title">
        <div>
          <h2 id="how-title">How a picture falls apart into things, without labels</h2>
          <p>
            Figure 2 of the ZeroSeg paper, on your picture: every number below is computed now, on your device, by the
            model that Segment uses. Turn anything, and all that follows from it changes. Point at anything, and what
            belongs to it lights up in every step.
          </p>
        </div>
        <PhotoPicker opened={picture.value?.name} open={openPicture} />
      </section>
      {problem.value && (
        <p class="notice notice-problem" role="alert">
          {problem}
        </p>
      )}
      {subject.value && (
        <div class="strip-bar">
          <Overview />
          {took.value !== undefined && <p class="took">computed in {Math.max(1, Math.round(took.value))} ms</p>}
          <Choice
            label="Settings"
            options={[
              ['training', 'As in training'],
              ['test', 'As at test time'],
            ]}
            value={phase.value}
            onValue={setPhase}
          />
        </div>
      )}
      {isReady ? (
        <>
          <PatchesStep />
          <MaskingStep />
          <EncoderStep />
          <DecoderStep />
          <GroupsStep />
          <SegmentsStep />
          <ViewsStep />
          <WordsStep />
        </>
      ) : (
        !problem.value && (
          <p class="progress" role="status">
            <span class="spinner" aria-hidden="true" />
            Opening the model and its teacher …
          </p>
        )
      )}
    </div>
  );
}

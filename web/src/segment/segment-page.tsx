import { useEffect } from 'preact/hooks';
import { OpenModelsPanel } from '../models/open-panel.tsx';
import { Downloads } from './downloads.tsx';
import { dropFiles, pastePhotos } from './incoming.ts';
import { ModelPicker } from './model-picker.tsx';
import { PhotoPicker } from './photo-picker.tsx';
import { samples } from './samples.ts';
import { Stage } from './stage.tsx';
import { comparing, first, openSample, photo, problem, second, startSegmenting } from './state.ts';
import { ViewControls } from './view-controls.tsx';
import { Words } from './words.tsx';

let isStarted = false;

export function SegmentPage() {
  useEffect(() => {
    if (!isStarted) {
      isStarted = true;
      startSegmenting();
      if (!photo.peek()) void openSample(samples[0]);
    }
    const stopDropping = dropFiles(document.body);
    const stopPasting = pastePhotos(document);
    return () => {
      stopDropping();
      stopPasting();
    };
  }, []);
  return (
    <div class="segment">
      <section class="segment-picture" aria-label="Picture">
        <Stage />
        <ViewControls />
        <PhotoPicker />
      </section>
      <aside class="segment-panel" aria-label="Words and model">
        {problem.value && (
          <p class="notice notice-problem" role="alert">
            {problem}
          </p>
        )}
        {comparing.value ? (
          <>
            <Words side={first} title="Words, left" />
            <ModelPicker side={first} title="Model, left" />
            <Words side={second} title="Words, right" />
            <ModelPicker side={second} title="Model, right" />
          </>
        ) : (
          <>
            <Words side={first} title="Words" />
            <ModelPicker side={first} title="Model" />
          </>
        )}
        <Downloads />
      </aside>
      <OpenModelsPanel onAdded={({ id }) => (first.model.value = id)} />
    </div>
  );
}

import { useEffect } from 'preact/hooks';
import { OpenModelsPanel } from '../models/open-panel.tsx';
import { dropPhotos, pastePhotos } from '../picture/incoming.ts';
import { PhotoPicker } from '../picture/photo-picker.tsx';
import { fetchSample, picture } from '../picture/picture.ts';
import { samples } from '../picture/samples.ts';
import { Downloads } from './downloads.tsx';
import { ModelPicker } from './model-picker.tsx';
import { Stage } from './stage.tsx';
import { comparing, first, openModels, openPicture, photo, problem, second, startSegmenting } from './state.ts';
import { ViewControls } from './view-controls.tsx';
import { Words } from './words.tsx';

let isStarted = false;

export function SegmentPage() {
  useEffect(() => {
    if (!isStarted) {
      isStarted = true;
      startSegmenting();
    }
    const [opened, given] = [photo.peek(), picture.peek()];
    // Another tool may have opened another picture meanwhile.
    if (given && given.file !== opened?.file) void openPicture(given);
    else if (!opened) void openPicture(fetchSample(samples[0]));
    const stopDropping = dropPhotos(document.body, openPicture, openModels);
    const stopPasting = pastePhotos(document, openPicture);
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
        <PhotoPicker opened={photo.value?.name} open={openPicture} />
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

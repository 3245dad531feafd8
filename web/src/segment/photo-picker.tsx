import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { CameraIcon, DiceIcon, UploadIcon } from '../app/icons.tsx';
import { Camera } from './camera.tsx';
import { samples } from './samples.ts';
import { openPhoto, openSample, openScene, photo } from './state.ts';

/** Where pictures come from: samples, a new scene, a file, the camera. */
export function PhotoPicker() {
  const input = useRef<HTMLInputElement>(null);
  const isFilming = useSignal(false);
  return (
    <div class="picker">
      <ul class="samples" aria-label="Sample pictures">
        {samples.map((sample) => (
          <li key={sample.title}>
            <button
              type="button"
              class="sample"
              aria-pressed={photo.value?.name === sample.title}
              title={sample.title}
              onClick={() => void openSample(sample)}
            >
              <img src={sample.url} alt={sample.title} width="64" height="64" />
            </button>
          </li>
        ))}
        <li>
          <button type="button" class="sample sample-new" onClick={() => void openScene()}>
            <DiceIcon />
            New scene
          </button>
        </li>
      </ul>
      <div class="picker-own">
        <button type="button" class="button button-strong" onClick={() => input.current?.click()}>
          <UploadIcon />
          Your photo
        </button>
        <button type="button" class="button" onClick={() => (isFilming.value = true)}>
          <CameraIcon />
          Camera
        </button>
        <p class="hint">or drop or paste one anywhere. It stays on this device.</p>
        <input
          ref={input}
          type="file"
          accept="image/*"
          class="visually-hidden"
          tabIndex={-1}
          aria-label="Your photo"
          onChange={(event) => {
            const [file] = event.currentTarget.files ?? [];
            if (file) void openPhoto(file, file.name);
            event.currentTarget.value = '';
          }}
        />
      </div>
      {isFilming.value && <Camera onClose={() => (isFilming.value = false)} />}
    </div>
  );
}

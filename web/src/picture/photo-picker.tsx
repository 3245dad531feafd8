import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { support } from '../app/gpu-state.ts';
import { CameraIcon, DiceIcon, UploadIcon } from '../app/icons.tsx';
import { Camera } from './camera.tsx';
import { drawScene, fetchSample, type OpenPicture } from './picture.ts';
import { samples } from './samples.ts';

/** Where pictures come from: samples, a new scene, a file, the camera. */
export function PhotoPicker({ opened, open }: { opened: string | undefined; open: OpenPicture }) {
  const input = useRef<HTMLInputElement>(null);
  const isFilming = useSignal(false);
  // A recorded run has nothing to look at other pictures with.
  const isLive = support.value?.isThere === true;
  return (
    <div class="picker">
      <ul class="samples" aria-label="Sample pictures">
        {samples
          .filter(({ isScene }) => isLive || isScene)
          .map((sample) => (
            <li key={sample.file}>
              <button
                type="button"
                class="sample"
                aria-pressed={opened === sample.file}
                title={sample.title}
                onClick={() => void open(fetchSample(sample))}
              >
                <img src={sample.url} alt={sample.title} width="64" height="64" />
              </button>
            </li>
          ))}
        {isLive && (
          <li>
            <button type="button" class="sample sample-new" onClick={() => void open(drawScene())}>
              <DiceIcon />
              New scene
            </button>
          </li>
        )}
      </ul>
      {isLive && (
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
              if (file) void open({ file, name: file.name });
              event.currentTarget.value = '';
            }}
          />
        </div>
      )}
      {isFilming.value && <Camera open={open} onClose={() => (isFilming.value = false)} />}
    </div>
  );
}

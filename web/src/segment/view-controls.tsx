import { CompareIcon } from '../app/icons.tsx';
import { comparing, first, opacity, outlines, second, setWords, written } from './state.ts';

/** How the result is shown. */
export function ViewControls() {
  return (
    <fieldset class="view-controls">
      <legend class="visually-hidden">View</legend>
      <label class="slider">
        Colour
        <input
          type="range"
          min="0"
          max="1"
          step="0.05"
          value={opacity.value}
          onInput={(event) => {
            opacity.value = Number(event.currentTarget.value);
          }}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={outlines.value}
          onChange={(event) => {
            outlines.value = event.currentTarget.checked;
          }}
        />
        Outlines
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={written.value}
          onChange={(event) => {
            written.value = event.currentTarget.checked;
          }}
        />
        Names
      </label>
      <button
        type="button"
        class="button"
        aria-pressed={comparing.value}
        onClick={() => {
          if (!comparing.value) {
            second.model.value = first.model.value;
            setWords(second, first.words.value);
          }
          comparing.value = !comparing.value;
        }}
      >
        <CompareIcon />
        Compare
      </button>
    </fieldset>
  );
}

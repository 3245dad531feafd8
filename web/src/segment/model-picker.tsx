import { useId } from 'preact/hooks';
import { support } from '../app/gpu-state.ts';
import { choiceOf, isOpen, shelf } from '../models/state.ts';
import type { Side } from './state.ts';

/** Which model segments a side, and what its files say of it. */
export function ModelPicker({ side, title }: { side: Side; title: string }) {
  const heading = useId();
  const choice = choiceOf(side.model.value);
  const { choices = [] } = shelf.value ?? {};
  if (!support.value?.isThere) {
    return (
      <section class="card" aria-labelledby={heading}>
        <h2 id={heading} class="card-title">
          {title}
        </h2>
        <p class="model-name">Built-in student, recorded</p>
      </section>
    );
  }
  return (
    <section class="card" aria-labelledby={heading}>
      <div class="card-head">
        <h2 id={heading} class="card-title">
          {title}
        </h2>
        <button type="button" class="link" onClick={() => (isOpen.value = true)}>
          Your models …
        </button>
      </div>
      <select
        class="field"
        aria-labelledby={heading}
        value={side.model.value}
        onChange={(event) => {
          side.model.value = event.currentTarget.value;
        }}
      >
        {choices.length === 0 && <option value={side.model.value}>Built-in student</option>}
        {choices.map(({ id, title: name, problem }) => (
          <option key={id} value={id} disabled={problem !== undefined}>
            {problem === undefined ? name : `${name} (its teacher is missing)`}
          </option>
        ))}
      </select>
      {choice?.notes.map((note) => (
        <p key={note} class="hint">
          {note}
        </p>
      ))}
    </section>
  );
}

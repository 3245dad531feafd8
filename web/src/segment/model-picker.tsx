import { useId } from 'preact/hooks';
import type { Side } from './state.ts';

export function ModelPicker({ side, title }: { side: Side; title: string }) {
  const heading = useId();
  return (
    <section class="card" aria-labelledby={heading}>
      <h2 id={heading} class="card-title">
        {title}
      </h2>
      <p class="model-name">{side.model.value === 'built-in' ? 'Built-in student' : side.model.value}</p>
      <p class="hint">
        1.1 million weights, trained on made-up scenes without labels or text. It knows drawings of 40 things on 14
        kinds of ground; of real photos next to nothing.
      </p>
    </section>
  );
}

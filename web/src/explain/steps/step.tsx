import type { ComponentChildren } from 'preact';
import { steps } from '../order.ts';

interface StepProps {
  readonly id: string;
  /** What happens, in plain words. */
  readonly says: ComponentChildren;
  readonly controls?: ComponentChildren;
  /** The same as a formula. */
  readonly formula: ComponentChildren;
  readonly children: ComponentChildren;
}

/** One step of the eight: what happens, what can be turned, and what it looks like. */
export function Step({ id, says, controls, formula, children }: StepProps) {
  const number = steps.findIndex((step) => step.id === id) + 1;
  return (
    <section class="step" id={`step-${id}`} aria-labelledby={`step-${id}-title`}>
      <div class="step-text">
        <h3 id={`step-${id}-title`} class="step-title">
          <span class="step-number" aria-hidden="true">
            {number}
          </span>
          {steps[number - 1]?.title}
        </h3>
        <p>{says}</p>
        {controls && <div class="step-controls">{controls}</div>}
        <details class="formula">
          <summary>As a formula</summary>
          <div class="formula-body">{formula}</div>
        </details>
      </div>
      <div class="step-figures">{children}</div>
    </section>
  );
}

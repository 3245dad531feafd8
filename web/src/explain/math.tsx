/** Formulas as MathML: browsers set it, and screen readers read it. On a narrow screen a long one is scrolled, by keys too. */
import type { ComponentChildren } from 'preact';

type Part = ComponentChildren;

/** A line of a formula. Strings of one letter are variables, numbers are numbers, all else is an operator or a word. */
export function Formula({ parts }: { parts: readonly Part[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div class="formula-line" tabIndex={0}>
      <math display="block">
        <mrow>{parts.map(set)}</mrow>
      </math>
    </div>
  );
}

function set(part: Part): Part {
  if (typeof part === 'number') return <mn>{part}</mn>;
  if (typeof part !== 'string') return part;
  if (/^[a-zA-Zα-ωΑ-Ω]$/u.test(part)) return <mi>{part}</mi>;
  if (/^[\p{L} ]+$/u.test(part)) return <mtext>{part}</mtext>;
  return <mo>{part}</mo>;
}

const row = (part: Part | readonly Part[]) => (Array.isArray(part) ? <mrow>{part.map(set)}</mrow> : set(part as Part));

export const sub = (base: Part | readonly Part[], index: Part | readonly Part[]) => (
  <msub>
    {row(base)}
    {row(index)}
  </msub>
);

export const sup = (base: Part | readonly Part[], power: Part | readonly Part[]) => (
  <msup>
    {row(base)}
    {row(power)}
  </msup>
);

export const frac = (above: Part | readonly Part[], below: Part | readonly Part[]) => (
  <mfrac>
    {row(above)}
    {row(below)}
  </mfrac>
);

/** An operator over an index: a sum, a minimum. */
export const over = (operator: string, index: Part | readonly Part[]) => (
  <munder>
    <mo>{operator}</mo>
    {row(index)}
  </munder>
);

export const root = (inside: Part | readonly Part[]) => <msqrt>{row(inside)}</msqrt>;

import type { ComponentChildren } from 'preact';

/** A table that scrolls to the side where it is wider than the page; by keyboard too. */
export function TableFrame({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="table-frame" tabIndex={0} aria-label={label}>
      <table class="numbers">{children}</table>
    </section>
  );
}

/** Families of kernels: each has a colour and a shape, so that colour alone tells nothing. */

const shapes: readonly string[] = [
  'M0-5.5A5.5 5.5 0 1 1 0 5.5 5.5 5.5 0 1 1 0-5.5z',
  'M-4.8-4.8h9.6v9.6h-9.6z',
  'M0-6.6 6.6 0 0 6.6-6.6 0z',
  'M0-6.2 6.2 5H-6.2z',
  'M0 6.2 6.2-5H-6.2z',
  'M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z',
];

/** The number of a family, by the order in which families come. */
export function familyNumber(families: readonly string[], family: string): number {
  return families.indexOf(family) % shapes.length;
}

export function FamilyShape({ number }: { number: number }) {
  return <path class={`family family-${number}`} d={shapes[number]} />;
}

export function FamilyKey({ number }: { number: number }) {
  return (
    <svg class="family-key" viewBox="-8 -8 16 16" width="16" height="16" aria-hidden="true">
      <FamilyShape number={number} />
    </svg>
  );
}

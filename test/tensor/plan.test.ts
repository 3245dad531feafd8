import { describe, expect, it } from 'vitest';
import { type Lifetime, plan } from '../../src/tensor/plan.ts';
import { seeded } from '../support/check-op.ts';

/** The most bytes alive at once: no plan can need less. */
function ideal(lives: readonly Lifetime[]): number {
  return Math.max(
    ...lives.map(({ first }) => lives.reduce((sum, l) => sum + (l.first <= first && first <= l.last ? l.bytes : 0), 0)),
  );
}

function randomLives(seed: number): Lifetime[] {
  const random = seeded(seed);
  const launches = 2 + Math.floor(random() * 60);
  return Array.from({ length: 1 + Math.floor(random() * 120) }, () => {
    const first = Math.floor(random() * launches) - 1;
    const reach = random() < 0.2 ? launches : 1 + random() * 6;
    return { bytes: 16 * (1 + Math.floor(random() ** 3 * 1000)), first, last: first + Math.floor(random() * reach) };
  });
}

describe('plan', () => {
  it('never lets two lifetimes that overlap share a slot, and no slot is too small (500 random programs)', () => {
    let worst = 0;
    for (let seed = 1; seed <= 500; seed++) {
      const lives = randomLives(seed);
      const { slotOf, slots } = plan(lives);
      lives.forEach((a, i) => {
        expect(slots[slotOf[i] as number]).toBeGreaterThanOrEqual(a.bytes);
        for (let j = 0; j < i; j++) {
          const b = lives[j] as Lifetime;
          if (slotOf[i] === slotOf[j] && a.first <= b.last && b.first <= a.last) {
            throw new Error(`program ${seed}: lifetimes ${j} and ${i} share slot ${slotOf[i]}`);
          }
        }
      });
      worst = Math.max(worst, slots.reduce((a, b) => a + b, 0) / ideal(lives));
    }
    expect(worst).toBeLessThan(1.6);
  });

  it('is near the ideal for a forward and backward pass', () => {
    // Activations of 24 layers live until their backward; each layer also has short-lived scratch of four times the size.
    const lives: Lifetime[] = [];
    for (let layer = 0; layer < 24; layer++) {
      lives.push({ bytes: 1000, first: 2 * layer, last: 200 - 2 * layer });
      lives.push({ bytes: 4000, first: 2 * layer, last: 2 * layer + 1 });
      lives.push({ bytes: 4000, first: 199 - 2 * layer, last: 200 - 2 * layer });
    }
    const { slots } = plan(lives);
    expect(slots.reduce((a, b) => a + b, 0) / ideal(lives)).toBeLessThan(1.02);
  });

  it('has nothing to do for nothing', () => {
    expect(plan([])).toEqual({ slotOf: [], slots: [] });
  });
});

import { describe, expect, it } from 'vitest';
import { type Lifetime, type Part, type Plan, peakBytes, plan, planInTime } from '../../../src/tensor/run/plan.ts';
import { seeded } from '../../support/check-op.ts';

const ALIGNMENT = 256;

/** Lifetimes as a program has them: each is written by its first launch and read by some later ones; a few come in parts. */
function randomLives(seed: number): Lifetime[] {
  const random = seeded(seed);
  const launches = 2 + Math.floor(random() * 60);
  return Array.from({ length: 1 + Math.floor(random() * 120) }, () => {
    const first = Math.floor(random() * launches) - 1;
    const reach = random() < 0.2 ? launches : 1 + random() * 6;
    const last = first + Math.floor(random() * reach);
    const uses = first < 0 ? [] : [2 * first + 1];
    for (let at = first + 1; at <= last; at++) if (at === last || random() < 0.3) uses.push(2 * at);
    const bytes = 16 * (1 + Math.floor(random() ** 3 * 1000));
    if (random() > 0.1) return { bytes, first, last, uses };
    const count = 1 + Math.floor(random() * 5);
    const parts = Array.from({ length: count }, (_, i): Part => {
      const start = Math.min(last, first + Math.floor(random() * 4));
      return { offset: i * 1024, bytes: 16 * (1 + Math.floor(random() * 64)), first: i === 0 ? first : start, last };
    });
    return { bytes: 1024 * count, first, last, uses: [...uses, ...parts.map((part) => 2 * part.first + 1)], parts };
  }).map((life) => ({ ...life, uses: consistent(life.uses) }));
}

/** A launch either reads or writes one tensor. */
const consistent = (uses: readonly number[]) => [...new Map(uses.map((use) => [use >> 1, use])).values()];

/** The places that lifetimes have in their slots. */
function placed(lives: readonly Lifetime[], { slotOf, offsetOf }: Plan): (Part & { slot: number; life: number })[] {
  return lives.flatMap((life, i) => {
    const [slot, offset] = [slotOf[i] as number, offsetOf[i] as number];
    const parts = life.parts ?? [{ ...life, offset: 0 }];
    return parts.map((part) => ({ ...part, offset: offset + part.offset, slot, life: i }));
  });
}

describe('plan', () => {
  it('lets nothing overlap in time and place, and no launch read and write one slot (500 random programs)', () => {
    let worst = 0;
    for (let seed = 1; seed <= 500; seed++) {
      const lives = randomLives(seed);
      const made = plan(lives, ALIGNMENT);
      const places = placed(lives, made);
      const used = new Map<string, number>();
      lives.forEach(({ bytes, uses = [] }, i) => {
        const [slot, offset] = [made.slotOf[i] as number, made.offsetOf[i] as number];
        expect(offset % ALIGNMENT).toBe(0);
        expect(offset + bytes).toBeLessThanOrEqual(made.slots[slot] as number);
        for (const use of uses) {
          const key = `${slot} ${use >> 1}`;
          const before = used.get(key);
          if (before !== undefined && before !== (use & 1)) {
            throw new Error(`program ${seed}: launch ${use >> 1} reads and writes slot ${slot}`);
          }
          used.set(key, use & 1);
        }
      });
      places.forEach((a, i) => {
        for (const b of places.slice(0, i)) {
          const apart =
            a.slot !== b.slot ||
            a.last < b.first ||
            b.last < a.first ||
            a.offset + a.bytes <= b.offset ||
            b.offset + b.bytes <= a.offset;
          if (!apart)
            throw new Error(`program ${seed}: lifetimes ${b.life} and ${a.life} share bytes of slot ${a.slot}`);
        }
      });
      worst = Math.max(worst, made.slots.reduce((a, b) => a + b, 0) / peakBytes(lives));
    }
    // Programs of a few launches, where what is read and what is written must be apart; those of models are within a few per cent.
    expect(worst).toBeLessThan(2.5);
  });

  it('is near the ideal for a forward and backward pass', () => {
    // Activations of 24 layers live until their backward; each layer also has short-lived scratch of four times the size.
    const lives: Lifetime[] = [];
    for (let layer = 0; layer < 24; layer++) {
      lives.push({ bytes: 1024, first: 2 * layer, last: 200 - 2 * layer });
      lives.push({ bytes: 4096, first: 2 * layer, last: 2 * layer + 1 });
      lives.push({ bytes: 4096, first: 199 - 2 * layer, last: 200 - 2 * layer });
    }
    const { slots } = plan(lives);
    expect(slots.reduce((a, b) => a + b, 0) / peakBytes(lives)).toBeLessThan(1.02);
  });

  it('keeps activations where gradients are to be written', () => {
    // Eight activations; each is last read one launch before the gradient of its layer is written into a flat buffer.
    const bytes = 4096;
    const layers = Array.from({ length: 8 }, (_, i) => i);
    const read = (i: number) => 30 - 2 * i;
    const activations = layers.map((i) => ({ bytes, first: i, last: read(i), uses: [2 * i + 1, 2 * read(i)] }));
    const parts = layers.map((i) => ({ offset: i * bytes, bytes, first: read(i) + 1, last: 40 }));
    const uses = [...parts.map(({ first }) => 2 * first + 1), 2 * 40];
    const page = { bytes: 8 * bytes, first: read(7) + 1, last: 40, uses, parts };
    const { slots } = plan([page, ...activations]);
    expect(slots).toEqual([8 * bytes]);
  });

  it('takes a long program in the order of time: 20,000 launches in a row need two places', () => {
    const lives = Array.from({ length: 20_000 }, (_, i) => ({
      ...{ bytes: 256, first: i, last: i + 1 },
      uses: [2 * i + 1, 2 * i + 2],
    }));
    const { slots, slotOf } = plan(lives, ALIGNMENT);
    expect(slots).toEqual([256, 256]);
    expect(slotOf.every((slot, i) => slot === i % 2)).toBe(true);
    // A forward and a backward: half of the activations live for as long as it takes to come back to them.
    const pass = Array.from({ length: 20_000 }, (_, i) => ({
      ...{ bytes: 16 * (1 + (i % 7)), first: i },
      last: i < 10_000 && i % 2 === 0 ? 20_000 - i : i + 1,
    }));
    expect(plan(pass).slots.reduce((a, b) => a + b, 0) / peakBytes(pass)).toBeLessThan(1.1);
    // Of 6,000 with others that stay long, none meet.
    const random = seeded(3);
    const mixed = Array.from({ length: 6000 }, (_, i) => ({
      bytes: 16 * (1 + Math.floor(random() * 4)),
      first: i,
      last: i + 1 + (random() < 0.02 ? Math.floor(random() * 1500) : Math.floor(random() * 3)),
    }));
    const made = plan(mixed, 16);
    expect(made.slots.reduce((a, b) => a + b, 0) / peakBytes(mixed)).toBeLessThan(1.7);
    const places = placed(mixed, made).sort((a, b) => a.first - b.first);
    for (const [i, a] of places.entries()) {
      for (let j = i + 1; j < places.length && places[j]!.first <= a.last; j++) {
        const b = places[j]!;
        if (a.slot !== b.slot) continue;
        expect(a.offset + a.bytes <= b.offset || b.offset + b.bytes <= a.offset).toBe(true);
      }
    }
  });

  it('lets nothing share a slot at one time in the order of time either (100 random programs)', () => {
    for (let seed = 1; seed <= 100; seed++) {
      const lives = randomLives(seed);
      const made = planInTime(lives);
      lives.forEach((a, i) => {
        if (a.bytes > (made.slots[made.slotOf[i] as number] as number))
          throw new Error(`program ${seed}: ${i} is too large`);
        for (const [k, b] of lives.slice(0, i).entries()) {
          const meet = made.slotOf[i] === made.slotOf[k] && a.first <= b.last && b.first <= a.last;
          if (meet) throw new Error(`program ${seed}: lifetimes ${k} and ${i} share slot ${made.slotOf[i]}`);
        }
      });
    }
  });

  it("takes no more than all orders for a transformer's forward pass", () => {
    const lives: Lifetime[] = [];
    // What a launch makes, in widths of a token, and how many launches later it is read last.
    const make = (units: number, reach: number) => {
      const at = lives.length;
      lives.push({ bytes: 1024 * units, first: at, last: at + reach, uses: [2 * at + 1, 2 * (at + reach)] });
    };
    make(1, 4);
    for (let block = 0; block < 12; block++) {
      for (const [units, reach] of [
        [1, 1],
        [3, 1],
        [1, 1],
        [1, 3],
        [1, 1],
        [4, 1],
        [1, 4],
      ] as const)
        make(units, reach);
    }
    const total = ({ slots }: Plan) => slots.reduce((a, b) => a + b, 0);
    expect(total(planInTime(lives))).toBe(total(plan(lives)));
    expect(total(plan(lives)) / peakBytes(lives)).toBeLessThan(1.2);
  });

  it('has nothing to do for nothing', () => {
    expect(plan([])).toEqual({ slotOf: [], offsetOf: [], slots: [] });
    expect(planInTime([])).toEqual({ slotOf: [], offsetOf: [], slots: [] });
    expect(peakBytes([])).toBe(0);
  });
});

describe('mostAlive', () => {
  it('counts what is alive at one launch', () => {
    const lives = [
      { bytes: 3, first: 0, last: 1 },
      { bytes: 5, first: 1, last: 2 },
      { bytes: 7, first: 2, last: 2 },
    ];
    expect(peakBytes(lives)).toBe(12);
    const parts = [
      { offset: 0, bytes: 50, first: 3, last: 4 },
      { offset: 50, bytes: 50, first: 4, last: 4 },
    ];
    expect(peakBytes([...lives, { bytes: 100, first: 3, last: 4, parts }])).toBe(100);
  });
});

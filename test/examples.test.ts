/** The programs of `examples/`, unchanged, in Node and in a browser: each reaches the figures that it prints. */
import { expect, it, vi } from 'vitest';

const programs = import.meta.glob<Readonly<Record<string, number>>>('../examples/*.mjs');

/** What each exports, and which value of it is good enough. */
const figures: Readonly<Record<string, Readonly<Record<string, (value: number) => void>>>> = {
  digits: { accuracy: (value) => expect(value).toBeGreaterThan(0.95) },
  'own-op': {
    worst: (value) => expect(value).toBeLessThan(2e-3),
    learnedRate: (value) => expect(value).toBeCloseTo(2, 2),
  },
  autoencoder: { explained: (value) => expect(value).toBeGreaterThan(0.6) },
  gpt: { loss: (value) => expect(value).toBeLessThan(0.5) },
  diffusion: { near: (value) => expect(value).toBeGreaterThan(0.6) },
  gan: { near: (value) => expect(value).toBeGreaterThan(0.75) },
  'text-gru': {
    loss: (value) => expect(value).toBeLessThan(0.5),
    known: (value) => expect(value).toBeGreaterThan(0.75),
  },
  unet: { overlap: (value) => expect(value).toBeGreaterThan(0.85) },
  lora: {
    before: (value) => expect(value).toBeGreaterThan(3),
    after: (value) => expect(value).toBeLessThan(1),
    kept: (value) => expect(value).toBeLessThan(0.6),
    loaded: (value) => expect(value).toBeLessThan(1),
  },
  clip: { accuracy: (value) => expect(value).toBeGreaterThan(0.9) },
};

it('all of them are here', () => {
  const names = Object.keys(programs).map((path) => path.replace(/^.*\/|\.mjs$/g, ''));
  expect(names.sort()).toEqual(Object.keys(figures).sort());
});

it.each(Object.entries(figures))('%s reaches its figures', async (name, checks) => {
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    const found = await programs[`../examples/${name}.mjs`]!();
    expect(Object.keys(found).sort()).toEqual(Object.keys(checks).sort());
    for (const [key, check] of Object.entries(checks)) check(found[key] as number);
    expect(printed).toHaveBeenCalled();
  } finally {
    printed.mockRestore();
  }
});

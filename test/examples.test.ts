/** The programs of `examples/`, unchanged: each reaches the figures that it prints. */
import { expect, it, vi } from 'vitest';

const programs = import.meta.glob<Readonly<Record<string, number>>>('../examples/*.mjs');
const texts = import.meta.glob<string>('../examples/*.mjs', { query: '?raw', import: 'default', eager: true });
const nameOf = (path: string) => path.replace(/^.*\/|\.mjs$/g, '');

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
  'training-loop': {
    accuracy: (value) => expect(value).toBeGreaterThan(0.95),
    differentBytes: (value) => expect(value).toBe(0),
  },
};

/** What runs in a browser too: what reads files, which is another thing there, and three more. The others are the same JavaScript in both. */
const inBrowsers = ['clip', 'digits', 'own-op', 'training-loop'];
const isBrowser = 'document' in globalThis;

it('all of them are here', () => {
  expect(Object.keys(programs).map(nameOf).sort()).toEqual(Object.keys(figures).sort());
});

it('those that run in Node alone use nothing but the library', () => {
  const others = Object.entries(texts).filter(([path]) => !inBrowsers.includes(nameOf(path)));
  expect(others.length).toBe(Object.keys(figures).length - inBrowsers.length);
  for (const [path, text] of others) {
    const from = [...text.matchAll(/\bimport\b[^;]*?(['"])(.+?)\1/g)].map(([, , name]) => name);
    expect([path, ...from]).toEqual([path, '@zeroseg/core']);
    expect(text).not.toMatch(/\b(process|Buffer|require|global|globalThis|document|window|navigator|fetch)\b[.([]/);
  }
});

it.each(Object.entries(figures).filter(([name]) => !isBrowser || inBrowsers.includes(name)))(
  '%s reaches its figures',
  async (name, checks) => {
    const printed = vi.spyOn(console, 'log').mockImplementation(() => {});
    try {
      const found = await programs[`../examples/${name}.mjs`]!();
      expect(Object.keys(found).sort()).toEqual(Object.keys(checks).sort());
      for (const [key, check] of Object.entries(checks)) check(found[key] as number);
      expect(printed).toHaveBeenCalled();
    } finally {
      printed.mockRestore();
    }
  },
);

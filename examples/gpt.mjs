// A small GPT: a transformer learns a text letter by letter, and writes on from a beginning.

import {
  AdamW,
  add,
  Block,
  buildModule,
  crossEntropy,
  Embedding,
  gradients,
  LayerNorm,
  Linear,
  newWeights,
  normal,
  openDevice,
  parameters,
  random,
  read,
  reshape,
  step,
} from '@zeroseg/core';

// 1. The text, and its letters as numbers.

const text = `
The sea is made of many waves, and every wave is made of sea.
The wood is made of many trees, and every tree is made of wood.
The night is made of many stars, and every star is made of night.
The song is made of many words, and every word is made of song.
The day is made of many hours, and every hour is made of day.
The town is made of many streets, and every street is made of town.
The hill is made of many stones, and every stone is made of hill.
`.trimStart();
const letters = [...new Set(text)].sort();
const ids = Uint32Array.from(text, (letter) => letters.indexOf(letter));

// 2. The model: an embedding of letters and of places, blocks of attention that see only what is before, and a score for each letter.

const [context, width, heads, depth] = [24, 64, 4, 1];

class Gpt {
  constructor(weights) {
    const init = normal(0.05);
    this.letters = new Embedding(weights.in('letters'), letters.length, width, init);
    this.places = weights.parameter('places', [context, width], init);
    const options = { dim: width, heads, hidden: 2 * width, eps: 1e-5, init };
    this.blocks = Array.from({ length: depth }, (_, i) => new Block(weights.in(`block${i}`), options));
    this.norm = new LayerNorm(weights.in('norm'), width, 1e-5);
    this.out = new Linear(weights.in('out'), width, letters.length, init);
  }

  /** Letters [B, context] → scores of the letter after each, [B, context, letters] */
  forward(tokens) {
    let x = add(this.letters.forward(tokens), this.places);
    for (const block of this.blocks) x = block.forward(x, true); // causal: a letter sees itself and those before it
    return this.out.forward(this.norm.forward(x));
  }
}

const device = await openDevice();
const model = await buildModule(newWeights(device, 1), (weights) => new Gpt(weights));

// 3. Training: pieces of the text, from random places; what is wanted is the same piece, one letter on.

const batch = 8;
const optimizer = new AdamW(device, parameters(model), { maxNorm: 1, weightDecay: 0.01 });
const piece = { shape: [batch, context], dtype: 'u32' };
const inputs = { tokens: piece, next: piece, hyper: [optimizer.hyperparameterCount] };
const train = await step(device, inputs, ({ tokens, next, hyper }) => {
  const scores = reshape(model.forward(tokens), [batch * context, letters.length]);
  const loss = crossEntropy(scores, reshape(next, [batch * context]));
  optimizer.update(gradients(loss, optimizer.parameters), hyper);
  return loss;
});

const pick = random(3);
const steps = 150;
let last = 0;
for (let t = 1; t <= steps; t++) {
  const starts = Array.from({ length: batch }, () => Math.floor(pick() * (ids.length - context)));
  const tokens = Uint32Array.from(starts.flatMap((at) => [...ids.subarray(at, at + context)]));
  const next = Uint32Array.from(starts.flatMap((at) => [...ids.subarray(at + 1, at + context + 1)]));
  const rate = 0.008 * Math.min(t / 20, 1, 2 - (2 * t) / steps);
  const loss = train({ tokens, next, hyper: optimizer.hyperparameters(t, rate) });
  if (t % 15 === 0) {
    last = (await read(loss))[0];
    console.log(`step ${t}  loss ${last.toFixed(3)}`);
  }
}
export const loss = last;

// 4. Writing: the most likely letter, again and again. Causal attention lets us fill what is not written yet with anything.

const predict = await step(device, { tokens: { shape: [1, context], dtype: 'u32' } }, ({ tokens }) =>
  model.forward(tokens),
);
let written = 'The wood is ';
while (written.length < 124) {
  const seen = [...written].slice(-context);
  const tokens = new Uint32Array(context);
  tokens.set(seen.map((letter) => letters.indexOf(letter)));
  const scores = await read(predict({ tokens }));
  const after = scores.subarray((seen.length - 1) * letters.length, seen.length * letters.length);
  written += letters[after.indexOf(Math.max(...after))];
}
console.log(written);
device.dispose();

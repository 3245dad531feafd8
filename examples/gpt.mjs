// A small GPT: a transformer learns a text letter by letter, and writes on from a beginning.

import {
  AdamW,
  add,
  argmax,
  buildModule,
  crossEntropy,
  Embedding,
  freeParameters,
  gradients,
  LayerNorm,
  Linear,
  Mlp,
  MultiHeadAttention,
  newWeights,
  normal,
  openDevice,
  parameters,
  random,
  read,
  readU32,
  reshape,
  rotaryTable,
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

// 2. The model: an embedding of letters, blocks of attention that see only what is before, and a score for each letter. Where a letter
// stands turns its queries and keys (rotary positions), so that scores know distances only.

const [context, width, heads, depth] = [24, 64, 4, 1];
const longest = 160;

class Block {
  constructor(weights, init, rotary) {
    this.norm1 = new LayerNorm(weights.in('norm1'), width, 1e-5);
    this.attend = new MultiHeadAttention(weights.in('attend'), width, heads, { kvHeads: 2, rotary, init });
    this.norm2 = new LayerNorm(weights.in('norm2'), width, 1e-5);
    this.mlp = new Mlp(weights.in('mlp'), width, 2 * width, width, init);
  }

  /** `how`: causal, or from a cache. */
  forward(x, how) {
    const attended = add(x, this.attend.forward(this.norm1.forward(x), how));
    return this.mlp.forward(this.norm2.forward(attended), attended);
  }
}

class Gpt {
  constructor(weights) {
    const init = normal(0.05);
    const rotary = rotaryTable(weights.device, longest, width / heads);
    this.letters = new Embedding(weights.in('letters'), letters.length, width, init);
    this.blocks = Array.from({ length: depth }, (_, i) => new Block(weights.in('blocks').in(i), init, rotary));
    this.norm = new LayerNorm(weights.in('norm'), width, 1e-5);
    this.out = new Linear(weights.in('out'), width, letters.length, init);
  }

  /** Letters [B, N] → scores of the letter after each, [B, N, letters]. From caches, one a block, these are the letters at `position`. */
  forward(tokens, caches, position) {
    let x = this.letters.forward(tokens);
    this.blocks.forEach((block, i) => {
      x = block.forward(x, caches ? { cache: caches[i], position } : { causal: true });
    });
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

// 4. Writing: the most likely letter, again and again. A step takes one letter and its position; caches hold the keys and values of the
// letters before it, the last 24 of them, as many as the training has seen at once.

const caches = model.blocks.map((block) => block.attend.cache(1, context));
const one = { token: { shape: [1, 1], dtype: 'u32' }, position: { shape: [], dtype: 'u32' } };
const next = await step(device, one, ({ token, position }) => argmax(model.forward(token, caches, position)));

let written = 'The wood is ';
for (let position = 0; written.length < 124; position++) {
  const id = next({ token: [letters.indexOf(written[position])], position });
  // What it says after letters that are given is not asked for.
  if (position === written.length - 1) written += letters[(await readU32(id))[0]];
}
console.log(written);
freeParameters(caches);
device.dispose();

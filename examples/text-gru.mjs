// Text by a GRU: a recurrent network learns a rhyme letter by letter, and writes with a state that stays on the GPU.

import {
  AdamW,
  assign,
  buildModule,
  cosineRate,
  crossEntropy,
  div,
  Embedding,
  GRU,
  gradients,
  Linear,
  newWeights,
  openDevice,
  parameters,
  random,
  randomCategorical,
  read,
  readU32,
  reshape,
  step,
  variable,
  write,
} from '@zeroseg/core';

// 1. The text, and its letters as numbers.

const text = `
this is the cat that killed the rat that ate the malt
that lay in the house that jack built.
this is the dog that worried the cat that killed the rat
that ate the malt that lay in the house that jack built.
this is the cow with the crumpled horn that tossed the dog
that worried the cat that killed the rat that ate the malt
that lay in the house that jack built.
`.trimStart();
const letters = [...new Set(text)].sort();
const ids = Uint32Array.from(text, (letter) => letters.indexOf(letter));

// 2. The model. The state is an argument and a result, as in PyTorch: zeros where none is given.

const width = 64;

class Writer {
  constructor(weights) {
    this.letters = new Embedding(weights.in('letters'), letters.length, 16);
    this.gru = new GRU(weights.in('gru'), 16, width, { batchFirst: true });
    this.out = new Linear(weights.in('out'), width, letters.length);
  }

  /** Letters [B, T] → scores of the letter after each, [B, T, letters], and the state behind the last */
  forward(tokens, before) {
    const { y, state } = this.gru.forward(this.letters.forward(tokens), before);
    return { scores: this.out.forward(y), state };
  }
}

const device = await openDevice();
const model = await buildModule(newWeights(device, 1), (weights) => new Writer(weights));

// 3. Training through time: pieces of the text; what is wanted is the same piece, one letter on.

const [batch, length] = [16, 24];
const optimizer = new AdamW(device, parameters(model), { maxNorm: 1, weightDecay: 0 });
const piece = { shape: [batch, length], dtype: 'u32' };
const inputs = { tokens: piece, next: piece, hyper: [optimizer.hyperparameterCount] };
const train = await step(device, inputs, ({ tokens, next, hyper }) => {
  const loss = crossEntropy(model.forward(tokens).scores, next);
  optimizer.update(gradients(loss, optimizer.parameters), hyper);
  return loss;
});

const pick = random(3);
const steps = 50;
const rate = cosineRate(0.02, 0.001, steps);
let last = 0;
for (let t = 1; t <= steps; t++) {
  const starts = Array.from({ length: batch }, () => Math.floor(pick() * (ids.length - length)));
  const tokens = starts.map((at) => ids.subarray(at, at + length));
  const next = starts.map((at) => ids.subarray(at + 1, at + length + 1));
  const loss = train({ tokens, next, hyper: optimizer.hyperparameters(t, rate(t)) });
  if (t % 10 === 0) {
    last = (await read(loss))[0];
    console.log(`step ${t}  loss ${last.toFixed(3)}`);
  }
}
export const loss = last;

// 4. Writing: one letter a call. State and letter are variables, which each call reads and writes: nothing is computed twice.

const state = variable(device, [1, 1, width]);
const letter = variable(device, [1, 1], undefined, 'u32');
const key = { shape: [2], dtype: 'u32' };
const writeOne = await step(device, { key, temperature: [] }, ({ key, temperature }) => {
  const after = model.forward(letter, state);
  const scores = reshape(after.scores, [1, letters.length]);
  const drawn = reshape(randomCategorical(key, div(scores, temperature)), [1, 1]);
  assign(state, after.state);
  assign(letter, drawn);
  return drawn;
});

let written = 't';
write(letter, [letters.indexOf(written)]);
while (written.length < 160) {
  const [drawn] = await readU32(writeOne({ key: [5, written.length], temperature: 0.5 }));
  written += letters[drawn];
}
console.log(written);

// How many of the words that it wrote are words of the text?
const words = new Set(text.match(/[a-z]+/g));
const own = written.slice(0, written.lastIndexOf(' ')).match(/[a-z]+/g);
export const known = own.filter((word) => words.has(word)).length / own.length;
console.log(`${(100 * known).toFixed(0)} % of its words are words of the text`);
device.dispose();

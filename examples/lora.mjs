// Low-rank adapters: a transformer is loaded and frozen, learns a second text by LoRA, and is saved with what it learnt.

import {
  AdamW,
  add,
  assign,
  Block,
  buildModule,
  countParameters,
  crossEntropy,
  Embedding,
  gradients,
  LayerNorm,
  Linear,
  matmul,
  newWeights,
  normal,
  openDevice,
  parameters,
  random,
  read,
  readSafetensors,
  run,
  saveParameters,
  scale,
  step,
  storedWeights,
  withParameters,
  zeros,
} from '@zeroseg/core';

// 1. Two texts, and a small GPT.

const house = `
this is the dog that worried the cat that killed the rat
that ate the malt that lay in the house that jack built.
this is the cow with the crumpled horn that tossed the dog
that worried the cat that killed the rat that ate the malt
that lay in the house that jack built.
`.trimStart();
const nail = `
for want of a nail the shoe was lost, for want of a shoe the horse was lost,
for want of a horse the rider was lost, for want of a rider the battle was lost,
for want of a battle the kingdom was lost, and all for the want of a nail.
`.trimStart();
const letters = [...new Set(house + nail)].sort();
const idsOf = (text) => Uint32Array.from(text, (letter) => letters.indexOf(letter));
const [batch, context, width] = [8, 24, 64];

class Gpt {
  constructor(weights) {
    const init = normal(0.05);
    this.letters = new Embedding(weights.in('letters'), letters.length, width, init);
    this.places = weights.parameter('places', [context, width], init);
    const options = { dim: width, heads: 4, hidden: 2 * width, eps: 1e-5, init };
    this.block = new Block(weights.in('block'), options);
    this.norm = new LayerNorm(weights.in('norm'), width);
    this.out = new Linear(weights.in('out'), width, letters.length, init);
  }

  /** Letters [B, context] → scores of the letter after each, [B, context, letters] */
  forward(tokens) {
    const x = add(this.letters.forward(tokens), this.places);
    return this.out.forward(this.norm.forward(this.block.forward(x, true)));
  }
}

const device = await openDevice();
const piece = { shape: [batch, context], dtype: 'u32' };

function piecesOf(text, pick) {
  const ids = idsOf(text);
  const starts = Array.from({ length: batch }, () => Math.floor(pick() * (ids.length - context)));
  return {
    tokens: starts.map((at) => ids.subarray(at, at + context)),
    next: starts.map((at) => ids.subarray(at + 1, at + context + 1)),
  };
}

/** Trains `named`, and nothing else, by what `forward` makes of pieces of a text. */
async function learn(text, named, forward, steps, rate) {
  const optimizer = new AdamW(device, named, { maxNorm: 1, weightDecay: 0 });
  const inputs = { tokens: piece, next: piece, hyper: [optimizer.hyperparameterCount] };
  const train = await step(device, inputs, ({ tokens, next, hyper }) => {
    const loss = crossEntropy(forward(tokens), next);
    optimizer.update(gradients(loss, optimizer.parameters), hyper);
    return loss;
  });
  const pick = random(3);
  for (let t = 1; t <= steps; t++) {
    const hyper = optimizer.hyperparameters(t, rate * Math.min(t / 10, 1, 2 - (2 * t) / steps));
    const loss = train({ ...piecesOf(text, pick), hyper });
    if (t % 20 === 0) console.log(`step ${t}  loss ${(await read(loss))[0].toFixed(3)}`);
  }
}

/** The mean loss over some pieces of a text, always the same ones. */
async function lossOf(forward, text) {
  const evaluate = await step(device, { tokens: piece, next: piece }, ({ tokens, next }) =>
    crossEntropy(forward(tokens), next),
  );
  const pick = random(5);
  let sum = 0;
  for (let i = 0; i < 4; i++) sum += (await read(evaluate(piecesOf(text, pick))))[0];
  return sum / 4;
}

// 2. The model that others trained: here we do it ourselves, and save it as safetensors.

const first = await buildModule(newWeights(device, 1), (weights) => new Gpt(weights));
await learn(house, parameters(first), (tokens) => first.forward(tokens), 80, 0.008);
const file = await saveParameters(first);

// 3. Loaded from that file. Frozen is what no optimizer is given.

const { tensors } = readSafetensors(file, 'house.safetensors');
const model = await buildModule(storedWeights(device, tensors, 'house.safetensors'), (weights) => new Gpt(weights));
const frozen = parameters(model);

// 4. The adapters: beside each matrix W of the block a product B·A of low rank, which is zero at first.

const rank = 4;
const adapted = [...frozen].filter(([name, { shape }]) => name.startsWith('block') && shape.length === 2);
const adapters = await buildModule(
  newWeights(device, 2),
  (weights) =>
    new Map(
      adapted.map(([name, { shape }]) => [
        name,
        {
          a: weights.in(name).parameter('a', [rank, shape[1]], normal(0.1)),
          b: weights.in(name).parameter('b', [shape[0], rank], zeros),
        },
      ]),
    ),
);
const merged = () =>
  new Map([...adapters].map(([name, { a, b }]) => [name, add(frozen.get(name), scale(matmul(b, a), 2))]));
const withAdapters = (tokens) => withParameters(model, merged(), () => model.forward(tokens));

const before = await lossOf(withAdapters, nail);
console.log(`${countParameters(adapters)} weights learn beside ${countParameters(model)}`);
await learn(nail, parameters(adapters), withAdapters, 100, 0.03);
const after = await lossOf(withAdapters, nail);
const kept = await lossOf((tokens) => model.forward(tokens), house);
console.log(
  `second text: loss ${before.toFixed(2)} before, ${after.toFixed(2)} with adapters; first text without them: ${kept.toFixed(2)}`,
);

// 5. Merged into the weights, so that nothing is left to compute, and saved: the file is one of the model, without adapters.

await run(device, () => {
  for (const [name, weight] of merged()) assign(frozen.get(name), weight);
});
const tuned = readSafetensors(await saveParameters(model), 'nail.safetensors');
const again = await buildModule(
  storedWeights(device, tuned.tensors, 'nail.safetensors'),
  (weights) => new Gpt(weights),
);
const loaded = await lossOf((tokens) => again.forward(tokens), nail);
console.log(`second text, merged and loaded again: loss ${loaded.toFixed(2)}`);
device.dispose();

export { after, before, kept, loaded };

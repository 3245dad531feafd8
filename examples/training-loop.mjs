// Training loop: epochs over shuffled data, a smaller last batch, validation, and one file from which it goes on as if it had not stopped.

import {
  AdamW,
  argmax,
  buildModule,
  crossEntropy,
  Dropout,
  equal,
  gradients,
  jit,
  Linear,
  LossScale,
  loadParameters,
  newWeights,
  openDevice,
  permutation,
  random,
  readAll,
  readSafetensors,
  relu,
  Sequential,
  saveParameters,
  sum,
  trainable,
  WeightAverage,
} from '@zeroseg/core';

// 1. The data: points on three arms of a spiral, [N, 2], and the arm of each. The same seed draws the same ones.

function draw(count, seed) {
  const next = random(seed);
  const arms = Uint32Array.from({ length: count }, () => Math.floor(3 * next()));
  const points = Array.from(arms, (arm) => {
    const radius = 0.2 + 0.8 * next();
    const angle = 4 * radius + (2 * Math.PI * arm) / 3 + 0.2 * (next() - 0.5);
    return [2 * radius * Math.cos(angle), 2 * radius * Math.sin(angle)];
  });
  return { points, arms };
}
const learned = draw(300, 1);
const unseen = draw(150, 2);

/** Batches of a data set in the given order: 64, 64, …, and what is left. */
function* batchesOf({ points, arms }, order, size = 64) {
  for (let from = 0; from < order.length; from += size) {
    const ids = order.slice(from, from + size);
    // A jit takes nested lists as they are. The Uint32Array makes the labels u32, a list of numbers would make them f32.
    yield { points: Array.from(ids, (i) => points[i]), arms: Uint32Array.from(ids, (i) => arms[i]) };
  }
}
const batches = Math.ceil(learned.arms.length / 64); // 5 an epoch: 64, 64, 64, 64, 44

// 2. A run: everything that changes in training, from the start or from a file.

const device = await openDevice();
const seed = 7;

async function begin(file) {
  const model = await buildModule(
    newWeights(device, seed),
    (w) => new Sequential(new Linear(w.in(0), 2, 64), relu, new Dropout(0.1, 0), new Linear(w.in(3), 64, 3)),
  );
  const optimizer = new AdamW(device, trainable(model));
  const average = new WeightAverage(optimizer, { decay: 0.9 });
  const scale = new LossScale(); // for half precision, where gradients overflow; in f32 it changes no number
  const saved = { model, optimizer: optimizer.state(), average: average.state() };
  // Updates tried so far: keys and the order of the data are functions of it. The scale skips those whose gradients overflow;
  // scale.updates counts those that were made, and the optimizer goes by these. The file keeps both.
  let t = 0;

  if (file) {
    const { tensors, metadata } = readSafetensors(file, 'run.safetensors');
    loadParameters(saved, tensors, 'run.safetensors');
    scale.restore(JSON.parse(metadata.scale));
    t = Number(metadata.t);
  }

  // One step for batches of 64, made at the first call, and one for the last batch of 44.
  const update = jit(device, (points, arms, key, hyper, rest, factor) => {
    const loss = crossEntropy(model.forwardInTraining(points, key), arms);
    const { norm } = optimizer.update(gradients(loss, optimizer.parameters, factor), hyper);
    average.update(rest);
    return { loss, norm };
  });
  const validate = jit(device, (points, arms) =>
    average.within(model, () => {
      const scores = model.forward(points); // without dropout, by the averaged weights
      return { loss: sum(crossEntropy(scores, arms, { reduction: 'none' })), right: sum(equal(argmax(scores), arms)) };
    }),
  );

  return {
    /** Trains until `last` updates were tried. */
    async train(last) {
      while (t < last) {
        const epoch = Math.floor(t / batches);
        const order = permutation(learned.arms.length, random(seed, `epoch ${epoch}`));
        let [total, seen] = [0, 0];
        for (const { points, arms } of [...batchesOf(learned, order)].slice(t % batches, last - epoch * batches)) {
          t++;
          const key = Uint32Array.of(seed, t);
          const n = scale.updates + 1; // a rate that changes is a function of it, too
          const hyper = optimizer.hyperparameters(n, 0.03, 1 / scale.value);
          const [loss, norm] = await update(points, arms, key, hyper, average.rest(n), scale.value).then(readBoth);
          scale.adjust(norm);
          total += loss * arms.length;
          seen += arms.length;
        }
        if (epoch % 5 === 4 && t % batches === 0) {
          const { loss, accuracy } = await this.validate();
          const training = (total / seen).toFixed(3); // of an epoch that was resumed: of what was left
          console.log(
            `epoch ${epoch + 1}  loss ${training}  validation ${loss.toFixed(3)}, ${percent(accuracy)} right`,
          );
        }
      }
    },
    /** Means over the data that was not learned from. */
    async validate() {
      const totals = [0, 0];
      const inOrder = [...unseen.arms.keys()];
      for (const { points, arms } of batchesOf(unseen, inOrder)) {
        const [loss, right] = await validate(points, arms).then(readBoth);
        totals[0] += loss;
        totals[1] += right;
      }
      return { loss: totals[0] / inOrder.length, accuracy: totals[1] / inOrder.length };
    },
    /** The bytes of a safetensors file: in Node for `writeFile`, in a page for its private file system or a download. */
    save: () => saveParameters(saved, { metadata: { t: String(t), scale: JSON.stringify(scale.state()) } }),
  };
}

async function readBoth(results) {
  return (await readAll(Object.values(results))).map(([value]) => value);
}
const percent = (part) => `${(100 * part).toFixed(1)} %`;

// 3. Once without a stop; and once with one in the middle of an epoch, after which all that is left is the file.

const steps = 20 * batches;
const whole = await begin();
await whole.train(steps);

const stopped = await begin();
await stopped.train(43);
const file = await stopped.save();

const resumed = await begin(file);
await resumed.train(steps);

export const { accuracy } = await resumed.validate();
const [one, other] = [await whole.save(), await resumed.save()];
/** Of the two files, which hold weights, optimizer and average. */
export const differentBytes = one.filter((byte, i) => byte !== other[i]).length;
console.log(`stopped after 43 of ${steps} steps and resumed: ${differentBytes} of ${one.length} bytes are others`);
device.dispose();

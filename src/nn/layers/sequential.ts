import type { Tensor } from '../../tensor/graph/index.ts';

/** A layer, or a function of a tensor such as `gelu`. */
export type Layer =
  | ((x: Tensor) => Tensor)
  | {
      forward(x: Tensor): Tensor;
      /** What it does in training, where that is something else. `key` is the seed of the step, u32 `[2]`. */
      forwardInTraining?(x: Tensor, key: Tensor): Tensor;
    };

/**
 * Layers one after the other. Their parameters are named by their places, as in PyTorch: `0.weight`.
 *
 * ```ts
 * const model = await buildModule(newWeights(device, 1), (w) =>
 *   new Sequential(new Linear(w.in(0), 2, 8), relu, new Dropout(0.1, 0), new Linear(w.in(3), 8, 1)),
 * );
 * const y = model.forward(x); //                   evaluation
 * const z = model.forwardInTraining(x, key); //    dropout, statistics of batches
 * ```
 */
export class Sequential {
  readonly [place: number]: Layer;
  readonly length: number;

  constructor(...layers: readonly Layer[]) {
    this.length = layers.length;
    Object.assign(this, layers);
  }

  forward(x: Tensor): Tensor {
    return this.#layers().reduce((x, layer) => (typeof layer === 'function' ? layer(x) : layer.forward(x)), x);
  }

  /** As in training: where a layer has a `forwardInTraining`, that. `key` is the seed of the step, u32 `[2]`. */
  forwardInTraining(x: Tensor, key: Tensor): Tensor {
    return this.#layers().reduce((x, layer) => {
      if (typeof layer === 'function') return layer(x);
      return layer.forwardInTraining ? layer.forwardInTraining(x, key) : layer.forward(x);
    }, x);
  }

  #layers(): Layer[] {
    return Array.from<Layer>(this);
  }
}

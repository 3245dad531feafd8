import { ArgumentError } from '../../gpu/index.ts';
import { checkTensors, Tensor } from '../../tensor/graph/index.ts';
import { describe } from '../../tensor/values/index.ts';
import { composed } from './composed.ts';

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
 *
 * `for (const layer of model)` goes through the layers.
 *
 * @throws ArgumentError for what is no layer; in `forward`, for a layer that gives no tensor.
 */
export class Sequential {
  readonly [place: number]: Layer;
  readonly length: number;

  constructor(...layers: readonly Layer[]) {
    layers.forEach((layer: unknown, i) => {
      if (typeof layer === 'function' || typeof (layer as Partial<Sequential> | undefined)?.forward === 'function')
        return;
      const remedy = Array.isArray(layer) ? ': give the layers one by one, new Sequential(...layers)' : '';
      throw new ArgumentError(
        `Sequential: layer ${i} must be a function, or have a forward(x); it is ${describe(layer)}${remedy}`,
      );
    });
    this.length = layers.length;
    Object.assign(this, layers);
  }

  forward(x: Tensor): Tensor {
    checkTensors('Sequential', { x });
    return this.#run(x, (x, layer) => layer.forward(x));
  }

  /** As in training: where a layer has a `forwardInTraining`, that. `key` is the seed of the step, u32 `[2]`, which {@link Dropout} needs. */
  forwardInTraining(x: Tensor, key?: Tensor): Tensor {
    checkTensors('Sequential', { x });
    return this.#run(x, (x, layer) =>
      layer.forwardInTraining ? layer.forwardInTraining(x, key as Tensor) : layer.forward(x),
    );
  }

  *[Symbol.iterator](): Generator<Layer, void, undefined> {
    for (let i = 0; i < this.length; i++) yield this[i] as Layer;
  }

  #run(x: Tensor, forward: (x: Tensor, layer: Exclude<Layer, (x: Tensor) => Tensor>) => Tensor): Tensor {
    return [...this].reduce((x, layer, i) => {
      const y: unknown = composed(`Sequential: layer ${i}`, {}, () =>
        typeof layer === 'function' ? layer(x) : forward(x, layer),
      );
      if (y instanceof Tensor) return y;
      throw new ArgumentError(`Sequential: layer ${i} must give a tensor; it gave ${describe(y)}`);
    }, x);
  }
}

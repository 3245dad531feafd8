import type { Kernel } from '../../gpu/index.ts';
import { formatShape, StepError } from '../values/index.ts';
import { overlap } from './dependence.ts';
import { currentRecording, empty, launchOrder, over } from './record.ts';
import type { Storage, Tensor } from './tensor.ts';
import { copied } from './turns.ts';

/** What a variable would hold behind a launch that writes it. */
interface Version {
  readonly order: number;
  readonly storage: Storage;
  readonly value: Tensor;
}

/**
 * Variables in what is recorded a second time: read, they have the values of the first time; and what would write them writes others, which
 * are read from then on. Those that nothing of this recording writes stay as they are.
 */
export class VariablesOfBefore {
  readonly #versions: Version[] = [];
  readonly #since: number;
  /** Gradients of what was recorded before this are computed. */
  #until = Number.POSITIVE_INFINITY;

  /** `since`: where the first time began. */
  constructor(since: number) {
    this.#since = since;
  }

  /** Runs a backward of what was made before `until`. */
  within<R>(until: number, body: () => R): R {
    this.#until = until;
    try {
      return body();
    } finally {
      this.#until = Number.POSITIVE_INFINITY;
    }
  }

  /** In the place of the tensors of a launch. */
  replace({ bindings }: Kernel, tensors: readonly Tensor[]): Tensor[] {
    const written: Version[] = [];
    const replaced = tensors.map((t, i) => {
      const { root } = t.storage;
      const access = bindings[i]?.access;
      if (root.kind !== 'variable' || (access === 'read' && !currentRecording()?.effects.has(root))) return t;
      if (access === 'read') return this.#read(t);
      const value = access === 'write' ? empty(t) : copied(this.#read(t));
      value.cut = true;
      written.push({ order: 0, storage: t.storage, value });
      return value;
    });
    // Copies were launched meanwhile; the next launch is the one that writes.
    const order = launchOrder() + 1;
    this.#versions.push(...written.map((version) => ({ ...version, order })));
    return replaced;
  }

  #read(t: Tensor): Tensor {
    const at = Math.min(t.asOf ?? Number.POSITIVE_INFINITY, this.#until);
    const version = this.#versions.findLast(({ order, storage }) => order <= at && overlap(storage, t.storage));
    if (version && version.storage !== t.storage) {
      throw new StepError(
        `recompute: the body writes a variable and uses a part of it, ${formatShape(t.shape)}, which it cannot repeat; write it outside`,
      );
    }
    const y = over(version?.value ?? t, t.shape, t.dtype);
    if (version) y.cut = true;
    else y.asOf = Math.min(t.asOf ?? this.#since, this.#since);
    return y;
  }
}

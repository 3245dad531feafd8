/** What a pickle makes: values, and names and calls that stay what they are. Nothing is ever called. */
import type { CheckpointError } from '../safetensors/index.ts';
import { isAllowed, makers } from './globals.ts';
import { refusal } from './pickle-bytes.ts';

/** A name that a pickle gives, such as `torch.FloatStorage`. */
export class Named {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** An object of which only the name of its class and its attributes are known. */
export class Instance {
  readonly of: string;
  readonly attributes: Map<unknown, unknown> = new Map<unknown, unknown>();
  constructor(of: string) {
    this.of = of;
  }
}

/** What was asked for by a number of things that lie outside of the pickle, such as `('storage', FloatStorage, '0', 'cpu', 16)`. */
export class Persistent {
  readonly id: unknown;
  constructor(id: unknown) {
    this.id = id;
  }
}

/** A call of one of the {@link makers}, not made. */
export class Call {
  readonly of: string;
  readonly args: readonly unknown[];
  constructor(of: string, args: readonly unknown[]) {
    this.of = of;
    this.args = args;
  }
}

/** A pickle of a checkpoint with 100,000 tensors makes some 4 million. Files that make more are made to fill the memory. */
const MOST_VALUES = 2 ** 24;
/** What is copied counts so often: of weights, little is, and a pickle of 100 kB may ask for billions of copies. */
const COPIED = 16;
/** Letters of what a pickle names: far more than any class has. */
const LONGEST_NAME = 1024;

/** Makes the values of one pickle, and not too many: a container that is copied or filled again counts with all that is in it. */
export class ValueMaker {
  readonly #file: string;
  #left = MOST_VALUES;

  constructor(file: string) {
    this.#file = file;
  }

  /** @throws CheckpointError where there were too many. */
  spend(values: number): void {
    this.#left -= values;
    if (this.#left < 0) throw this.#refusal(`it makes more than ${MOST_VALUES} values, which weights do not need`);
  }

  named(module: unknown, name: unknown): Named {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#refusal('it names what is no text');
    // Before they are put together: a text may be long, and be named often.
    if (module.length + name.length > LONGEST_NAME) {
      throw this.#refusal(`it names ${shown(module)}, which weights do not need`);
    }
    const full = `${module}.${name}`;
    if (isAllowed(full)) return new Named(full);
    throw this.#refusal(`it names ${shown(full)}, which weights do not need`);
  }

  /** A call, not made: of containers what they would hold, of the rest the call itself. */
  call(of: unknown, args: unknown): unknown {
    if (!(of instanceof Named) || !Array.isArray(args)) throw this.#refusal('it calls what is no name');
    switch (of.name) {
      case 'collections.OrderedDict':
      case 'collections.defaultdict':
        return this.#dictionary(of.name.endsWith('OrderedDict') ? args[0] : args[1]);
      case 'torch.Size':
      case 'torch.jit._pickle.build_intlist':
      case 'torch.jit._pickle.build_doublelist':
      case 'torch.jit._pickle.build_boollist':
      case 'torch.jit._pickle.build_tensorlist':
      case 'torch.jit._pickle.restore_type_tag':
        return args[0];
      default:
        return makers.has(of.name) ? new Call(of.name, args) : new Instance(of.name);
    }
  }

  #dictionary(items: unknown): Map<unknown, unknown> {
    if (items instanceof Map) {
      this.spend(COPIED * items.size);
      return new Map(items);
    }
    const map = new Map<unknown, unknown>();
    if (!Array.isArray(items)) return map;
    this.spend(COPIED * items.length);
    for (const pair of items) {
      if (!Array.isArray(pair) || pair.length !== 2) throw this.#refusal('a dictionary is made of what are no pairs');
      map.set(pair[0], pair[1]);
    }
    return map;
  }

  /** An object of a class, of which nothing is made. */
  object(of: unknown, args: unknown): unknown {
    if (of instanceof Named && Array.isArray(args)) {
      return makers.has(of.name) ? this.call(of, args) : new Instance(of.name);
    }
    throw this.#refusal('it makes an object of what is no class');
  }

  append(list: unknown, items: readonly unknown[]): void {
    if (list instanceof Instance) return; // a list of some class: nobody asks what is in it
    if (!Array.isArray(list)) throw this.#refusal('it appends to what is no list');
    for (const item of items) list.push(item);
  }

  setItems(target: unknown, items: readonly unknown[]): void {
    if (items.length % 2 !== 0) throw this.#refusal('a dictionary has a key without a value');
    const map = target instanceof Instance ? target.attributes : target;
    if (!(map instanceof Map)) throw this.#refusal('it sets an item of what is no dictionary');
    for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
  }

  /** Gives an object its attributes. Of dictionaries and tensors, these are no part of the weights. */
  build(target: unknown, state: unknown): void {
    if (target instanceof Instance && state instanceof Map) {
      this.spend(COPIED * state.size);
      for (const [key, value] of state) target.attributes.set(key, value);
    } else if (!(target instanceof Instance || target instanceof Map || target instanceof Call)) {
      throw this.#refusal('it gives attributes to what has none');
    }
  }

  #refusal(reason: string): CheckpointError {
    return refusal(this.#file, reason);
  }
}

/** Bytes of a whole number at most: PyTorch writes eight, and its own mark ten. */
const LONGEST_NUMBER = 64;

/** A whole number: little-endian, two's complement, of any length. */
export function long(file: string, bytes: Uint8Array): number | bigint {
  if (bytes.length > LONGEST_NUMBER) throw refusal(file, `it has a number of more than ${LONGEST_NUMBER} bytes`);
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i] as number);
  if (bytes.length > 0 && (bytes.at(-1) as number) >= 128) value -= 256n ** BigInt(bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function shown(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}

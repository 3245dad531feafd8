/** Reads Python's pickles as data: nothing that they name is ever called, and what weights do not need is refused by its name. */
import { CheckpointError } from '../safetensors/index.ts';
import { isAllowed, makers } from './globals.ts';

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

/** The cause of the error of a pickle that goes on behind the bytes that were given. */
export const cutOff: unique symbol = Symbol('cut off');

const MARK = Symbol('mark');
const codes = {
  MARK: '(',
  STOP: '.',
  POP: '0',
  POP_MARK: '1',
  NONE: 'N',
  NEWTRUE: '\x88',
  NEWFALSE: '\x89',
  BININT: 'J',
  BININT1: 'K',
  BININT2: 'M',
  LONG1: '\x8a',
  LONG4: '\x8b',
  BINFLOAT: 'G',
  BINUNICODE: 'X',
  SHORT_BINUNICODE: '\x8c',
  BINUNICODE8: '\x8d',
  BINSTRING: 'T',
  SHORT_BINSTRING: 'U',
  BINBYTES: 'B',
  SHORT_BINBYTES: 'C',
  BINBYTES8: '\x8e',
  EMPTY_LIST: ']',
  APPEND: 'a',
  APPENDS: 'e',
  EMPTY_TUPLE: ')',
  TUPLE: 't',
  TUPLE1: '\x85',
  TUPLE2: '\x86',
  TUPLE3: '\x87',
  EMPTY_DICT: '}',
  SETITEM: 's',
  SETITEMS: 'u',
  EMPTY_SET: '\x8f',
  ADDITEMS: '\x90',
  FROZENSET: '\x91',
  BINGET: 'h',
  LONG_BINGET: 'j',
  BINPUT: 'q',
  LONG_BINPUT: 'r',
  MEMOIZE: '\x94',
  GLOBAL: 'c',
  STACK_GLOBAL: '\x93',
  REDUCE: 'R',
  NEWOBJ: '\x81',
  BUILD: 'b',
  BINPERSID: 'Q',
  PROTO: '\x80',
  FRAME: '\x95',
} as const;
const names: ReadonlyMap<number, keyof typeof codes> = /*#__PURE__*/ new Map(
  Object.entries(codes).map(([name, code]) => [code.charCodeAt(0), name as keyof typeof codes]),
);

/** What other instructions of Python's pickles are called, for messages. */
const refused: Readonly<Record<string, string>> = {
  I: 'INT',
  L: 'LONG',
  F: 'FLOAT',
  S: 'STRING',
  V: 'UNICODE',
  P: 'PERSID',
  i: 'INST',
  o: 'OBJ',
  d: 'DICT',
  l: 'LIST',
  g: 'GET',
  p: 'PUT',
  '2': 'DUP',
  '\x82': 'EXT1',
  '\x83': 'EXT2',
  '\x84': 'EXT4',
  '\x92': 'NEWOBJ_EX',
  '\x96': 'BYTEARRAY8',
  '\x97': 'NEXT_BUFFER',
  '\x98': 'READONLY_BUFFER',
};

/** Python's numbers and texts as they are; lists and tuples as arrays; dictionaries as maps. */
export interface Unpickled {
  readonly value: unknown;
  /** What it refers to outside of itself. */
  readonly persistent: readonly Persistent[];
  /** Bytes of the pickle. */
  readonly size: number;
}

/**
 * Reads the pickle at the beginning of `bytes`.
 *
 * @param file A name for error messages.
 * @throws CheckpointError when it names what weights do not need, has an instruction that PyTorch does not write, or is damaged.
 */
export function unpickle(bytes: Uint8Array, file: string): Unpickled {
  const cursor = new Cursor(bytes, file);
  const persistent: Persistent[] = [];
  const stack: unknown[] = [];
  const memo = new Map<number, unknown>();
  const pop = (): unknown => {
    if (stack.length === 0 || stack.at(-1) === MARK) throw refusal(file, 'it takes more than it has put down');
    return stack.pop();
  };
  const popMark = (): unknown[] => {
    const mark = stack.lastIndexOf(MARK);
    if (mark < 0) throw refusal(file, 'a mark is missing');
    const items = stack.splice(mark + 1);
    stack.pop();
    return items;
  };
  const top = (): unknown => {
    if (stack.length === 0) throw refusal(file, 'it takes more than it has put down');
    return stack.at(-1);
  };
  const recall = (key: number): void => {
    if (!memo.has(key)) throw refusal(file, `it refers to memory ${key}, where nothing is`);
    stack.push(memo.get(key));
  };
  for (;;) {
    const code = cursor.byte();
    switch (names.get(code)) {
      case 'PROTO':
        if (cursor.byte() > 5) throw refusal(file, 'its protocol is newer than 5');
        break;
      case 'FRAME':
        cursor.take(8);
        break;
      case 'STOP': {
        const value = pop();
        if (stack.length > 0) throw refusal(file, 'it ends with more than one value');
        return { value, persistent, size: cursor.at };
      }
      case 'MARK':
        stack.push(MARK);
        break;
      case 'POP':
        top();
        stack.pop();
        break;
      case 'POP_MARK':
        popMark();
        break;
      case 'NONE':
        stack.push(null);
        break;
      case 'NEWTRUE':
        stack.push(true);
        break;
      case 'NEWFALSE':
        stack.push(false);
        break;
      case 'BININT':
        stack.push(cursor.view(4).getInt32(0, true));
        break;
      case 'BININT1':
        stack.push(cursor.byte());
        break;
      case 'BININT2':
        stack.push(cursor.view(2).getUint16(0, true));
        break;
      case 'LONG1':
        stack.push(long(file, cursor.take(cursor.byte())));
        break;
      case 'LONG4':
        stack.push(long(file, cursor.take(cursor.size(4))));
        break;
      case 'BINFLOAT':
        stack.push(cursor.view(8).getFloat64(0));
        break;
      case 'BINUNICODE':
        stack.push(cursor.text(cursor.size(4)));
        break;
      case 'SHORT_BINUNICODE':
        stack.push(cursor.text(cursor.byte()));
        break;
      case 'BINUNICODE8':
        stack.push(cursor.text(cursor.size(8)));
        break;
      case 'BINSTRING':
        stack.push(cursor.text(cursor.size(4)));
        break;
      case 'SHORT_BINSTRING':
        stack.push(cursor.text(cursor.byte()));
        break;
      case 'BINBYTES':
        stack.push(cursor.take(cursor.size(4)));
        break;
      case 'SHORT_BINBYTES':
        stack.push(cursor.take(cursor.byte()));
        break;
      case 'BINBYTES8':
        stack.push(cursor.take(cursor.size(8)));
        break;
      case 'EMPTY_LIST':
      case 'EMPTY_TUPLE':
      case 'EMPTY_SET':
        stack.push([]);
        break;
      case 'APPEND': {
        const item = pop();
        append(file, top(), [item]);
        break;
      }
      case 'APPENDS':
      case 'ADDITEMS': {
        const items = popMark();
        append(file, top(), items);
        break;
      }
      case 'TUPLE':
      case 'FROZENSET':
        stack.push(popMark());
        break;
      case 'TUPLE1':
        stack.push([pop()]);
        break;
      case 'TUPLE2': {
        const last = pop();
        stack.push([pop(), last]);
        break;
      }
      case 'TUPLE3': {
        const [last, second] = [pop(), pop()];
        stack.push([pop(), second, last]);
        break;
      }
      case 'EMPTY_DICT':
        stack.push(new Map());
        break;
      case 'SETITEM': {
        const [value, key] = [pop(), pop()];
        setItems(file, top(), [key, value]);
        break;
      }
      case 'SETITEMS': {
        const items = popMark();
        setItems(file, top(), items);
        break;
      }
      case 'BINGET':
        recall(cursor.byte());
        break;
      case 'LONG_BINGET':
        recall(cursor.size(4));
        break;
      case 'BINPUT':
        memo.set(cursor.byte(), top());
        break;
      case 'LONG_BINPUT':
        memo.set(cursor.size(4), top());
        break;
      case 'MEMOIZE':
        memo.set(memo.size, top());
        break;
      case 'GLOBAL':
        stack.push(named(file, cursor.line(), cursor.line()));
        break;
      case 'STACK_GLOBAL': {
        const [name, module] = [pop(), pop()];
        stack.push(named(file, module, name));
        break;
      }
      case 'REDUCE': {
        const [args, of] = [pop(), pop()];
        stack.push(call(file, of, args));
        break;
      }
      case 'NEWOBJ': {
        const [args, of] = [pop(), pop()];
        if (!(of instanceof Named) || !Array.isArray(args))
          throw refusal(file, 'it makes an object of what is no class');
        stack.push(makers.has(of.name) ? call(file, of, args) : new Instance(of.name));
        break;
      }
      case 'BUILD': {
        const state = pop();
        build(file, top(), state);
        break;
      }
      case 'BINPERSID': {
        const reference = new Persistent(pop());
        persistent.push(reference);
        stack.push(reference);
        break;
      }
      default: {
        const letter = String.fromCharCode(code);
        const name = Object.hasOwn(refused, letter) ? refused[letter] : `0x${code.toString(16).padStart(2, '0')}`;
        throw refusal(file, `it has the instruction ${name}, which PyTorch does not write`);
      }
    }
  }
}

function named(file: string, module: unknown, name: unknown): Named {
  if (typeof module !== 'string' || typeof name !== 'string') throw refusal(file, 'it names what is no text');
  const full = `${module}.${name}`;
  if (isAllowed(full)) return new Named(full);
  throw refusal(file, `it names ${shown(full)}, which weights do not need`);
}

/** A call, not made: of containers what they would hold, of the rest the call itself. */
function call(file: string, of: unknown, args: unknown): unknown {
  if (!(of instanceof Named) || !Array.isArray(args)) throw refusal(file, 'it calls what is no name');
  switch (of.name) {
    case 'collections.OrderedDict':
    case 'collections.defaultdict': {
      const items = of.name.endsWith('OrderedDict') ? args[0] : args[1];
      const map = new Map<unknown, unknown>();
      for (const pair of Array.isArray(items) ? items : []) {
        if (!Array.isArray(pair) || pair.length !== 2) throw refusal(file, 'a dictionary is made of what are no pairs');
        map.set(pair[0], pair[1]);
      }
      return items instanceof Map ? new Map(items) : map;
    }
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

function append(file: string, list: unknown, items: readonly unknown[]): void {
  if (list instanceof Instance) return; // a list of some class: nobody asks what is in it
  if (!Array.isArray(list)) throw refusal(file, 'it appends to what is no list');
  for (const item of items) list.push(item);
}

function setItems(file: string, target: unknown, items: readonly unknown[]): void {
  if (items.length % 2 !== 0) throw refusal(file, 'a dictionary has a key without a value');
  const map = target instanceof Instance ? target.attributes : target;
  if (!(map instanceof Map)) throw refusal(file, 'it sets an item of what is no dictionary');
  for (let i = 0; i < items.length; i += 2) map.set(items[i], items[i + 1]);
}

/** Gives an object its attributes. Of dictionaries and tensors, these are no part of the weights. */
function build(file: string, target: unknown, state: unknown): void {
  if (target instanceof Instance && state instanceof Map)
    for (const [key, value] of state) target.attributes.set(key, value);
  else if (!(target instanceof Instance || target instanceof Map || target instanceof Call))
    throw refusal(file, 'it gives attributes to what has none');
}

/** A whole number: little-endian, two's complement, of any length. */
function long(file: string, bytes: Uint8Array): number | bigint {
  if (bytes.length > 1024) throw refusal(file, 'it has a number of more than 1024 bytes');
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = value * 256n + BigInt(bytes[i] as number);
  if (bytes.length > 0 && (bytes.at(-1) as number) >= 128) value -= 256n ** BigInt(bytes.length);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function refusal(file: string, reason: string): CheckpointError {
  return new CheckpointError(
    file,
    `it is refused: ${reason}. Nothing of it was run. Weights alone are had in Python by torch.save(model.state_dict(), FILE), or as safetensors`,
  );
}

function shown(name: string): string {
  return name.length > 80 ? `${name.slice(0, 80)}…` : name;
}

class Cursor {
  at = 0;
  readonly #bytes: Uint8Array;
  readonly #file: string;
  readonly #text = new TextDecoder();

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at)
      throw new CheckpointError(this.#file, 'its pickle is cut off; get the file again', { cause: cutOff });
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  view(length: number): DataView {
    const bytes = this.take(length);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  /** A length of 4 or 8 bytes. */
  size(width: 4 | 8): number {
    const view = this.view(width);
    return width === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true));
  }

  text(length: number): string {
    return this.#text.decode(this.take(length));
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.at);
    if (end < 0) throw new CheckpointError(this.#file, 'its pickle is cut off; get the file again', { cause: cutOff });
    const text = this.text(end - this.at);
    this.at++;
    return text;
  }
}
